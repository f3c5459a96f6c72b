# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts the series of a study and of its relevant priors into the boxes of the hanging that fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from inference.contract import RegionName
from plugin.anatomy import UnreadableAnatomyError
from plugin.anatomy.priors import Prior, PriorSearch
from plugin.archive import NotFoundError
from plugin.configuration.hanging_table import Box, Hanging, HangingTable
from plugin.hanging.choice import Fitness, beside, fitness, fits, hanging_for
from plugin.hanging.likeness import Trait, likeness
from plugin.hanging.shown import Archive, Shown, things_of

_MOST_READ = 20
"""Of the priors that have the modality of a box so many are read, the latest first."""


@dataclass(frozen=True)
class FilledBox:
    """One box of a hung study.

    Attributes:
        shown: what it shows; None where nothing fits.
        days_before: between prior and current study; 0 for the current one.
        fitting: how many of the study fit, of which it is one.
        alike: of a prior, in what it is like the one of the current study that it is compared with.
    """

    box: Box
    row: int
    column: int
    shown: Shown | None
    days_before: int = 0
    fitting: int = 0
    alike: tuple[Trait, ...] = ()


@dataclass(frozen=True)
class HungStudy:
    """A study in the boxes of a hanging, row by row."""

    hanging: Hanging
    boxes: tuple[FilledBox, ...]


@dataclass(frozen=True)
class Hanger:
    """Hangs studies; writes nothing."""

    archive: Archive
    table: HangingTable

    def hang(self, study_id: str) -> HungStudy | None:
        """The study in its boxes; None where no hanging of the table fits.

        Raises:
            NotFoundError: the study is gone.
        """
        study = self.archive.study(study_id)
        things = things_of(self.archive, study)
        hanging = hanging_for(self.table, things)
        if hanging is None:
            return None
        priors = self._priors(study_id) if hanging.priors else []
        filling = _Filling(hanging, things, _Earlier(self.archive, priors))
        # Current ones first: priors are chosen to be like what hangs there.
        boxes = [filling.fill(box) for box in sorted(hanging.boxes, key=lambda box: box.prior)]
        return HungStudy(hanging, tuple(sorted(boxes, key=lambda one: (one.row, one.column))))

    def _priors(self, study_id: str) -> list[Prior]:
        """The priors that share a region with the study, the latest first."""
        try:
            found = PriorSearch(self.archive).relevant(self.archive.study(study_id))
        except UnreadableAnatomyError:
            return []  # written by another version: the boxes of priors stay empty
        return sorted(found, key=lambda one: one.days_before)


@dataclass(frozen=True)
class _Earlier:
    """Priors, the latest first; each is read when a box first asks for it."""

    archive: Archive
    priors: Sequence[Prior]
    read: dict[str, list[Shown]] = field(default_factory=dict)

    def fitting(self, hanging: Hanging, box: Box) -> Iterator[tuple[int, list[Shown]]]:
        """Days before, and what fits the box, of the priors that have anything that does."""
        modalities, _ = hanging.shown_by(box)
        near = (one for one in self.priors if not set(one.modalities).isdisjoint(modalities))
        for prior in islice(near, _MOST_READ):
            things = [one for one in self._things(prior.study) if fits(hanging, box, one)]
            if things:
                yield prior.days_before, things

    def _things(self, study_id: str) -> list[Shown]:
        if study_id not in self.read:
            try:
                study = self.archive.study(study_id)
                self.read[study_id] = things_of(self.archive, study)
            except NotFoundError:
                self.read[study_id] = []  # deleted meanwhile
        return self.read[study_id]


@dataclass(frozen=True)
class _Filling:
    """Fills one box after the other; nothing hangs twice."""

    hanging: Hanging
    current: Sequence[Shown]
    earlier: _Earlier
    used: set[tuple[str, str]] = field(default_factory=set)
    hung: dict[tuple[int, int], Shown] = field(default_factory=dict)

    def fill(self, box: Box) -> FilledBox:
        place = self.hanging.place(box)
        days, things = self._fitting(box)
        _, regions = self.hanging.shown_by(box)
        twin = beside(self.hanging, box)
        other = self.hung.get(self.hanging.place(twin)) if twin else None
        best = max(
            (one for one in things if (one.series, one.instance) not in self.used),
            key=lambda one: _worth(one, other, regions),
            default=None,
        )
        if best is None:
            return FilledBox(box, *place, None)
        self.used.add((best.series, best.instance))
        self.hung[place] = best
        alike = likeness(best, other).alike if other else ()
        return FilledBox(box, *place, best, days, len(things), alike)

    def _fitting(self, box: Box) -> tuple[int, list[Shown]]:
        """Priors are numbered box by box: the first is the latest that has what the box asks."""
        if not box.prior:
            return 0, [one for one in self.current if fits(self.hanging, box, one)]
        nth = islice(self.earlier.fitting(self.hanging, box), box.prior - 1, None)
        return next(nth, (0, []))


def _worth(
    one: Shown, other: Shown | None, regions: Sequence[RegionName]
) -> tuple[tuple[bool, bool, bool, float], Fitness]:
    """The highest hangs: of priors, among those made to be read, what is most like the other."""
    mine = one.details
    if other is None:
        return (mine.presented, False, False, 0.0), fitness(one, regions)
    kind = (mine.volume == other.details.volume, mine.modified == other.details.modified)
    return (mine.presented, *kind, likeness(one, other).score), fitness(one, regions)


def words(hanging: Hanging, box: Box) -> str:
    """What a box shows, as in 'CT chest axial, prior 1'."""
    modalities, regions = hanging.shown_by(box)
    parts = ["/".join(modalities), "/".join(regions), "/".join(box.views)]
    parts += [one for one in (box.laterality, box.orientation) if one != "any"]
    if box.contrast != "any":
        parts.append(f"{box.contrast} contrast")
    which = f"prior {box.prior}" if box.prior else "current"
    return " ".join(part for part in parts if part) + f", {which}"
