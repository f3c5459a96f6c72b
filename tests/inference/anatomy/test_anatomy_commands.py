# SPDX-License-Identifier: Apache-2.0
import csv
import json
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from inference.anatomy import Calibration
from inference.anatomy.commands import app
from inference.anatomy.regions import REGIONS, parse_regions

RUNNER = CliRunner()
LABELLED_HEADERS = Path(__file__).parents[4] / "shared" / "data" / "anatomy_headers_dev.csv"

HEADERS = """Modality,StudyDescription,BodyPartExamined,regions
CT,CT CAP,,CAP
MR,MR LEFT KNEE,KNEE,L
CT,,,?
CT,CT HEAD,HEAD,H/HN
"""


@pytest.fixture
def headers(tmp_path):
    path = tmp_path / "headers.csv"
    path.write_text(HEADERS, encoding="utf-8")
    return path


def answers(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_predict_answers_every_row_of_a_table_in_its_order(headers, tmp_path):
    out = tmp_path / "answers.csv"
    done = RUNNER.invoke(app, ["predict", str(headers), "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = answers(out)
    assert [row["regions"] for row in rows] == ["chest abdomen pelvis", "lower-limb", "", "head"]
    assert [row["laterality"] for row in rows] == ["", "L", "", ""]
    assert rows[2]["confidence"] == "0.0000"
    assert {vote["attribute"] for vote in json.loads(rows[1]["votes"])} == {
        "StudyDescription",
        "BodyPartExamined",
        "model",
    }


def test_predict_reads_dicom_files_and_tells_which_are_none(tmp_path):
    (tmp_path / "note.txt").write_text("no DICOM")
    (tmp_path / "ct.dcm").write_bytes(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    out = tmp_path.parent / "answers.csv"
    done = RUNNER.invoke(app, ["predict", str(tmp_path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert [Path(row["source"]).name for row in answers(out)] == ["ct.dcm"]
    assert "note.txt" in done.output


def test_a_table_without_dicom_keywords_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("name,value\na,b\n")
    done = RUNNER.invoke(app, ["predict", str(path)])
    assert done.exit_code == 2
    assert "no DICOM keyword" in done.output


def test_evaluate_counts_any_of_the_right_answers_and_leaves_undecidable_headers_out(headers):
    done = RUNNER.invoke(app, ["evaluate", str(headers)])
    figures = json.loads(done.output)
    assert figures["headers"] == 3
    assert figures["exact"] == 1.0


def test_what_calibrate_writes_is_a_calibration_with_the_new_counts(headers, tmp_path):
    out = tmp_path / "calibration.toml"
    assert RUNNER.invoke(app, ["calibrate", str(headers), "--out", str(out)]).exit_code == 0
    assert '"study confirmed" = { right = 2, seen = 2' in out.read_text()
    assert 0.9 < Calibration.load(out).confidence("study confirmed") < 1.0
    done = RUNNER.invoke(app, ["evaluate", str(headers), "--calibration", str(out)])
    assert done.exit_code == 0, done.output


def test_a_label_that_is_no_region_is_refused_with_its_line(tmp_path):
    path = tmp_path / "labelled.csv"
    path.write_text("Modality,regions\nCT,X\n")
    done = RUNNER.invoke(app, ["evaluate", str(path)])
    assert done.exit_code == 2
    assert "line 2" in done.output


@pytest.mark.skipif(
    not LABELLED_HEADERS.exists(), reason="shared/data/anatomy_headers_dev.csv is not here"
)
def test_headers_read_by_hand_are_answered_right_and_with_fitting_confidence():
    done = RUNNER.invoke(app, ["evaluate", str(LABELLED_HEADERS)])
    figures = json.loads(done.output)
    assert figures["headers"] > 580
    assert figures["exact"] >= 0.93
    assert figures["expected_calibration_error"] <= 0.05


@pytest.mark.skipif(
    not LABELLED_HEADERS.exists(), reason="shared/data/anatomy_headers_dev.csv is not here"
)
def test_the_shipped_calibration_is_what_these_headers_measure(tmp_path):
    out = tmp_path / "calibration.toml"
    RUNNER.invoke(app, ["calibrate", str(LABELLED_HEADERS), "--out", str(out)])
    import inference.anatomy

    shipped = Path(inference.anatomy.__file__).parent / "data" / "calibration.toml"
    assert out.read_text() == shipped.read_text()


def test_region_names_of_the_answers_can_be_read_back():
    names = "whole-body head neck spine chest breast abdomen pelvis upper-limb lower-limb"
    assert parse_regions(names) == frozenset(REGIONS)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_a_table_that_can_not_be_read_leaves_earlier_answers_as_they_are(tmp_path, text):
    (tmp_path / "headers.csv").write_text(text)
    (tmp_path / "answers.csv").write_text("of yesterday")
    asked = ["predict", str(tmp_path / "headers.csv"), "--out", str(tmp_path / "answers.csv")]
    assert RUNNER.invoke(app, asked).exit_code != 0
    assert (tmp_path / "answers.csv").read_text() == "of yesterday"


def test_series_of_a_table_are_read_in_their_study_and_images_of_a_series_once(tmp_path):
    table, out = tmp_path / "headers.csv", tmp_path / "answers.csv"
    names = ("t2_tse_tra", "ep2d_diff_b50_400_800", "t2_tse_sag", "t1_vibe_dyn_dce")
    lines = [f"1.2,3.{n},MR,{name}" for n, name in enumerate(names)]
    head = '"(0020,000D)","(0020,000E)",Modality,SeriesDescription'
    table.write_text("\n".join([head, *lines, lines[0], "1.3,4.1,MR,t2_tse_tra"]))
    done = RUNNER.invoke(app, ["predict", str(table), "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = answers(out)
    assert [row["regions"] for row in rows[:5]] == ["pelvis"] * 5
    assert rows[4]["confidence"] == rows[0]["confidence"]
    assert float(rows[5]["confidence"]) < 0.5, "another study, of one series"
