# SPDX-License-Identifier: AGPL-3.0-or-later
"""Images of one series that are not alike: a scout before its slices, reformats behind them.

Orthanc has the orientation of every image in its database, and Image Type in the files only. A
scout lies otherwise than the slices that are planned on it, so images are parted by orientation,
and the header of one image of each part is read, the middle one by Instance Number: at most five of
a series, however many it has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from inference.contract import AnatomyAnswer
from plugin.configuration.application_table import CategoryRule
from plugin.routing.facts import SeriesFacts, facts, orientation_of

_LAST = 1 << 31
"""Above every Integer String (PS3.5 6.2)."""


class Archive(Protocol):
    """What is needed of Orthanc."""

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword, without pixel data."""


@dataclass(frozen=True)
class Alike:
    """Images of one series that lie alike, with what is known of them."""

    instances: tuple[str, ...]
    facts: SeriesFacts


def parted(
    archive: Archive, anatomy: AnatomyAnswer, images: Sequence[Mapping[str, Any]]
) -> tuple[Alike, ...]:
    """The images of a series by orientation, the most first; the order of arrival plays no part.

    Args:
        archive: Orthanc.
        anatomy: what counts as the anatomy of the series.
        images: Orthanc's JSON of each.

    Raises:
        NotFoundError: one was deleted meanwhile.
    """
    by_plane: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for image in images:
        by_plane[orientation_of(_tag(image, "ImageOrientationPatient"))].append(image)
    found = []
    for alike in by_plane.values():
        # Not the first: a scout comes before its slices, and may lie as they do.
        middle = sorted(alike, key=_place)[len(alike) // 2]
        tags = archive.simplified_tags(str(middle["ID"]))
        names = tuple(str(one["ID"]) for one in alike)
        found.append(Alike(names, facts(anatomy, tags, len(names))))
    return tuple(sorted(found, key=lambda one: (-len(one.instances), one.facts.orientation)))


def asked_for(parts: Sequence[Alike], rule: CategoryRule) -> tuple[SeriesFacts, frozenset[str]]:
    """What a category takes of a series: facts and Orthanc identifiers of these images.

    Localizers and derived images that it leaves out don't count, nor do those of no patient; where
    nothing else is there all are given, and the facts say why they don't fit.
    """
    kept = [one for one in parts if not _is_left_out(one.facts, rule)] or parts
    whole = replace(
        kept[0].facts,
        slices=sum(one.facts.slices or 0 for one in kept),
        contrast=any(one.facts.contrast for one in kept),
    )
    return whole, frozenset(_all(one.instances for one in kept))


def _is_left_out(known: SeriesFacts, rule: CategoryRule) -> bool:
    left_out = (known.localizer and rule.localizers == "exclude") or (
        known.derived and rule.derived == "exclude"
    )
    return left_out or bool(known.no_patient)


def _all(many: Iterable[Iterable[str]]) -> Iterable[str]:
    return (one for each in many for one in each)


def _place(image: Mapping[str, Any]) -> tuple[int, str]:
    """Instance Number (IS), then identifier; images without a number come last."""
    try:
        return int(_tag(image, "InstanceNumber")), str(image["ID"])
    except ValueError:
        return _LAST, str(image["ID"])


def _tag(image: Mapping[str, Any], name: str) -> str:
    return str(image.get("MainDicomTags", {}).get(name, ""))
