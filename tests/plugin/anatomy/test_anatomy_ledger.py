# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a node keeps of doubts about anatomy: the list for review, and rows to train with."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from deid import Deidentifier, Option
from inference.anatomy import header, recognize
from inference.anatomy.training.corpus import read_site_table
from plugin.anatomy.agreement import Agreement, Witness
from plugin.anatomy.commands import app
from plugin.anatomy.ledger import FILE_NAME, AnatomyLedger, Lesson
from plugin.anatomy.lessons import (
    CODES,
    EXPORTED,
    PATIENT,
    TEXTS,
    corrected,
    lessons,
    put_together,
    row_of,
    write_table,
)
from tests.deid.made_scans import KEY, ct, file_of
from tests.plugin.query_plans import plan_of


@pytest.fixture
def ledger(tmp_path: Path) -> AnatomyLedger:
    return AnatomyLedger(tmp_path / FILE_NAME)


def disputed(*teaches: str) -> Agreement:
    tags = Witness(name="metadata", regions=("chest",), confidence=0.6)
    pixels = Witness(name="pixels", regions=("upper limb",), confidence=0.9)
    return Agreement.model_validate({"witnesses": [tags, pixels], "teaches": teaches})


def test_a_series_is_flagged_once_and_cleared(ledger: AnatomyLedger) -> None:
    ledger.flag("s1")
    ledger.flag("s1")
    ledger.flag("s2")
    assert (ledger.count(), set(ledger.flagged(10))) == (2, {"s1", "s2"})
    ledger.clear("s1")
    assert ledger.flagged(10) == ["s2"]


def test_a_later_row_of_a_series_takes_the_place_of_the_earlier_one(ledger: AnatomyLedger) -> None:
    for regions in ("chest", "head"):
        ledger.learn("s1", Lesson("metadata", {"Modality": "CT", "regions": regions}))
    ledger.learn("s1", Lesson("pixels", {"Modality": "CT", "regions": "neck"}))
    assert [row["regions"] for row in ledger.lessons("metadata")] == ["head"]
    assert ledger.lesson_counts() == {"metadata": 1, "pixels": 1}
    ledger.forget("s1", "metadata")
    assert ledger.lesson_counts() == {"metadata": 0, "pixels": 1}


@pytest.mark.parametrize("kind", ["lessons", "heard"])
def test_of_too_many_rows_the_oldest_go_and_nothing_is_sorted_for_it(
    kind: str, ledger: AnatomyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(series: str) -> None:
        if kind == "heard":
            ledger.hears(series, "chest")
        else:
            ledger.learn(series, Lesson("metadata", {"Modality": "CT"}))

    monkeypatch.setattr("plugin.anatomy.ledger.MOST_ROWS", 3)
    clock = itertools.count(1.0)
    monkeypatch.setattr("time.time", lambda: next(clock))
    db = ledger._file._connection()
    for series in ("s1", "s2", "s3", "s1"):
        add(series)
    steps = plan_of(ledger._file, lambda: add("s4"))
    kept = db.execute(f"SELECT series FROM {kind} ORDER BY noted").fetchall()  # noqa: S608
    assert kept == [("s3",), ("s1",), ("s4",)]
    assert not [one for one in steps if "TEMP B-TREE" in one]


def test_the_columns_are_what_the_metadata_model_reads() -> None:
    assert set(TEXTS) == header.TEXTS.keys() | header.NUMBERS.keys() | header.ORIENTATION.keys()
    assert set(CODES) == set(header.CODES)


def test_a_row_holds_nothing_of_the_patient_and_the_other_witness_as_label() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", "CT arm"
    original = ct(
        StudyDescription="CT ARM Doe Jane", ManufacturerModelName="Scan 9", SliceThickness="2.5",
        AccessionNumber="A4711", StudyDate="20200101", ProcedureCodeSequence=[code],
    )  # fmt: skip
    deidentifier = Deidentifier(KEY, options=(Option.CLEAN_DESCRIPTORS, Option.DEVICE))
    scan = deidentifier.deidentify_header(file_of(original))
    by_model = {one.teaches: one.row for one in lessons(scan, disputed("metadata", "pixels"))}
    assert by_model["metadata"]["regions"] == "upper-limb", "pixels teach the model of the tags"
    assert by_model["pixels"]["regions"] == "chest", "tags teach that of the pixels"
    text = str(by_model)
    for secret in ("Doe", "Jane", "4711", "2020"):
        assert secret not in text
    assert by_model["metadata"]["Modality"] == "CT"
    assert "ARM" in by_model["metadata"]["StudyDescription"]


def test_a_row_keeps_the_place_of_each_value_of_image_type() -> None:
    values = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    original = Dataset()
    original.Modality, original.ImageType = "NM", values
    row = row_of(original, ("head",))
    assert row["ImageType"] == "ORIGINAL\\PRIMARY\\WHOLE BODY\\EMISSION"
    assert recognize(row).regions == recognize(original).regions == ("whole body",)


def test_an_agreement_that_teaches_nobody_gives_no_row() -> None:
    scan = Deidentifier(KEY).deidentify_header(file_of(ct()))
    assert lessons(scan, disputed()) == []


def test_the_exported_table_is_what_training_reads(ledger: AnatomyLedger, tmp_path: Path) -> None:
    row = {
        "Modality": "CT",
        "StudyDescription": "CT ARM",
        "regions": "chest upper-limb",
        "site": "S9",
    }
    ledger.learn("s1", Lesson("metadata", row))
    out = tmp_path / "rows.csv"
    result = CliRunner().invoke(app, ["export", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    (example,) = read_site_table(out)
    assert example.group == "S9"
    assert set(example.right) == {frozenset(("chest", "upper limb"))}
    assert example.header.text("StudyDescription") == "CT ARM"


def test_a_folder_without_a_ledger_is_said_to_have_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["count", str(tmp_path / "elsewhere")])
    assert result.exit_code == 2
    assert FILE_NAME in result.output


def test_a_table_without_rows_still_names_its_columns() -> None:
    stream = io.StringIO()
    assert write_table([], stream) == 0
    assert next(csv.reader(io.StringIO(stream.getvalue()))) == list(EXPORTED)


def test_a_reviewers_word_takes_the_place_of_the_label_until_it_is_withdrawn(
    ledger: AnatomyLedger,
) -> None:
    for series in ("s1", "s2"):
        ledger.learn(series, Lesson("metadata", {"Modality": "CT", "regions": "chest"}))
    ledger.correct("s1", corrected(("pelvis", "lower limb")))
    said = [(row["regions"], row.get("label_source")) for row in ledger.lessons("metadata")]
    assert sorted(said) == [("chest", None), ("pelvis lower-limb", "reviewer")]
    ledger.correct("s1", None)
    assert [row["regions"] for row in ledger.lessons("metadata")] == ["chest"]


def test_of_equal_headers_the_reviewers_label_is_taken_whoever_put_it_aside() -> None:
    pixels = {"Modality": "CT", "regions": "chest"}
    said = {"Modality": "CT", **corrected(("pelvis",))}
    other = {"Modality": "MR", "regions": "head", "label_source": "tags", "weight": "0.4"}
    for rules, collected in (([pixels], [said, other]), ([pixels, said], [said, other])):
        rows = list(put_together(rules, collected, "pixels", 0.5))
        assert [row["regions"] for row in rows] == ["pelvis", "head"]


def test_a_label_of_pixels_weighs_half_as_much_as_a_persons(
    ledger: AnatomyLedger, tmp_path: Path
) -> None:
    ledger.learn("s1", Lesson("metadata", {"Modality": "CT", "regions": "chest"}))
    out = tmp_path / "rows.csv"
    result = CliRunner().invoke(app, ["export", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    (example,) = read_site_table(out)
    assert (example.source, example.weight) == ("pixels", 0.5)


def test_rows_of_one_scanner_are_told_apart_by_patient_and_name_nobody() -> None:
    def row(patient: str) -> dict[str, str]:
        scan = Deidentifier(KEY).deidentify_header(file_of(ct(PatientID=patient)))
        (lesson,) = lessons(scan, disputed("metadata"))
        return lesson.row

    one, again, other = row("PID-1"), row("PID-1"), row("PID-2")
    assert one[PATIENT] == again[PATIENT] != other[PATIENT]
    assert "PID" not in "".join(one.values())


def test_a_wrong_folder_leaves_a_table_of_before_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    out.write_text("of yesterday")
    result = CliRunner().invoke(app, ["export", str(tmp_path / "nowhere"), "--out", str(out)])
    assert result.exit_code == 2
    assert out.read_text() == "of yesterday"
