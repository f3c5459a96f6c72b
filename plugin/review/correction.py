# SPDX-License-Identifier: AGPL-3.0-or-later
"""The corrected version of an image's answer.

Patches take the reader's word on every level: a cell of another level is changed by the share of
its area that was marked. A finding that a reader overrules has global probability 1 or 0; marks
alone leave the global probability as the model gave it, since only the model can pool patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.contract import AnalysisAnswer, ClassProbability, ImageAnalysis, Outcome
from inference.contract import ProbabilityMap as Packed
from plugin.review.records import PatchMark, Review, class_verdicts

Cells = NDArray[np.float32]


class UnfitReviewError(ValueError):
    """A review speaks of a finding, level or patch that the answer does not have."""


def check(image: ImageAnalysis, review: Review) -> None:
    """Make sure that a review can be applied.

    Raises:
        UnfitReviewError: it speaks of something that is not in the answer.
    """
    classes = {item.key: item for item in image.classes}
    named = [verdict.finding for verdict in review.verdicts] + [m.finding for m in review.marks]
    for finding in named:
        if finding not in classes:
            raise UnfitReviewError(f"the answer has no finding {finding}")
    for mark in review.marks:
        _check_mark(classes[mark.finding], mark)


def _check_mark(item: ClassProbability, mark: PatchMark) -> None:
    if mark.level not in item.maps:
        known = ", ".join(str(level) for level in sorted(item.maps, reverse=True))
        raise UnfitReviewError(f"{mark.finding} has no map of level {mark.level}, but {known}")
    rows, columns = item.maps[mark.level].rows, item.maps[mark.level].columns
    if any(row >= rows or column >= columns for row, column in mark.cells):
        raise UnfitReviewError(f"level {mark.level} has {rows} x {columns} patches")


def corrected_image(image: ImageAnalysis, reviews: Sequence[Review]) -> ImageAnalysis:
    """The answer about one image as its reviews leave it; the same where they change nothing.

    Raises:
        UnfitReviewError: a review does not fit the answer.
    """
    for review in reviews:
        check(image, review)
    marks = [mark for review in reviews for mark in review.marks]
    verdicts = class_verdicts(tuple(reviews))
    classes = tuple(
        _corrected_class(item, [m for m in marks if m.finding == item.key], verdicts.get(item.key))
        for item in image.classes
    )
    return image.model_copy(update={"classes": classes})


def corrected_analysis(
    analysis: AnalysisAnswer, image: ImageAnalysis, reviews: Sequence[Review], reason: str
) -> tuple[AnalysisAnswer, ImageAnalysis]:
    """The whole answer with one image corrected, and that image."""
    corrected = corrected_image(image, reviews)
    images = tuple(corrected if one == image else one for one in analysis.images)
    present = any(item.present for one in images for item in one.classes)
    outcome = Outcome.FINDINGS if present else Outcome.NO_FINDINGS
    update = {"images": images, "outcome": outcome, "reason": reason}
    return analysis.model_copy(update=update), corrected


def _corrected_class(
    item: ClassProbability, marks: Sequence[PatchMark], verdict: bool | None
) -> ClassProbability:
    update: dict[str, object] = {}
    if marks:
        said = [_said(item, marks, level) for level in sorted({mark.level for mark in marks})]
        update["maps"] = {
            level: Packed.of(_corrected_map(packed.array(), said))
            for level, packed in item.maps.items()
        }
    if verdict is not None:
        update |= {"present": verdict, "probability": 1.0 if verdict else 0.0}
    return item.model_copy(update=update) if update else item


def _said(item: ClassProbability, marks: Sequence[PatchMark], level: int) -> tuple[Cells, Cells]:
    """Which patches of a level are marked in the end (0 or 1), and their probabilities."""
    shape = (item.maps[level].rows, item.maps[level].columns)
    marked, values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for mark in marks:
        if mark.level == level:
            rows, columns = zip(*mark.cells, strict=True)
            marked[rows, columns] = 0.0 if mark.value is None else 1.0
            values[rows, columns] = mark.value or 0.0
    return marked, values


def _corrected_map(cells: Cells, said: Sequence[tuple[Cells, Cells]]) -> Cells:
    """Apply what was said on each level, the finest level last."""
    corrected = cells.astype(np.float32)
    for marked, values in said:
        down = _overlap(marked.shape[0], corrected.shape[0])
        across = _overlap(marked.shape[1], corrected.shape[1])
        share = down @ marked @ across.T
        corrected = np.asarray(corrected * (1 - share) + down @ values @ across.T, np.float32)
    return np.clip(corrected, 0.0, 1.0, out=corrected)


def _overlap(from_cells: int, to_cells: int) -> Cells:
    """Share of each of ``to_cells`` that each of ``from_cells`` covers on one axis."""
    start = np.arange(to_cells)[:, None] / to_cells
    end = np.arange(1, to_cells + 1)[:, None] / to_cells
    other_start = np.arange(from_cells)[None, :] / from_cells
    other_end = np.arange(1, from_cells + 1)[None, :] / from_cells
    common = np.clip(np.minimum(end, other_end) - np.maximum(start, other_start), 0.0, None)
    share: Cells = (common * to_cells).astype(np.float32)
    return share
