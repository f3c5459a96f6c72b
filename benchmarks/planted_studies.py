# SPDX-License-Identifier: Apache-2.0
"""Phantom CT studies with real headers, in some of which the tags were made wrong or were lost.

A header is one of a public collection that nothing was trained on; the slices are those of a
phantom, which shows just what the header is known to show. So tags err as tags do, and pixels as
the pixel model does on phantoms: ``plain`` ones as it learned from, ``altered`` ones noisier,
scaled, shifted and cut off by the field of view.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from scipy.ndimage import affine_transform

from benchmarks.anatomy_headers import MIXED, PROTOCOL, Labelled, read
from inference.anatomy.pixels.regressor import Floats, shipped_regressor
from inference.anatomy.regions import in_order
from inference.anatomy.training.augmentation import composed
from inference.contract import PixelAnatomyAnswer, RegionName
from inference.phantoms.body import SEGMENTS, SIZE, BodyVolume, body_volume

Regions = frozenset[RegionName]
Kind = Literal[
    "intact", "wrong protocol", "contradiction", "wrong body part alone", "own body part alone",
    "no words",
]  # fmt: skip

PLANTED: Final[tuple[Kind, ...]] = (
    "wrong protocol", "contradiction", "wrong body part alone", "own body part alone", "no words",
)  # fmt: skip
"""Each as often as another. An own body part is right where a scan shows one region."""
FITTED, MEASURED = 3, 11
"""Seeds of the studies that the credits of the shipped rules were chosen on, and of all others."""
_BODIES = 2_000
SHARE_PLANTED = 0.4
SHARE_WITH_PRIOR, SHARE_WITH_ORDER = 0.5, 0.4
PRIOR_IS_THE_SAME, ORDER_IS_RIGHT = 0.8, 0.95
"""Planted, not measured; see ``benchmarks.earlier_studies`` for the first."""
_WORDS = (
    "StudyDescription", "SeriesDescription", "BodyPartExamined", "ProtocolName",
)  # fmt: skip
_BODY_PARTS = {
    "head": "HEAD", "neck": "NECK", "chest": "CHEST", "abdomen": "ABDOMEN", "pelvis": "PELVIS",
    "lower limb": "LEG",
}  # fmt: skip
_ORDER = tuple(name for name, _ in SEGMENTS)


@dataclass(frozen=True)
class PlantedStudy:
    """One study: what it shows, what its tags, pixels, order and the patient's last study say.

    ``altered`` is what the pixel model says of the same body on another scanner.
    """

    shows: Regions
    kind: Kind
    tags: dict[str, str]
    pixels: PixelAnatomyAnswer
    altered: PixelAnatomyAnswer
    ordered: dict[str, str] | None
    earlier: Regions | None


def planted_studies(count: int, seed: int = MEASURED) -> list[PlantedStudy]:
    """Studies of all regions that a phantom shows, each set of regions as often as another.

    :param seed: draws headers, errors and bodies; no body of one seed is one of another's.
    """
    rng = random.Random(seed)  # noqa: S311 - reproducible
    pools = _pools()
    sets = sorted(pools, key=sorted)
    studies = []
    for number in range(count):
        shows = sets[number % len(sets)]
        own = rng.choice(pools[shows]).tags
        wrong = rng.choice([one for one in sets if not one & shows])
        kind: Kind = rng.choice(PLANTED) if rng.random() < SHARE_PLANTED else "intact"
        other = rng.choice(pools[wrong]).tags
        studies.append(
            PlantedStudy(
                shows,
                kind,
                _tags(kind, (own, shows), (other, wrong)),
                *_seen(_BODIES * seed + number, shows),
                _ordered(shows, wrong, rng),
                _earlier(shows, sets, rng),
            )
        )
    return studies


def _seen(body: int, shows: Regions) -> tuple[PixelAnatomyAnswer, PixelAnatomyAnswer]:
    """What the pixel model says of a phantom that shows these regions, plain and altered."""
    rng = np.random.default_rng(body)
    slices = _stretch(body_volume(body), shows, rng)
    return _said(slices), _said(altered(slices, rng))


def _said(slices: Floats) -> PixelAnatomyAnswer:
    answer = shipped_regressor().recognize(slices)
    return PixelAnatomyAnswer(
        regions=in_order(answer.regions),
        confidence=round(answer.confidence, 4),
        slices=len(slices),
    )


def altered(slices: Floats, rng: np.random.Generator) -> Floats:
    """The same body on another scanner: scaled, shifted, noisy, outside the field of view cut."""
    size, noise = rng.uniform(0.75, 1.25), rng.uniform(20.0, 150.0)
    middle = np.full(2, SIZE / 2 - 0.5)
    offset = middle - (middle + rng.normal(0.0, 3.0, 2)) / size
    field = rng.uniform(0.55, 1.0) * SIZE / 2
    rows, columns = np.ogrid[:SIZE, :SIZE]
    outside = np.hypot(rows - middle[0], columns - middle[1]) > field
    changed = np.stack(
        [affine_transform(one, np.eye(2) / size, offset, order=1, cval=-1000.0) for one in slices]
    )
    changed += rng.normal(rng.normal(0.0, 30.0), noise, changed.shape)
    changed[:, outside] = -1000.0
    return changed.astype(np.float32)


def _pools() -> dict[Regions, list[Labelled]]:
    """Headers of CT by what they show, where a stretch of a phantom shows just that."""
    pools: dict[Regions, list[Labelled]] = {}
    for row in (*read(MIXED), *read(PROTOCOL)):
        shows: Any = min(row.right, key=sorted)
        if row.tags.get("Modality") == "CT" and len(row.right) == 1 and _is_stretch(shows):
            pools.setdefault(shows, []).append(row)
    return {shows: rows for shows, rows in pools.items() if len(rows) >= 2}


def _is_stretch(shows: Regions) -> bool:
    at = sorted(_ORDER.index(region) for region in shows if region in _ORDER)
    return len(at) == len(shows) and at == list(range(at[0], at[0] + len(at)))


def _stretch(volume: BodyVolume, shows: Regions, rng: np.random.Generator) -> Floats:
    """Slices of these regions, begun and ended a little early or late."""
    inside = np.array([region in shows for region in volume.regions])
    first, last = (float(volume.heights[inside][at]) for at in (0, -1))
    slack = rng.uniform(-0.08, 0.12, 2) * (last - first)
    kept = (volume.heights >= first + slack[0]) & (volume.heights <= last - slack[1])
    return volume.slices[kept]


def _tags(
    kind: Kind, right: tuple[dict[str, str], Regions], another: tuple[dict[str, str], Regions]
) -> dict[str, str]:
    (own, shows), (other, wrong) = right, another
    bare = {key: value for key, value in own.items() if key not in _WORDS}
    said = {key: value for key, value in other.items() if key in _WORDS}
    if kind == "intact":
        return own
    if kind == "wrong protocol":
        return bare | said
    if kind == "contradiction":
        kept = {key: value for key, value in own.items() if key != "SeriesDescription"}
        return kept | {
            key: value
            for key, value in said.items()
            if key in ("SeriesDescription", "ProtocolName")
        }
    if kind == "wrong body part alone":
        return bare | {"BodyPartExamined": _BODY_PARTS[min(wrong, key=_ORDER.index)]}
    if kind == "own body part alone":
        return bare | {"BodyPartExamined": _BODY_PARTS[min(shows, key=_ORDER.index)]}
    return bare


def _ordered(shows: Regions, wrong: Regions, rng: random.Random) -> dict[str, str] | None:
    if rng.random() >= SHARE_WITH_ORDER:
        return None
    named = shows if rng.random() < ORDER_IS_RIGHT else wrong
    words = composed(named, "CT", rng)
    return {"Modality": "CT", "StudyDescription": words.get("StudyDescription", "")}


def _earlier(shows: Regions, sets: Sequence[Regions], rng: random.Random) -> Regions | None:
    if rng.random() >= SHARE_WITH_PRIOR:
        return None
    if rng.random() < PRIOR_IS_THE_SAME:
        return shows
    return rng.choice([one for one in sets if one != shows])
