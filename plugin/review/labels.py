# SPDX-License-Identifier: AGPL-3.0-or-later
"""What reviews teach: per image and class 1, 0, or nothing where nobody judged it.

A class with a verdict has the reader's; in a complete review every other class is as the model
said; all else is unknown, which is not absent. Marked patches say where a model was wrong and teach
through the regions of the corrected version.
"""

from __future__ import annotations

from collections.abc import Sequence

from inference.contract import ImageAnalysis
from plugin.review.records import Review, class_verdicts


def reviewed_labels(image: ImageAnalysis, reviews: Sequence[Review]) -> dict[str, int | None]:
    """By class key: 1 present, 0 absent, None not judged.

    Args:
        image: the model's own answer.
        reviews: those of that answer, the first one first.
    """
    verdicts = class_verdicts(tuple(reviews))
    complete = any(review.complete for review in reviews)
    labels: dict[str, int | None] = {}
    for item in image.classes:
        if item.key in verdicts:
            labels[item.key] = int(verdicts[item.key])
        else:
            labels[item.key] = int(item.present) if complete else None
    return labels
