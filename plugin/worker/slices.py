# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which instances of a series are shown to the pixel model: a few, spread over the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

MOST = 24
"""A slice every two centimetres of a trunk: enough to tell regions, a tenth of what is stored."""


class SeriesShelf(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def children(self, level: Literal["series"], identifier: str, /) -> list[Any]:
        """Orthanc's JSON of all instances of a series."""


def along(shelf: SeriesShelf, series: str) -> list[str]:
    """Orthanc identifiers of the instances of a series, by Instance Number (0020,0013)."""
    found = sorted(shelf.children("series", series), key=_place)
    return [str(one["ID"]) for one in found]


def spread(instances: Sequence[str], most: int) -> list[str]:
    """At most so many, at even distances, the first and the last among them."""
    if len(instances) <= most:
        return list(instances)
    step = (len(instances) - 1) / (most - 1)
    return [instances[round(number * step)] for number in range(most)]


def _place(instance: dict[str, Any]) -> tuple[int, str]:
    number = str(instance.get("MainDicomTags", {}).get("InstanceNumber", "")).strip()
    try:
        return int(number), str(instance["ID"])
    except ValueError:
        return 0, str(instance["ID"])
