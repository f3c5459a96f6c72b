# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the other series of a study show, where a series says too little itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from inference.contract import AnatomyAnswer, RegionName
from plugin.anatomy.agreement import Agreement
from plugin.anatomy.book import SeriesAnatomy, read_both
from plugin.anatomy.regions import in_table_order
from plugin.states import Metadata

SURE_FROM = 0.8
"""Confidence of a series that is heard."""
AGREED_BY = 0.6
"""Share of the series heard that have to show the same."""
_NAMES = (Metadata.ANATOMY, Metadata.ANATOMY_OVERRIDES)


class StudyShelf(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def metadata_of(
        self, resources: Sequence[str], level: Any, names: Sequence[Metadata], /
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """Metadata values of the series of a study, in one question."""


def series_of_study(
    shelf: StudyShelf, study: str
) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
    """Orthanc's JSON of the series of a study, each with what is known of its anatomy.

    Args:
        study: Orthanc identifier.
    """
    return shelf.metadata_of([study], "series", _NAMES)


def sibling_regions(
    study: Iterable[tuple[Mapping[str, Any], Mapping[Metadata, str]]], series: str, modality: str
) -> tuple[RegionName, ...]:
    """Regions that most other series of a study and modality show; empty where they can't tell.

    Series that leant on their siblings themselves are not heard: nobody confirms himself.

    Args:
        study: as of ``series_of_study``.
        series: Orthanc identifier of the series that asks.
        modality: of that series; a study of several modalities often shows several regions.
    """
    found = [(str(one.get("ID")), known) for one, held in study if (known := read_both(held))]
    return regions_among(found, series, modality)


def regions_among(
    study: Sequence[tuple[str, SeriesAnatomy]], series: str, modality: str
) -> tuple[RegionName, ...]:
    """The same, of what is known of the series of a study, each with its Orthanc identifier."""
    heard = [
        frozenset(one.effective.regions)
        for identifier, one in study
        if identifier != series and _is_heard(one, modality)
    ]
    if not heard:
        return ()
    named, times = Counter(heard).most_common(1)[0]
    return in_table_order(list(named)) if times >= AGREED_BY * len(heard) else ()


def _is_heard(one: SeriesAnatomy, modality: str) -> bool:
    answer, agreement = one.effective, one.recognized.agreement
    leant = one.log.in_force is None and agreement is not None and _leant(answer, agreement)
    return (
        answer.modality == modality
        and bool(answer.regions)
        and answer.confidence >= SURE_FROM
        and not leant
    )


def _leant(answer: AnatomyAnswer, agreement: Agreement) -> bool:
    """Whether nothing but its siblings and their names speaks for the answer of a series."""
    if agreement.preferred == "siblings":
        return True
    pixels = agreement.witness("pixels")
    confirmed = pixels is not None and pixels.shown == frozenset(answer.regions)
    return agreement.names_heard > 0 and not confirmed
