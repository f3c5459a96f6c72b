# SPDX-License-Identifier: AGPL-3.0-or-later
"""What reviews teach: per image and class 1, 0, or nothing where nobody judged it.

A class with a verdict has the reader's; in a complete review every other class is as the model
said; all else is unknown, which is not absent. Marked patches say where a model was wrong and teach
through the regions of the corrected version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def labels_of(
    heatmaps: Sequence[Mapping[str, Any]], reviews: Sequence[Mapping[str, Any]]
) -> dict[str, int | None]:
    """By class key: 1 present, 0 absent, None not judged.

    Args:
        heatmaps: entries of the index of the model's own answer.
        reviews: those of that answer as REST gives them, the first one first.
    """
    said: dict[str, str] = {}
    for review in reviews:
        said.update({one["finding"]: one["verdict"] for one in review["verdicts"]})
    complete = any(review["complete"] for review in reviews)
    labels: dict[str, int | None] = {}
    for item in heatmaps:
        verdict = said.get(item["key"], "as-model")
        if verdict != "as-model":
            labels[item["key"]] = int(verdict == "present")
        else:
            labels[item["key"]] = int(item["present"]) if complete else None
    return labels
