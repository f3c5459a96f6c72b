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

from pydicom.dataset import Dataset

from plugin.anatomy.lessons import CODES, TEXTS

MOST_NAMES = 24
"""Different names that are told; a study of more is as clear."""
_OF_THE_SERIES = ("SeriesDescription", "ProtocolName", "BodyPartExamined")
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
    return list(told)[:MOST_NAMES]


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
    header = deepcopy(original)
    for keyword in (*TEXTS, *CODES):
        if keyword not in _OF_THE_STUDY and keyword in header:
            del header[keyword]
    for keyword, value in zip(_OF_THE_SERIES, words, strict=True):
        if value:
            setattr(header, keyword, value)
    return header
