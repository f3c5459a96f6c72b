# SPDX-License-Identifier: AGPL-3.0-or-later
"""Series numbers of the applications of one installation.

Every application has a block of numbers of its own, so that the results of two models on one study
can be told apart in any viewer's list. A block follows from the application's name: adding another
model moves it only where both names fall on the same one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import pairwise

from plugin.results.objects import SERIES_NUMBERS_PER_APPLICATION

BLOCKS = 90


def first_series_numbers(
    applications: Iterable[str], base: int, fixed: Mapping[str, int] | None = None
) -> dict[str, int]:
    """SeriesNumber of the first kind of each application.

    Args:
        applications: names of all models that are served.
        base: first number of the reserved range of ``BLOCKS`` blocks.
        fixed: numbers that the configuration gives to some.

    Raises:
        ValueError: two fixed blocks overlap, or there are more applications than blocks.
    """
    given = dict(fixed or {})
    ordered = sorted(given.values())
    for one, other in pairwise(ordered):
        if other - one < SERIES_NUMBERS_PER_APPLICATION:
            raise ValueError(
                f"series numbers {one} and {other} are less than "
                f"{SERIES_NUMBERS_PER_APPLICATION} apart: two applications would share numbers"
            )
    for name in sorted(set(applications) - given.keys()):
        given[name] = _free(name, base, list(given.values()))
    return given


def _free(name: str, base: int, taken: list[int]) -> int:
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    for step in range(BLOCKS):
        number = base + (start + step) % BLOCKS * SERIES_NUMBERS_PER_APPLICATION
        if all(abs(number - other) >= SERIES_NUMBERS_PER_APPLICATION for other in taken):
            return number
    raise ValueError(f"there are more than {BLOCKS} applications")
