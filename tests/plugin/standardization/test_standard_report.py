# SPDX-License-Identifier: AGPL-3.0-or-later
"""What standard headers would change, counted over an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plugin.configuration.standard_entries import read_standard_entries
from plugin.standardization import commands
from plugin.standardization.entries import ChangedOnArrival, StandardEntry, StandardHeader
from plugin.standardization.report import Report, look_through

NAME = "DOE JANE"


def header(standard: str, *, differs: bool, rule: str = "slices", **more: Any) -> str:
    entry = StandardEntry(keyword="BodyPartExamined", standard=standard, differs=differs)
    return StandardHeader(rule=rule, entries=(entry,), **more).model_dump_json()


class Orthanc:
    """An archive by series: modality, Body Part Examined, study, and headers beside it.

    A study begins with the letter of its patient.
    """

    def __init__(
        self, *series: tuple[str, str, str, str], name: str = "5412", tells: bool = True
    ) -> None:
        self.series, self.name, self.tells = series, name, tells
        self.images: dict[str, list[str]] = {}
        self.asked: list[dict[str, Any]] = []

    def get(self, path: str) -> Any:
        if path == "/system":
            names = {self.name: 5412} if self.name != "5412" else {}
            return {"UserMetadata": names} if self.tells else {}
        since, limit = (int(part.split("=")[1]) for part in path.split("&")[1:])
        return [
            {
                "ID": f"s{number}",
                "ParentStudy": study,
                "MainDicomTags": {"Modality": modality, "BodyPartExamined": part},
            }
            for number, (modality, part, study, _) in enumerate(self.series)
        ][since : since + limit]

    def post(self, path: str, content: Any = None) -> Any:
        assert path == "/tools/bulk-content"
        self.asked.append(content)
        if content["Level"] == "Study":
            return [{"ID": one, "ParentPatient": one[0]} for one in content["Resources"]]
        if content["Level"] == "Instance":
            return [
                {"ID": "i", "ParentSeries": series, "Metadata": {self.name: text}}
                for series in content["Resources"]
                for text in self.images.get(series, [])
            ]
        kept = {f"s{number}": one[3] for number, one in enumerate(self.series) if one[3]}
        return [
            {"ID": one, "Metadata": {self.name: kept[one]} if one in kept else {}}
            for one in content["Resources"]
        ]


def test_scans_are_counted_by_rule_and_by_what_would_change() -> None:
    orthanc = Orthanc(
        ("CT", "THORAX", "a", header("CHEST", differs=True)),
        ("CT", "CHEST", "a", header("CHEST", differs=False)),
        ("MR", "CSPINE", "b", ""),
        ("SR", "CHEST", "b", ""),
    )
    found = look_through(orthanc)
    assert (found.series, found.scans) == (3, 2)
    assert (found.rules["slices"].scans, found.rules["slices"].differ) == (2, 1)
    assert found.rules["slices"].attributes == {"BodyPartExamined": 1}
    assert found.parts == {("THORAX", "CHEST"): 1}


def test_images_that_are_scans_of_their_own_are_counted_one_by_one() -> None:
    orthanc = Orthanc(("DX", "THX", "a", ""), ("CT", "HEAD", "b", ""))
    once = header("CHEST", differs=True, rule="projection")
    orthanc.images["s0"] = [once, once]
    found = look_through(orthanc)
    assert found.rules["projection"].scans == 2
    assert found.parts == {("THX", "CHEST"): 1}
    assert [one["Resources"] for one in orthanc.asked if one["Level"] == "Instance"] == [["s0"]]


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("name", ["sidelight-standard", "5412"])
def test_a_name_that_an_admin_gave_the_metadata_is_understood(name: str, tells: bool) -> None:
    one = ("CT", "THORAX", "a", header("CHEST", differs=True))
    other = ("CT", "THORAX", "b", "what another program keeps")
    report = look_through(Orthanc(one, other, name=name, tells=tells))
    assert report.scans == 1


def test_all_pages_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugin.standardization.report.PAGE", 2)
    told: list[int] = []
    series = [("CT", "CHEST", str(number), "") for number in range(5)]
    assert look_through(Orthanc(*series), told.append).series == 5
    assert told == [2, 4, 5]


def test_copies_changes_at_arrival_and_what_another_version_wrote_are_counted() -> None:
    report = Report()
    arrived = ChangedOnArrival(keywords=("BodyPartExamined",), reason="CORRECT")
    report.add("HEAD", "a", [header("HEAD", differs=False, copies=("x", "y"), arrival=arrived)])
    report.add("HEAD", "a", ["{}"])
    assert (report.copies, report.arrived, report.unreadable) == (2, {"CORRECT": 1}, 1)


def test_a_spelling_that_neither_dicom_nor_the_table_knows_is_a_gap_of_the_table() -> None:
    report = Report()
    for said in ("THRX", "Thorax", "CHEST", ""):
        report.add(said, "a", [])
    assert report.unknown(read_standard_entries()) == {"THRX": 1}


def told(monkeypatch: pytest.MonkeyPatch, orthanc: Orthanc, *words: str) -> str:
    monkeypatch.setattr(commands, "RestClient", lambda _url, _user: orthanc)
    answer = CliRunner().invoke(commands.app, ["report", *words])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_the_command_shows_what_several_patients_have_and_counts_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gap = ("THRX [red]", header("CHEST", differs=True))
    series = [("CT", gap[0], study, gap[1]) for study in ("a", "b")]
    series += [("CT", NAME, study, header("CHEST", differs=True)) for study in ("c1", "c2")]
    text = told(monkeypatch, Orthanc(*series))
    assert "4 series of images, 4 scans with a standard header" in text
    assert "THRX [red]" in text
    assert NAME not in text
    assert text.count("and 1 more") == 2


def test_an_archive_without_standard_headers_says_why_there_may_be_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "Standardization.Mode" in told(monkeypatch, Orthanc(("CT", "CHEST", "a", "")))


def test_a_table_that_can_not_be_used_ends_the_command_with_what_is_wrong(tmp_path: Path) -> None:
    table = tmp_path / "mine.toml"
    table.write_text('[[rule]]\nname = "A"\n', encoding="utf-8")
    answer = CliRunner().invoke(commands.app, ["report", "--table", str(table)])
    assert answer.exit_code == 1
    assert "mine.toml" in answer.output
