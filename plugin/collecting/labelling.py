# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who says what a series shows, and how much that word weighs in training."""

from __future__ import annotations

from typing import NamedTuple

from inference.contract import AnatomyAnswer, PixelAnatomyAnswer, RegionName
from inference.header_source import LabelSource

PIXEL_CREDIT = 0.5
"""As in the shipped rules: the pixel model has learned from phantoms alone."""
PIXELS_SURE_FROM = 0.75
TAGS_WEIGH = 0.5
"""A model's own answer is repetition, not news."""


class Label(NamedTuple):
    """Regions of a row, who gave them, and their weight, 0 to 1; no source: nobody knows.

    ``model`` is the name and version of the model that gave them, where one did.
    """

    regions: tuple[RegionName, ...] = ()
    source: LabelSource | None = None
    weight: float = 0.0
    model: str = ""


def in_doubt(answer: AnatomyAnswer, below: float) -> bool:
    """Whether the tags say nothing, say it without confidence, or contradict each other."""
    if not answer.regions or answer.confidence < below:
        return True
    said = [set(vote.regions) for vote in answer.votes if vote.regions]
    return any(one.isdisjoint(other) for one in said for other in said)


def label_of(
    tags: AnatomyAnswer,
    pixels: PixelAnatomyAnswer | None,
    reviewed: tuple[RegionName, ...] | None,
    doubtful: bool,
) -> Label:
    """The label of a series: a reviewer's, else that of tags without doubt, else the pixels'.

    Args:
        tags: what the metadata model in service makes of the header.
        pixels: what the pixel model says, if it was asked.
        reviewed: what a reviewer said, if one did.
        doubtful: whether the tags are in doubt.
    """
    if reviewed:
        return Label(reviewed, "reviewer", 1.0)
    if not doubtful:
        weight = round(TAGS_WEIGH * tags.confidence, 3)
        return Label(tags.regions, "tags", weight, tags.model)
    if pixels is not None and pixels.regions and pixels.confidence >= PIXELS_SURE_FROM:
        weight = round(PIXEL_CREDIT * pixels.confidence, 3)
        return Label(pixels.regions, "pixels", weight, pixels.model)
    return Label()
