# SPDX-License-Identifier: Apache-2.0
"""Brings a result, made from a de-identified study, back into the original one."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from deid.errors import NotDicomError, UnknownLinkError
from deid.vault.links import Links

# Marks of PS3.15 annex E that are untrue once the patient is named again.
_MARKS = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
_UTF_8 = "ISO_IR 192"


class Returned(NamedTuple):
    """A result on its way to the archive.

    Attributes
    ----------
    instance:
        Its SOP Instance UID.
    content:
        The Part 10 file; it names the patient.
    """

    instance: str
    content: bytes


def study_of(content: bytes) -> str:
    """Study Instance UID (0020,000D) of a result.

    Raises
    ------
    NotDicomError
        If it is no DICOM file.
    """
    return str(_read(content).get("StudyInstanceUID", ""))


def returned(content: bytes, links: Links) -> Returned:
    """The result as an object of the original patient and study.

    Patient's and study's attributes become the original ones, references to the study's instances
    point to the originals at any depth, the marks of de-identification go. Its own UIDs, its pixels
    and its other dates stay as the result has them.

    Raises
    ------
    UnknownLinkError
        If it belongs to another study, or is no result but one of the de-identified images.
    NotDicomError
        If it is no DICOM file.
    """
    dataset = _read(content)
    if dataset.get("StudyInstanceUID") != links.study:
        raise UnknownLinkError("the result belongs to another study than the link")
    if dataset.get("SOPInstanceUID") in links.uids:
        raise UnknownLinkError("a de-identified image, not a result: the archive has its original")
    dataset.decode()
    dataset.SpecificCharacterSet = _UTF_8
    _point_to_originals(dataset, links)
    for keyword, value in links.original.items():
        if value or keyword in dataset:
            setattr(dataset, keyword, value)
    for keyword in _MARKS:
        if keyword in dataset:
            delattr(dataset, keyword)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return Returned(str(dataset.SOPInstanceUID), buffer.getvalue())


def _point_to_originals(dataset: Dataset, links: Links) -> None:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _point_to_originals(item, links)
        elif element.VR == "UI" and element.value:
            element.value = _original(element.value, links)


def _original(value: str | Iterable[str], links: Links) -> UID | list[UID]:
    if isinstance(value, str):
        return UID(links.uids.get(value, value))
    return [UID(links.uids.get(one, one)) for one in value]


def _read(content: bytes) -> Dataset:
    try:
        return pydicom.dcmread(io.BytesIO(content))
    except (InvalidDicomError, EOFError):
        raise NotDicomError("the result is no DICOM file") from None
