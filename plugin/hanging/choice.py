# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which of the things that can be shown a box shows."""

from __future__ import annotations

from collections.abc import Sequence

from inference.contract import RegionName
from plugin.anatomy.regions import share
from plugin.configuration.hanging_table import Box, Hanging, HangingTable
from plugin.hanging.shown import Shown


def hanging_for(table: HangingTable, things: Sequence[Shown]) -> Hanging | None:
    """The first hanging whose modality and region a study shows; None where none is.

    One that names a region which the study names goes before one whose region is only a part of
    the whole body that the study shows.
    """
    fitting = [one for one in table.hangings if any(_shows(thing, one) for thing in things)]
    named = (
        one
        for one in fitting
        if any(_shows(thing, one) and _names(thing, one.regions) for thing in things)
    )
    return next(named, next(iter(fitting), None))


def _shows(one: Shown, hanging: Hanging) -> bool:
    anatomy = one.facts.anatomy
    shown = share(anatomy.regions, hanging.regions)
    return anatomy.modality in hanging.modalities and bool(shown)


def _names(one: Shown, regions: Sequence[RegionName]) -> bool:
    return not set(regions).isdisjoint(one.facts.anatomy.regions)


def fits(hanging: Hanging, box: Box, one: Shown) -> bool:
    """Whether a box may show a thing: it is of the kind that is asked for, and no localizer."""
    anatomy, known = one.facts.anatomy, one.facts
    modalities, regions = hanging.shown_by(box)
    contrast = "with" if known.contrast else "without"
    return (
        anatomy.modality in modalities
        and bool(share(anatomy.regions, regions))
        and (not box.views or anatomy.view in box.views)
        and box.laterality in ("any", anatomy.laterality)
        and box.orientation in ("any", known.orientation)
        and box.contrast in ("any", contrast)
        and not known.localizer
    )


Fitness = tuple[bool, bool, bool, int, bool, int, str]


def fitness(one: Shown, regions: Sequence[RegionName]) -> Fitness:
    """How well a thing serves to be read in a box for these regions; the highest hangs.

    Made for presentation before raw values; a plain image before the tomosynthesis of its view,
    whatever the number of frames; the whole view before a magnification; original before derived;
    what names the region before a whole body; then the most slices, then the newest.
    """
    known = one.details
    return (
        known.presented,
        not known.volume,
        not known.modified,
        -known.hands,
        _names(one, regions),
        one.facts.slices or 0,
        known.taken,
    )


def beside(hanging: Hanging, box: Box) -> Box | None:
    """The box of the current study with which one of a prior is compared; None where there is none.

    Of several boxes that ask for the same, the first of the prior belongs to the first of the
    current study, and so on. Where no box asks for the same, contrast and regions may differ.
    """
    if not box.prior:
        return None
    for asked in (_asked, _asked_roughly):
        wanted = asked(hanging, box)
        alike = [one for one in hanging.boxes if asked(hanging, one) == wanted]
        current = [one for one in alike if not one.prior]
        number = [one for one in alike if one.prior == box.prior].index(box)
        if current:
            return current[min(number, len(current) - 1)]
    return None


def _asked(hanging: Hanging, box: Box) -> tuple[object, ...]:
    return (*hanging.shown_by(box), box.views, box.laterality, box.orientation, box.contrast)


def _asked_roughly(hanging: Hanging, box: Box) -> tuple[object, ...]:
    modalities, _ = hanging.shown_by(box)
    return modalities, box.views, box.laterality, box.orientation
