# SPDX-License-Identifier: Apache-2.0
"""Small site models for tests: bundles of the shipped weights, judged by rows that a test makes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from inference.anatomy.learned.recognizer import shipped_weights
from inference.anatomy.pixels.regressor import shipped_regressor_weights
from inference.anatomy.serving.bundle import (
    HELD_OUT,
    METADATA,
    PIXELS,
    AnatomyBundle,
    weights_name,
    write_anatomy_bundle,
)
from inference.anatomy.serving.held_out import write_held_out
from inference.anatomy.training.corpus import Example

TEXTS = {
    "CT CHEST": "chest",
    "CT HEAD": "head",
    "MR KNEE": "lower limb",
    "CT ABDOMEN": "abdomen",
    "MR BREAST": "breast",
}


def rows(each: int = 8, wrong: bool = False) -> list[Example]:
    """Headers that every fit model reads rightly; with ``wrong``, whose labels are another's."""
    names = list(TEXTS)
    labels = names[1:] + names[:1] if wrong else names
    return [
        Example(
            f"scanner {k % 4}",
            {"Modality": text[:2], "StudyDescription": text, "SeriesDescription": text},
            frozenset((frozenset((TEXTS[label],)),)),  # type: ignore[arg-type]
        )
        for k in range(each)
        for text, label in zip(names, labels, strict=True)
    ]


def metadata_bundle(folder: Path, version: str = "0.1.0", wrong: bool = False) -> AnatomyBundle:
    """A bundle of the shipped metadata model."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(shipped_weights(), folder / weights_name(METADATA))
    write_held_out(rows(wrong=wrong), folder / HELD_OUT)
    return write_anatomy_bundle(folder, METADATA, {"from": "a test"}, {}, version)


def pixel_bundle(folder: Path, version: str = "0.1.0", **changes: Any) -> AnatomyBundle:
    """A bundle of the shipped body-part regressor."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(shipped_regressor_weights(), folder / weights_name(PIXELS))
    figures = {"order": 0.99, "distance": 0.98}
    measured = {"volumes": 12, "new": figures, "shipped": figures} | changes
    return write_anatomy_bundle(folder, PIXELS, {"from": "a test"}, {"CT": measured}, version)
