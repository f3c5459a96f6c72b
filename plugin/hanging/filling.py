# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts the series of a study and of its relevant priors into the boxes of the hanging that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plugin.anatomy import UnreadableAnatomyError
from plugin.anatomy.priors import Prior, PriorSearch
from plugin.archive import NotFoundError
from plugin.configuration.hanging_table import Box, Hanging, HangingTable
from plugin.hanging.shown import Archive, Shown, things_of


@dataclass(frozen=True)
class FilledBox:
    """One box of a hung study.

    Attributes:
        shown: what it shows; None where nothing fits.
        days_before: between prior and current study; 0 for the current one.
    """

    box: Box
    row: int
    column: int
    shown: Shown | None
    days_before: int = 0


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
        hanging = next((one for one in self.table.hangings if _fits_study(one, things)), None)
        if hanging is None:
            return None
        priors = self._priors(study_id, hanging)
        by_age = [things, *([] if not priors else [self._things(one.study) for one in priors])]
        days = [0, *(one.days_before for one in priors)]
        return HungStudy(hanging, tuple(_filled(hanging, by_age, days)))

    def _priors(self, study_id: str, hanging: Hanging) -> list[Prior]:
        """The latest priors that share a region of the hanging."""
        if not hanging.priors:
            return []
        try:
            found = PriorSearch(self.archive).relevant(self.archive.study(study_id))
        except UnreadableAnatomyError:
            return []  # written by another version: the boxes of priors stay empty
        wanted = [
            one
            for one in found
            if set(one.regions) & set(hanging.regions)
            and set(one.modalities) & set(hanging.modalities)
        ]
        return sorted(wanted, key=lambda one: one.days_before)[: hanging.priors]

    def _things(self, study_id: str) -> list[Shown]:
        try:
            return things_of(self.archive, self.archive.study(study_id))
        except NotFoundError:
            return []  # deleted meanwhile


def _fits_study(hanging: Hanging, things: Sequence[Shown]) -> bool:
    return any(
        one.facts.anatomy.modality in hanging.modalities
        and set(one.facts.anatomy.regions) & set(hanging.regions)
        for one in things
    )


def _filled(
    hanging: Hanging, by_age: Sequence[Sequence[Shown]], days: Sequence[int]
) -> list[FilledBox]:
    used: set[tuple[str, str]] = set()
    filled = []
    for box in hanging.boxes:
        things = by_age[box.prior] if box.prior < len(by_age) else ()
        free = [one for one in things if (one.series, one.instance) not in used]
        best = max((one for one in free if fits(hanging, box, one)), key=fitness, default=None)
        if best is not None:
            used.add((best.series, best.instance))
        before = days[box.prior] if box.prior < len(days) else 0
        filled.append(FilledBox(box, *hanging.place(box), best, before))
    return sorted(filled, key=lambda one: (one.row, one.column))


def fits(hanging: Hanging, box: Box, one: Shown) -> bool:
    """Whether a box may show a thing: it is of the kind that is asked for, and no localizer."""
    anatomy, known = one.facts.anatomy, one.facts
    modalities, regions = hanging.shown_by(box)
    contrast = "with" if known.contrast else "without"
    return (
        anatomy.modality in modalities
        and bool(set(anatomy.regions) & set(regions))
        and (not box.views or anatomy.view in box.views)
        and box.laterality in ("any", anatomy.laterality)
        and box.orientation in ("any", known.orientation)
        and box.contrast in ("any", contrast)
        and not known.localizer
    )


def fitness(one: Shown) -> tuple[bool, bool, bool, int, int, str]:
    """How well a thing serves to be read; of several that fit a box the highest hangs.

    Made for presentation before raw values; a plain image before the tomosynthesis of its view,
    whatever the number of frames; the whole view before a magnification; original before derived;
    then the most slices, then the newest.
    """
    known = one.details
    return (
        known.presented,
        not known.volume,
        not known.modified,
        -known.hands,
        one.facts.slices or 0,
        known.taken,
    )


def words(hanging: Hanging, box: Box) -> str:
    """What a box shows, as in 'CT chest axial, prior 1'."""
    modalities, regions = hanging.shown_by(box)
    parts = ["/".join(modalities), "/".join(regions), "/".join(box.views)]
    parts += [one for one in (box.laterality, box.orientation) if one != "any"]
    if box.contrast != "any":
        parts.append(f"{box.contrast} contrast")
    which = f"prior {box.prior}" if box.prior else "current"
    return " ".join(part for part in parts if part) + f", {which}"
