# SPDX-License-Identifier: Apache-2.0
"""``deid check`` finds what was left; ``deid explain`` shows rules and no value."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from typer.testing import CliRunner

from deid import Deidentifier
from deid.checking import check
from deid.commands import app
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of
from tests.deid.planted import planted_ct
from tests.deid.test_deid_pixel_text import NAMED, scan


def test_an_original_is_found_out() -> None:
    places = {finding.place for finding in check(planted_ct().content)}

    assert {"00120062", "00100010", "file"} <= places


def test_a_deidentified_scan_passes() -> None:
    for options in ((), PIPELINE):
        made = Deidentifier(KEY, options).deidentify(planted_ct().content).to_bytes()
        assert check(made, ["QZ11XW"]) == []


def test_a_known_term_is_found_in_any_byte() -> None:
    whats = {finding.what for finding in check(file_of(ct()), ["Jane", "Absent"])}

    assert "term 1 of the list" in whats
    assert "term 2 of the list" not in whats


def test_the_commands_name_places_and_rules_but_no_values(tmp_path: Path) -> None:
    file = tmp_path / "one.dcm"
    file.write_bytes(file_of(ct()))

    explained = CliRunner().invoke(app, ["explain", str(file)])
    checked = CliRunner().invoke(app, ["check", str(tmp_path)])

    assert explained.exit_code == 0
    assert "00100020\treplaced by a pseudonym" in explained.output
    assert checked.exit_code == 1
    assert "Doe" not in explained.output + checked.output


def test_a_zip_archive_is_read_and_its_result_passes_the_check(tmp_path: Path) -> None:
    archive, out, key = tmp_path / "study.zip", tmp_path / "out", tmp_path / "key"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("Doe/1", file_of(ct()))
        made.writestr("DICOMDIR", b"not read")

    run = [str(archive), "--out", str(out), "--key-file", str(key), "--profile", "research"]
    done = CliRunner().invoke(app, run)

    assert done.exit_code == 0, done.output
    assert len(list(out.rglob("*.dcm"))) == 1
    assert CliRunner().invoke(app, ["check", str(out)]).exit_code == 0


def checked(tmp_path: Path, content: bytes, *options: str) -> tuple[int, str]:
    (tmp_path / "set").mkdir(exist_ok=True)
    (tmp_path / "set" / "one.dcm").write_bytes(content)
    done = CliRunner().invoke(app, ["check", str(tmp_path / "set"), *options])
    return done.exit_code, done.output


def deidentified(dataset: Dataset) -> Dataset:
    return dcmread(BytesIO(Deidentifier(KEY, PIPELINE).deidentify(file_of(dataset)).to_bytes()))


def test_identifiers_of_the_originals_are_searched_for_in_every_byte(tmp_path: Path) -> None:
    (tmp_path / "originals").mkdir()
    original = ct(PatientName="Fenwick^Jo", PatientID="QZ-4471", AccessionNumber="A00815")
    (tmp_path / "originals" / "one.dcm").write_bytes(file_of(original))
    asked = ("--originals", str(tmp_path / "originals"))
    clean = deidentified(original)

    assert checked(tmp_path, file_of(clean), *asked)[0] == 0
    for keyword, value in (("ImageComments", "seen FENWICK Fenwick"), ("StationName", "QZ-4471")):
        left = deidentified(original)
        setattr(left, keyword, value)
        code, output = checked(tmp_path, file_of(left), *asked)
        assert code == 1
        assert "an identifier of the originals" in output
        assert value not in output
    left = deidentified(original)
    left.add_new(0x0020000D, "UI", f"{original.StudyInstanceUID}")
    assert checked(tmp_path, file_of(left), *asked)[0] == 1


def test_texts_that_name_somebody_are_found_where_they_are_asked_for(tmp_path: Path) -> None:
    dataset = deidentified(ct())
    dataset.ImageComments = "%PATIENT NAME% seen 03.04.2021 with EUGGD3WCPWPJ43DW, liver normal"
    assert checked(tmp_path, file_of(dataset), "--texts")[0] == 0

    dataset.ImageComments = "discussed with Dr. Marigold Okonjo"
    assert checked(tmp_path, file_of(dataset))[0] == 0
    code, output = checked(tmp_path, file_of(dataset), "--texts")
    assert code == 1
    assert "00204000  reads like: PHYSICIAN NAME" in output
    assert "Okonjo" not in output


def test_writing_in_pixels_is_found_where_it_is_asked_for(tmp_path: Path) -> None:
    for pixels, code in ((NAMED, 1), (np.full_like(NAMED, 12), 0)):
        dataset = deidentified(scan(pixels))
        assert checked(tmp_path, file_of(dataset), "--pixels")[0] == code
        assert checked(tmp_path, file_of(dataset))[0] == 0


def test_pixels_that_cannot_be_looked_at_are_a_finding(tmp_path: Path) -> None:
    dataset = deidentified(scan(NAMED))
    dataset.Rows = 1000
    code, output = checked(tmp_path, file_of(dataset), "--pixels")
    assert code == 1
    assert "can't be decoded" in output
