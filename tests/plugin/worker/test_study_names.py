# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the other series of a study are called, as Orthanc tells it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from plugin.worker.study_names import MOST_NAMES, headers_of_others, names_of_others


def series(identifier: str, modality: str = "MR", **tags: str) -> dict[str, Any]:
    return {"ID": identifier, "MainDicomTags": {"Modality": modality} | tags}


def test_each_different_name_of_the_same_modality_is_told_once() -> None:
    study = [
        series("own", SeriesDescription="localizer"),
        series("a", SeriesDescription="flair", ProtocolName="p"),
        series("b", SeriesDescription="flair", ProtocolName="p"),
        series("c", BodyPartExamined="HEAD"),
        series("d", "SR", SeriesDescription="report"),
        series("e"),
    ]
    assert names_of_others(study, "own", "MR") == [("", "", "HEAD"), ("flair", "p", "")]


def test_a_study_of_a_thousand_series_is_told_in_part() -> None:
    study = [series(str(n), SeriesDescription=f"name {n}") for n in range(1000)]
    assert len(names_of_others(study, "own", "MR")) == MOST_NAMES


def test_the_study_keeps_its_words_and_the_series_gets_others() -> None:
    original = Dataset()
    original.Modality = "MR"
    original.PatientName = "Doe^Jane"
    original.StudyDescription = "MR1"
    original.SeriesDescription = "localizer"
    original.ProtocolName = "localizer"
    original.ViewPosition = "AP"
    region = Dataset()
    region.CodeMeaning = "Knee"
    original.AnatomicRegionSequence = Sequence([region])
    original.file_meta = FileMetaDataset()
    (told,) = headers_of_others(original, [series("a", SeriesDescription="flair")], "own")
    assert (told.StudyDescription, told.SeriesDescription) == ("MR1", "flair")
    for gone in ("ProtocolName", "ViewPosition", "AnatomicRegionSequence"):
        assert gone not in told
    assert original.SeriesDescription == "localizer"
    assert told.PatientName == "Doe^Jane", "de-identification finds it in the words by this"


def from_file(**values: Any) -> Dataset:
    """A header as it comes from a file: in Latin-1, with frames and large values."""
    frames = []
    for number in range(200):
        frame = Dataset()
        frame.FrameComments = f"frame {number} " * 20
        frames.append(frame)
    told = {
        "SpecificCharacterSet": "ISO_IR 100",
        "Modality": "MR",
        "PatientName": "Müller^Jürgen",
        "OtherPatientNames": ["Mueller^Juergen", "Müller^J"],
        "StudyDescription": "Untersuchung für Müller",
        "SeriesDescription": "localizer",
        "PerFrameFunctionalGroupsSequence": Sequence(frames),
        "ImageComments": "x" * 5000,
        "RedPaletteColorLookupTableData": bytes(5000),
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": generate_uid(),
    } | values
    header = Dataset()
    for keyword, value in told.items():
        setattr(header, keyword, value)
    header.add_new(0x00090010, "LO", "PRIVATE")
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)


def written(header: Dataset) -> Dataset:
    buffer = BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)


def test_a_copy_is_small_however_many_frames_the_scan_has() -> None:
    (told,) = headers_of_others(from_file(), [series("a", SeriesDescription="flair")], "own")
    buffer = BytesIO()
    told.save_as(buffer, enforce_file_format=True)
    assert len(buffer.getvalue()) < 2000
    assert told.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_words_of_any_script_and_the_names_of_the_person_are_in_unicode() -> None:
    other = series("a", SeriesDescription="голова 頭部", BodyPartExamined="頭部")
    told = written(*headers_of_others(from_file(), [other], "own"))
    assert told.SeriesDescription == "голова 頭部"
    assert "BodyPartExamined" not in told, "a code string is ASCII"
    assert str(told.PatientName) == "Müller^Jürgen"
    assert [str(name) for name in told.OtherPatientNames] == ["Mueller^Juergen", "Müller^J"]
    assert told.StudyDescription == "Untersuchung für Müller"


def test_of_many_names_those_with_a_body_part_are_told_first() -> None:
    study = [series(str(n), SeriesDescription=f"name {n}") for n in range(100)]
    study.append(series("last", SeriesDescription="pd", BodyPartExamined="KNEE"))
    assert names_of_others(study, "own", "MR")[0] == ("pd", "", "KNEE")


def test_a_value_that_can_not_be_read_is_left_out() -> None:
    original = from_file()
    broken = RawDataElement(Tag("Rows"), "US", 3, b"\1\2\3", 0, False, True)
    original[broken.tag] = broken
    with pytest.raises(BytesLengthException):
        _ = original.Rows
    (told,) = headers_of_others(original, [series("a", SeriesDescription="flair")], "own")
    assert "Rows" not in told
    assert told.SeriesDescription == "flair"
