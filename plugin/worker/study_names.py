# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the other series of a study are called, as headers of their own.

Names and Body Part Examined are what Orthanc keeps of every series in its database; no file is
read. Each becomes a copy of the scan's header with these words in place of its own, which goes the
way of every header: it is de-identified before anybody reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from plugin.anatomy.lessons import CODES, TEXTS

MOST_NAMES = 24
"""Different names that are told; a study of more is as clear."""
_CODE_STRING = "BodyPartExamined"
_OF_THE_SERIES = ("SeriesDescription", "ProtocolName", _CODE_STRING)
_BYTES = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_LONGEST = 1024
"""Characters of a value that goes along: what is needed to find a person in a few words."""
_OF_THE_STUDY = frozenset(
    (
        "SOPClassUID",
        "Modality",
        "StudyDescription",
        "RequestedProcedureDescription",
        "ProcedureCodeSequence",
        "RequestedProcedureCodeSequence",
    )
)
_OF_THIS_SERIES = frozenset((*TEXTS, *CODES)) - _OF_THE_STUDY


def names_of_others(
    study: Iterable[Mapping[str, Any]], series: str, modality: str
) -> list[tuple[str, ...]]:
    """What the other series of a modality are called, each different name once.

    Args:
        study: Orthanc's JSON of the series of the study.
        series: Orthanc identifier of the one that asks.
        modality: of that series.
    """
    told: dict[tuple[str, ...], None] = {}
    for one in study:
        tags = one.get("MainDicomTags", {})
        words = tuple(str(tags.get(name, "")).strip() for name in _OF_THE_SERIES)
        if one.get("ID") != series and tags.get("Modality") == modality and any(words):
            told.setdefault(words)
    # Those with a Body Part Examined say most.
    return sorted(told, key=lambda words: not words[-1])[:MOST_NAMES]


def headers_of_others(
    original: Dataset, study: Iterable[Mapping[str, Any]], series: str
) -> Iterator[Dataset]:
    """Headers of the other series of the same modality, one for each that is called otherwise.

    Args:
        original: the scan's header, with identity.
        study: Orthanc's JSON of the series of its study.
        series: Orthanc identifier of the scan's own.
    """
    for words in names_of_others(study, series, str(original.get("Modality", ""))):
        yield _called(original, words)


def _called(original: Dataset, words: Iterable[str]) -> Dataset:
    """A small copy, in Unicode as Orthanc's words are, whose identity is found in the words."""
    header = Dataset()
    header.file_meta = original.file_meta
    for element in _readable(original):
        if _goes_along(element):
            header.add_new(element.tag, element.VR, _in_unicode(element))
    header.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in zip(_OF_THE_SERIES, words, strict=True):
        # Code strings are ASCII (PS3.5 6.2); some devices write others.
        if value and (keyword != _CODE_STRING or value.isascii()):
            setattr(header, keyword, value)
    return header


def _readable(header: Dataset) -> Iterator[DataElement]:
    for tag in list(header.keys()):
        try:
            yield header[tag]
        except Exception:  # noqa: BLE001, S112
            # Whatever a broken value provokes in pydicom: the copy does without this one.
            continue


def _goes_along(element: DataElement) -> bool:
    if element.keyword in _OF_THE_STUDY:
        return True
    if element.keyword in _OF_THIS_SERIES or element.tag.is_private or element.VR == "SQ":
        return False
    return element.VR not in _BYTES and len(str(element.value)) <= _LONGEST


def _in_unicode(element: DataElement) -> Any:
    if element.VR != "PN" or not element.value:
        return deepcopy(element.value)
    return [str(name) for name in element.value] if element.VM > 1 else str(element.value)
