# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: intervals, coverage, and no word that could name somebody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference.anatomy.training.corpus import CorpusError, read_site_table
from inference.anatomy.training.figures import interval
from inference.anatomy.training.shown_words import shown
from inference.commands_evaluate import evaluate


def test_an_interval_holds_the_share_and_is_narrower_for_more() -> None:
    low, high = interval(8, 10)
    assert low < 0.8 < high
    assert interval(80, 100)[0] > low
    assert interval(10, 10)[1] == pytest.approx(1.0)


def test_words_that_could_name_somebody_are_dots() -> None:
    text = shown({"SeriesDescription": "CHEST Zimtstern", "StationName": "X"}, deidentified=False)
    assert "CHEST" in text
    assert "Zimtstern" not in text
    assert "X" not in text


def test_a_table_gives_a_page_and_figures(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    rows = ["CT,CT CHEST,chest"] * 6 + ["MR,MR KNEE,lower-limb"] * 5 + ["CT,CT HEAD Zimtstern,neck"]
    table.write_text("\n".join(["Modality,StudyDescription,regions", *rows]) + "\n")
    done = CliRunner().invoke(evaluate, ["anatomy", str(table), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert figures["exact"] == pytest.approx(11 / 12, abs=1e-3)
    html = (tmp_path / "out" / "report.html").read_text()
    assert "share answered" in html
    assert "Zimtstern" not in html


@pytest.mark.parametrize("cells", ["somebody,1", "pixels,0", "pixels,x"])
def test_a_label_without_a_known_source_or_weight_is_refused(tmp_path: Path, cells: str) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(f"StudyDescription,regions,label_source,weight\nCT CHEST,chest,{cells}\n")
    with pytest.raises(CorpusError, match="line 2"):
        read_site_table(table)


def test_training_from_an_archive_uses_its_headers_and_says_what_speaks_against_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    from inference.anatomy.training import commands
    from inference.commands import train
    from inference.header_source import HeaderRequest, HeadersCollected

    table = tmp_path / "headers.csv"
    lines = ["station,patient,Modality,StudyDescription,regions,label_source,weight"]
    for number in range(6):
        lines += [f"st{number},p{number},CT,CT CHEST {k},chest,tags,0.4" for k in range(8)]
        lines += [f"st{number},p{number},MR,ROUTINE {k},,," for k in range(3)]
    table.write_text("\n".join(lines) + "\n")
    asked: list[HeaderRequest] = []

    def source(request: HeaderRequest, witnesses: object) -> HeadersCollected:
        asked.append(request)
        found = {"series": 66, "labels": {"tags": 48, "": 18}, "finished": False}
        return HeadersCollected(table=str(table), reason="the quiet hours are over", **found)

    monkeypatch.setattr(commands, "header_source", lambda name: source)
    given = ["--orthanc", "http://127.0.0.1:8042", "--key-file", str(tmp_path / "key")]
    given += ["--between", "22-5", "--family", "decision-tree", "--shown", "400"]
    done = CliRunner().invoke(train, ["anatomy", *given, "--out", str(tmp_path / "out")])
    assert (asked[0].from_hour, asked[0].until_hour) == (22, 5)
    assert "quiet hours" in done.output
    assert done.exit_code == 1
    assert "held-out labels that no tag model gave" in " ".join(done.output.split())
