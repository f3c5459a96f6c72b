# SPDX-License-Identifier: Apache-2.0
"""What a family is shown in one epoch: headers as other sites might send them, and their sets."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from inference.anatomy.evidence import evidence
from inference.anatomy.header import Header
from inference.anatomy.learned.region_sets import region_sets, set_index
from inference.anatomy.learned.slots import Slots, slots_of
from inference.anatomy.learned.study import InStudy
from inference.anatomy.recognizer import TagRecognizer
from inference.anatomy.regions import NOWHERE, REGIONS, Regions
from inference.anatomy.training.augmentation import VARIED, Habits, composed, customary, taught
from inference.anatomy.training.corpus import Example

Seen = TypeVar("Seen", Slots, InStudy)
_SURE_ENOUGH = 0.8
_MODALITIES = {"CT": 5, "MR": 4, "CR": 1, "DX": 1, "US": 1}
_RADIOGRAPHS = ("CR", "DX")
_COMPOSED_SETS = 0.35
_SURE_PROTOCOL = 0.9
_READ_WEIGHS = 0.5
"""What the lexicon alone reads in a site's row counts no more than a tag model's label does."""
_UNREAD = 0.4
_EVENED = 0.7
_CUSTOMARY = 0.25


class Shown(NamedTuple, Generic[Seen]):
    """A header, by itself or in its study, and the set that it is taught to show."""

    slots: Seen
    target: int


class Lesson(NamedTuple):
    """An example with its label, and how often it is shown compared with others."""

    example: Example
    target: int
    weight: float


def lessons(rows: Sequence[Example]) -> list[Lesson]:
    """Label the examples: by protocol or by the site, else by the lexicon where that is sure.

    A collection counts by the root of its size, so that the largest does not drown the others. In a
    site's table what the lexicon alone says counts half: the row may have no label because its tags
    contradict each other.
    """
    reader = TagRecognizer()
    sizes = Counter(row.group for row in rows)
    found = []
    for row in rows:
        right, weight = _label(row, reader)
        target = set_index().get(right)
        if target is not None:
            found.append(Lesson(row, target, weight / math.sqrt(sizes[row.group])))
    return _evened(found)


def _evened(found: Sequence[Lesson]) -> list[Lesson]:
    """Draw the regions nearer to each other: which anatomies collections publish is chance.

    What is rarer than the mean is drawn as rarely as it is: a quarter of all CR would show head and
    arm otherwise, because one table has three of them.
    """
    mass: dict[int, float] = defaultdict(float)
    for one in found:
        mass[one.target] += one.weight
    mean = sum(mass.values()) / max(1, len(mass))
    return [
        one._replace(weight=one.weight / max(mass[one.target], mean) ** _EVENED) for one in found
    ]


def _label(row: Example, reader: TagRecognizer) -> tuple[Regions, float]:
    """What a row is taught to show, and its weight; nowhere where nobody knows."""
    answer = reader.recognize(row.header)
    read = frozenset(answer.regions)
    if not row.right:
        credit = 1.0 if row.public else _READ_WEIGHS * answer.confidence
        return read if answer.confidence >= _SURE_ENOUGH else NOWHERE, row.weight * credit
    if read in row.right:
        return read, row.weight
    right = min(row.right, key=len)
    # A protocol says what a collection is for; a composite that contains it, outright named, is
    # what this series shows. What a site or a reviewer says is of this series, and stands.
    composite = row.public and len(row.right) == 1 and right < read
    return read if composite and answer.confidence >= _SURE_PROTOCOL else right, row.weight


def epoch(
    taken: Sequence[Lesson],
    size: int,
    composed_share: float,
    rng: random.Random,
    habits: Habits = VARIED,
) -> list[Shown[Slots]]:
    """Draw ``size`` headers, a share of them composed of lexicon phrases, the rest altered."""
    shown = []
    drawn = rng.choices(taken, weights=[one.weight for one in taken], k=size)
    for one in drawn:
        if rng.random() < composed_share:
            shown.append(_composed(rng, habits))
        else:
            values = taught(one.example.values, rng, habits)
            shown.append(Shown(seen(values, rng, habits), one.target))
    return shown


def seen(values: Mapping[str, str], rng: random.Random, habits: Habits) -> Slots:
    """Slots of a header; now and then without the lexicon's reading, to learn words too."""
    header = Header.of(values)
    found = () if rng.random() < _UNREAD else evidence(header)
    return slots_of(header, found, acquisition=habits.acquisition)


def _composed(rng: random.Random, habits: Habits) -> Shown[Slots]:
    single = rng.random() > _COMPOSED_SETS
    sets = [one for one in region_sets() if (len(one) == 1) == single]
    regions = rng.choice(sets)
    (modality,) = rng.choices(list(_MODALITIES), weights=list(_MODALITIES.values()))
    if not single and modality in _RADIOGRAPHS:
        modality = "CT"
    if rng.random() < _CUSTOMARY:
        modality, regions, values = customary(rng, habits)
    else:
        values = composed(regions, modality, rng, habits)
    values = taught(values, rng, habits)
    if len(regions) == 1 and rng.random() < 0.3:
        values["BodyPartExamined"] = next(r for r in REGIONS if r in regions).upper()
    return Shown(seen(values, rng, habits), set_index()[regions])
