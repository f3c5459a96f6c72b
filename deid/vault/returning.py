# SPDX-License-Identifier: Apache-2.0
"""Brings a result, made from a de-identified study, back into the original one."""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID

from deid.errors import UnknownLinkError, UnreadableSourceError
from deid.reading import read
from deid.vault.links import Links

# Marks of PS3.15 annex E that are untrue once the patient is named again.
_MARKS = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
_UTF_8 = "ISO_IR 192"
# PS3.5 section 9.1; what is none must not become the name of a file.
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+", re.ASCII)
_LONGEST_UID = 64
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises where a value or a length is not what it should be."""


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
    DeidentificationError
        If it can't be read to its end.
    """
    with _damage():
        return str(_read(content).get("StudyInstanceUID", ""))


def referenced(content: bytes) -> frozenset[str]:
    """All UIDs in a result, at any depth.

    Raises
    ------
    DeidentificationError
        As ``study_of``.
    """
    with _damage():
        return frozenset(_uids(_read(content)))


def returned(content: bytes, links: Links) -> Returned:
    """The result as an object of the original patient and study.

    Patient's and study's attributes become the original ones, references to the study's instances
    point to the originals at any depth, the marks of de-identification go. Its own UIDs, its pixels
    and its other dates stay as the result has them.

    Raises
    ------
    UnknownLinkError
        If it belongs to another study, or is no result but one of the de-identified images.
    DeidentificationError
        If it is no DICOM file, or can't be read to its end.
    """
    with _damage():
        dataset = _read(content)
        instance = str(dataset.get("SOPInstanceUID", ""))
        if dataset.get("StudyInstanceUID") != links.study:
            raise UnknownLinkError("the result belongs to another study than the link")
        if instance in links.uids:
            raise UnknownLinkError(
                "a de-identified image, not a result: the archive has its original"
            )
        if len(instance) > _LONGEST_UID or not _UID.fullmatch(instance):
            raise UnreadableSourceError("the result has no SOP Instance UID that is one")
        return Returned(instance, _original_file(dataset, links))


def _original_file(dataset: Dataset, links: Links) -> bytes:
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
    return buffer.getvalue()


def _point_to_originals(dataset: Dataset, links: Links) -> None:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _point_to_originals(item, links)
        elif element.VR == "UI" and element.value:
            element.value = _original(element.value, links)
        elif element.VR == "UN" and (uid := _uid_in(element.value)) in links.uids:
            # Private, and the file says of no element what it is (PS3.5 annex A.1).
            original = links.uids[uid].encode("ascii")
            element.value = original + bytes(len(original) % 2)


def _original(value: str | Iterable[str], links: Links) -> UID | list[UID]:
    if isinstance(value, str):
        return UID(links.uids.get(value, value))
    return [UID(links.uids.get(one, one)) for one in value]


def _uids(dataset: Dataset) -> Iterator[str]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _uids(item)
        elif element.VR == "UI" and element.value:
            yield from [element.value] if isinstance(element.value, str) else element.value
        elif element.VR == "UN":
            yield _uid_in(element.value)


def _uid_in(value: object) -> str:
    """The UID that the bytes of an element are, ``""`` where they are none."""
    if not isinstance(value, bytes) or len(value) > _LONGEST_UID:
        return ""
    text = value.rstrip(b" \0").decode("latin-1")
    return text if _UID.fullmatch(text) else ""


def _read(content: bytes) -> Dataset:
    # Ours first: it refuses what is no DICOM file, and what ends before its last element does.
    read(content)
    return pydicom.dcmread(io.BytesIO(content))


@contextmanager
def _damage() -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # They quote values.
            warnings.simplefilter("ignore")
            yield
    except _DAMAGE:
        raise UnreadableSourceError("the result is damaged: a value can't be read") from None
