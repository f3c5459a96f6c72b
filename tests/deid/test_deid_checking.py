# SPDX-License-Identifier: Apache-2.0
"""``deid check`` finds what was left; ``deid explain`` shows rules and no value."""

from __future__ import annotations

import zipfile
from base64 import b64encode
from collections.abc import Callable
from copy import deepcopy
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from typer.testing import CliRunner

from deid import Deidentifier, Option
from deid.checking import check
from deid.checking_originals import OriginalIdentifiers
from deid.commands import app
from deid.source_files import sources
from tests.deid.made_scans import KEY, PIPELINE, ROOT, ct, file_of
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


ORIGINAL = ct(
    PatientName="Fenwick^Marigold",
    PatientID="MRN8800004",
    PatientBirthDate="19440307",
    AccessionNumber="ACC770041",
    FrameOfReferenceUID=f"{ROOT}.77",
)


def in_private(value: bytes | str, vr: str) -> Callable[[Dataset], None]:
    def put(dataset: Dataset) -> None:
        dataset.private_block(0x0099, "ACME", create=True).add_new(1, vr, value)

    return put


def setting(keyword: str, value: str) -> Callable[[Dataset], None]:
    return lambda dataset: setattr(dataset, keyword, value)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (setting("StudyDescription", "ct fenwick"), "00081030  a name"),
        (setting("StudyDescription", "CT FENWICK"), "00081030  a name"),
        (setting("StudyDescription", "xFENWICKx"), "00081030  a name"),
        (in_private("Fenwick", "LO"), "00991001  a name"),
        (in_private(b"xxFenwickxx ", "OB"), "00991001  a name"),
        (in_private("Fenwick".encode("utf-16-le"), "UN"), "00991001  a name"),
        (in_private(b64encode(b"Fenwick Marigold").decode(), "LO"), "00991001  a name"),
        (setting("ProtocolName", "MRN 88-00004"), "00181030  a number"),
        (setting("ProtocolName", "of acc77_0041"), "00181030  a number"),
        (setting("ProtocolName", "born 07.03.1944"), "00181030  a birth date"),
        (setting("ProtocolName", "19440307"), "00181030  a birth date"),
        (setting("FrameOfReferenceUID", f"{ROOT}.77"), "00200052  a UID"),
    ],
)
def test_what_the_originals_say_is_found_however_it_is_written(
    tmp_path: Path, plant: Callable[[Dataset], None], found: str
) -> None:
    (tmp_path / "originals").mkdir()
    (tmp_path / "originals" / "one.dcm").write_bytes(file_of(deepcopy(ORIGINAL)))
    left = deidentified(deepcopy(ORIGINAL))
    plant(left)

    code, output = checked(tmp_path, file_of(left), "--originals", str(tmp_path / "originals"))

    assert code == 1
    assert f"{found} of the originals: 1 files" in output
    assert not any(word in output.lower() for word in ("fenwick", "8800004", "1944", ROOT))


def test_originals_accuse_neither_words_of_anatomy_nor_digits_of_longer_numbers(
    tmp_path: Path,
) -> None:
    (tmp_path / "originals").mkdir()
    original = ct(PatientName="Thorax^Patient", PatientID="880004")
    (tmp_path / "originals" / "one.dcm").write_bytes(file_of(original))
    clean = deidentified(original)
    clean.BodyPartExamined, clean.ProtocolName = "THORAX", "1.8800041"

    assert checked(tmp_path, file_of(clean), "--originals", str(tmp_path / "originals"))[0] == 0


def test_retained_uids_that_a_file_declares_are_no_finding(tmp_path: Path) -> None:
    (tmp_path / "originals").mkdir()
    (tmp_path / "originals" / "one.dcm").write_bytes(file_of(deepcopy(ORIGINAL)))
    named = OriginalIdentifiers(sources(tmp_path / "originals"))
    retaining = Deidentifier(KEY, (Option.RETAIN_UIDS,)).deidentify(file_of(deepcopy(ORIGINAL)))

    assert list(named.of(retaining.to_bytes())) == []
    assert list(named.of(file_of(deepcopy(ORIGINAL))))


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (setting("PatientID", "MRN8800004"), "00100020"),
        (setting("AccessionNumber", "ACC770041"), "00080050"),
        (setting("PatientBirthDate", "19440307"), "00100030"),
        (setting("PatientAge", "097Y"), "00101010"),
        (setting("BurnedInAnnotation", "YES"), "00280301"),
        (lambda dataset: dataset.add_new(0x50000022, "LO", "curve"), "50000022"),
        (lambda dataset: dataset.add_new(0x00080007, "LO", "unknown"), "00080007"),
        (lambda dataset: dataset.add_new(0xFFFCFFFC, "OB", b"padding "), "FFFCFFFC"),
    ],
)
def test_what_no_clean_file_has_is_found_without_originals(
    plant: Callable[[Dataset], None], found: str
) -> None:
    left = deidentified(deepcopy(ORIGINAL))
    assert check(file_of(left)) == []
    plant(left)
    assert [finding.place for finding in check(file_of(left))] == [found]


def test_titles_of_applications_in_the_file_meta_information_are_found() -> None:
    left = deidentified(deepcopy(ORIGINAL))
    left.file_meta.SourceApplicationEntityTitle = "FENWICKAE"
    buffer = BytesIO()
    left.save_as(buffer)
    assert [finding.place for finding in check(buffer.getvalue())] == ["00020016"]


def test_terms_that_can_not_be_read_are_no_empty_list(tmp_path: Path) -> None:
    (tmp_path / "terms").write_bytes("Müller\n".encode("latin-1"))
    for name in ("terms", "missing"):
        code, output = checked(tmp_path, file_of(ct()), "--terms", str(tmp_path / name))
        assert code == 2
        assert "ller" not in output
    left = deidentified(ct(StudyDescription="CT"))
    left.ProtocolName = "Fenwick"
    (tmp_path / "terms").write_bytes("\ufeffFenwick\r\n".encode())
    code, output = checked(tmp_path, file_of(left), "--terms", str(tmp_path / "terms"))
    assert (code, "term 1 of the list" in output) == (1, True)
