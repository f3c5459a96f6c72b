# SPDX-License-Identifier: Apache-2.0
"""The sets of regions that scans show, among which the learned families choose.

A composite examination is a set. Choosing one of these sets, not ten times yes or no, keeps answers
to what exists (chest and lower limb without what lies between is no scan) and makes the probability
of the answer that of the whole set.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from inference.anatomy.regions import NOWHERE, REGIONS, Regions, parse_letters

# Letters of data/regions.csv. Single regions, then neighbours along the body, then with the spine,
# then what is combined with breast and limbs.
_LETTERS = (
    "W H N S C B A P U L "
    "HN NC CA AP CAP NCA NCAP HNC HNCA HNCAP "
    "HS NS HNS SN CS AS PS APS CAPS CAS CP "
    "CB BA CU NU HU PL APL UL CAPL"
)
_AT = {region: at for at, region in enumerate(REGIONS)}


@cache
def region_sets() -> tuple[Regions, ...]:
    """All sets, each once; their order is that of the outputs of a family."""
    return tuple(dict.fromkeys(parse_letters(letters) for letters in _LETTERS.split()))


@cache
def set_index() -> dict[Regions, int]:
    """Place of each set in :func:`region_sets`."""
    return {regions: at for at, regions in enumerate(region_sets())}


def membership(sets: Sequence[Regions]) -> npt.NDArray[np.float32]:
    """Which regions a set has: ``(len(sets), 10)``, one or zero."""
    table = np.zeros((len(sets), len(REGIONS)), np.float32)
    for row, regions in enumerate(sets):
        for region in regions:
            table[row, _AT[region]] = 1.0
    return table


def nearest_set(regions: Regions) -> int | None:
    """Place of the set, or of the most alike one (Jaccard) if it is none of them."""
    if regions == NOWHERE:
        return None
    found = set_index().get(regions)
    if found is not None:
        return found
    sets = region_sets()
    alike = [len(regions & one) / len(regions | one) for one in sets]
    return int(np.argmax(alike))
