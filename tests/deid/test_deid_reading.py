# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in, a scan or a typed error comes out, and no error names the patient."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, MediaStorageDirectoryStorage

from deid import (
    DeidentificationError,
    Deidentifier,
    MissingSopClassError,
    NestingTooDeepError,
    NotDicomError,
    TruncatedFileError,
    UnreadableSourceError,
    UnsupportedObjectError,
    UnsupportedTransferSyntaxError,
)
from tests.deid.made_scans import KEY, PIPELINE, ROOT, ct, file_of
from tests.deid.planted import planted_ct


def deidentify(source):
    return Deidentifier(KEY, PIPELINE).deidentify(source)


def test_bytes_path_and_data_set_give_the_same_scan(tmp_path) -> None:
    content = file_of(ct(StudyDescription="CT Chest"))
    path = tmp_path / "a.dcm"
    path.write_bytes(content)

    scans = [
        deidentify(source)
        for source in (content, bytearray(content), path, str(path), pydicom.dcmread(path))
    ]

    assert len({scan.to_bytes() for scan in scans}) == 1


def test_a_result_is_the_same_in_every_run() -> None:
    content = planted_ct().content

    assert deidentify(content).to_bytes() == deidentify(content).to_bytes()


def test_the_source_is_left_alone() -> None:
    dataset = ct(StudyDescription="CT Chest")
    before = dataset.to_json()

    deidentify(dataset)

    assert dataset.to_json() == before


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", NotDicomError),
        (b"Jane Doe", NotDicomError),
        (b"%PDF-1.4 Jane Doe " * 50, NotDicomError),
        (bytes(1000), NotDicomError),
        (bytes(128) + b"DICM", MissingSopClassError),
    ],
)
def test_what_is_no_dicom_is_refused(content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        deidentify(content)


def test_a_missing_file_is_refused_without_its_name(tmp_path) -> None:
    with pytest.raises(UnreadableSourceError) as caught:
        deidentify(tmp_path / "Doe^Jane.dcm")

    assert "Jane" not in str(caught.value)


def test_a_directory_and_an_object_without_class_are_refused() -> None:
    with pytest.raises(UnsupportedObjectError):
        deidentify(ct(SOPClassUID=MediaStorageDirectoryStorage))
    with pytest.raises(DeidentificationError):
        deidentify(ct(SOPClassUID=None))


def test_a_private_transfer_syntax_is_refused() -> None:
    content = file_of(ct()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0")

    with pytest.raises(UnsupportedTransferSyntaxError):
        deidentify(content)


def test_a_file_cut_inside_an_element_is_refused() -> None:
    content = file_of(ct(Rows=64, Columns=64, BitsAllocated=16, PixelData=bytes(8192)))

    for length in (len(content) - 1, len(content) - 4000):
        with pytest.raises(TruncatedFileError):
            deidentify(content[:length])


def test_missing_and_empty_type_1_attributes_do_not_stop_it() -> None:
    scan = deidentify(
        ct(SOPInstanceUID=None, SeriesInstanceUID="", StudyInstanceUID=None, Modality=None)
    )
    again = deidentify(
        ct(SOPInstanceUID=None, SeriesInstanceUID="", StudyInstanceUID=None, Modality=None)
    )

    uids = [scan.sop_instance_uid, scan.series_instance_uid, scan.study_instance_uid]
    assert all(uid.startswith("2.25.") for uid in uids)
    assert len(set(uids)) == 3
    assert scan.to_bytes() == again.to_bytes()


def test_a_class_named_in_the_file_meta_alone_is_enough() -> None:
    dataset = ct()
    content = file_of(dataset)
    del dataset.SOPClassUID
    buffer = io.BytesIO()
    dataset.file_meta = pydicom.dcmread(io.BytesIO(content)).file_meta
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=False)

    assert deidentify(buffer.getvalue()).sop_class_uid == CTImageStorage


def test_values_that_break_their_vr_do_not_leak_and_do_not_stop_it() -> None:
    dataset = ct(Rows=4)
    wrong = {
        0x00080020: ("LO", "Doe, Jane"),
        0x00080030: ("LO", "Doe, Jane"),
        0x0008002A: ("LO", "Doe, Jane"),
        0x00180050: ("LO", "Doe, Jane"),
        0x00200013: ("LO", "Doe, Jane"),
        0x00280011: ("LO", "Doe, Jane"),
        0x00080060: ("LO", "Doe, Jane"),
        0x00081140: ("LO", "Doe, Jane"),
        0x0020000D: ("LO", "Doe, Jane"),
        0x00080005: ("LO", "Doe, Jane"),
        0x00089215: ("OB", b"Doe, Jane "),
    }
    for tag, (vr, value) in wrong.items():
        dataset[tag] = DataElement(tag, vr, value)

    scan = deidentify(dataset)

    assert b"Jane" not in scan.to_bytes()
    assert scan.study_instance_uid.startswith("2.25.")


def test_an_unknown_character_set_lets_no_byte_pass_unread() -> None:
    dataset = ct(StudyDescription="CT Chest", SpecificCharacterSet="ISO_IR 100")
    content = file_of(dataset).replace(b"ISO_IR 100", b"JANE DOE 1")
    content = content.replace(b"CT Chest", b"CT \xe4\xf6 CT")

    scan = deidentify(content)

    assert "SpecificCharacterSet" not in scan.dataset
    assert b"JANE" not in scan.to_bytes()
    assert scan.dataset.StudyDescription == "CT CT"


@pytest.mark.parametrize("depth", [40, 5000])
@pytest.mark.parametrize("delimited", [False, True])
def test_sequences_nested_deeper_than_any_iod_are_refused(depth: int, delimited: bool) -> None:
    head = b"\x08\x00\x15\x11SQ\0\0"
    content = b""
    for _ in range(depth):
        if delimited:
            content = head + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4 + content
            content += b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)
        else:
            item = b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content
            content = head + len(item).to_bytes(4, "little") + item

    with pytest.raises(NestingTooDeepError):
        deidentify(file_of(ct()) + content)


def test_a_sequence_that_is_none_is_removed() -> None:
    content = file_of(ct(ReferencedSeriesSequence=Sequence([Dataset()]), Rows=4))
    at = content.index(b"\x08\x00\x15\x11SQ")

    scan = deidentify(content[: at + 12] + b"\xff\xff\x00\xe0" + content[at + 16 :])

    assert "ReferencedSeriesSequence" not in scan.dataset


def test_nothing_of_an_error_names_the_patient() -> None:
    content = planted_ct().content
    words = [word.decode() for word in planted_ct().identifiers.values()]

    for length in range(140, len(content), 37):
        try:
            deidentify(content[:length])
        except DeidentificationError as error:
            said = f"{error!r} {error.__cause__!r}"
            assert not any(word in said for word in words)


def test_damaged_files_end_as_scan_or_typed_error() -> None:
    generator = random.Random(20240229)  # noqa: S311 - damage, not a secret
    names = ("CT_small.dcm", "test-SR.dcm", "rtplan.dcm", "priv_SQ.dcm", "JPEG2000.dcm")
    sources = [Path(get_testdata_file(name)).read_bytes() for name in names]
    ended = {"scan": 0, "error": 0}
    for _ in range(400):
        content = bytearray(generator.choice(sources))
        for _ in range(generator.choice((1, 5, 50))):
            content[generator.randrange(len(content))] = generator.randrange(256)
        if generator.random() < 0.3:
            del content[generator.randrange(len(content)) :]
        try:
            deidentify(bytes(content)).header_json()
            ended["scan"] += 1
        except DeidentificationError:
            ended["error"] += 1

    assert min(ended.values()) > 50


def test_the_root_of_the_test_uids_is_none_of_dicom() -> None:
    assert deidentify(ct()).sop_instance_uid != f"{ROOT}.3"


def test_no_warning_or_log_quotes_a_value(caplog, recwarn) -> None:
    caplog.set_level("DEBUG")
    planted = planted_ct()
    foreign = planted.content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.84X.10008.1.2.1\0")

    deidentify(planted.content.replace(b"ISO_IR 100", b"QZ11XW 100")).header_json()
    with pytest.raises(UnsupportedTransferSyntaxError):
        deidentify(foreign)

    said = caplog.text + " ".join(str(warning.message) for warning in recwarn)
    assert not any(word.decode() in said for word in planted.identifiers.values())
