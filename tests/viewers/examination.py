# SPDX-License-Identifier: AGPL-3.0-or-later
"""One study in OHIF from opening it to an open segmentation, and what was seen on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.conformance_samples import model
from inference.contract import ImageAnalysis
from tests.viewers.model_map import ModelMap, mask_error
from tests.viewers.ohif_page import OhifPage
from tests.viewers.studies import Lesion, Study

NEAR = 0.5
"""Pixels within which a line is taken for the outline that it should be."""


@dataclass
class Seen:
    """What a reader saw of one study.

    Attributes:
        expected: lesions, and the outline of the image that the outcome is told on.
        drawn: how many of them were drawn, with their probabilities in words.
        hydrated: how many of them became measurements.
        errors: everything that the page complained of.
        worst_px: farthest of any corner, or pixel of the segmentation, from the model's own line.
    """

    study: str
    expected: int
    drawn: int = 0
    hydrated: int = 0
    errors: list[str] = field(default_factory=list)
    worst_px: float = 0.0


def examine(page: OhifPage, study: Study, pictures: Path) -> Seen:
    """Open the study, its report and its segmentation; a picture of each lies in ``pictures``."""
    seen = Seen(study.name, 1 + len(study.lesions))
    page.open(study.uid, 1 + len(study.kinds))
    page.double_click("SR")
    page.wait_asked()
    _look_at_lines(page, study, seen)
    page.browser.screenshot(pictures / f"{study.name}-report.png")
    page.answer_yes()
    page.wait_measured(seen.expected)
    seen.hydrated = len(page.measured())
    words = page.measured()[0]["label"] if seen.hydrated else ""
    if not page.open_panel(words):
        seen.errors.append("the list of measurements lacks the words of the first")
    page.browser.screenshot(pictures / f"{study.name}-measurements.png")
    if "SEG" in study.kinds:
        _look_at_segments(page, study, seen)
        page.browser.screenshot(pictures / f"{study.name}-segmentation.png")
    seen.errors += page.errors()
    return seen


def _look_at_lines(page: OhifPage, study: Study, seen: Seen) -> None:
    images = {lesion.sop_instance_uid: [] for lesion in study.lesions}  # type: dict[str, list[Lesion]]
    for lesion in study.lesions:
        images[lesion.sop_instance_uid].append(lesion)
    # The report opens on the image that has the outcome.
    page.wait_lines(1 + len(next(iter(images.values()), [])))
    seen.drawn = sum(_is_frame(line) for line in page.lines())
    for uid, lesions in images.items():
        page.show(uid)
        page.wait_lines(len(lesions))
        lines = page.lines()
        for lesion in lesions:
            drawn, distance = _nearest(lines, lesion)
            if drawn is None or not page.wait_words(f"{lesion.percent:.2f} %"):
                continue
            seen.drawn += 1
            model_px = _map(study, lesion.sop_instance_uid, lesion.class_key).distances(drawn)
            seen.worst_px = max(seen.worst_px, distance, float(model_px.max()))


def _is_frame(line: np.ndarray) -> bool:
    """Whether it is an upright rectangle from the image's first corner."""
    return len(line) == 5 and bool(np.abs(line.min(axis=0)).max() <= NEAR)


def _nearest(lines: Sequence[np.ndarray], lesion: Lesion) -> tuple[np.ndarray | None, float]:
    """The line that has this outline's corners, and how far they are apart at most."""
    alike = [line for line in lines if len(line) == len(lesion.outline)]
    pairs = [(line, float(np.linalg.norm(line - lesion.outline, axis=1).max())) for line in alike]
    line, distance = min(pairs, key=lambda pair: pair[1], default=(None, np.inf))
    return (line, distance) if distance <= NEAR else (None, distance)


def _look_at_segments(page: OhifPage, study: Study, seen: Seen) -> None:
    page.double_click("SEG")
    page.wait_asked()
    page.answer_yes()
    page.wait_segmented()
    marked = page.segmented()
    for image in study.analyses:
        keys = {one.key for one in image.classes if one.present}
        mask = np.zeros(image.rows * image.columns, bool)
        mask[marked.get(image.sop_instance_uid, [])] = True
        if not keys:
            if mask.any():
                seen.errors.append("a clear image is marked in the segmentation")
            continue
        maps = [_map(study, image.sop_instance_uid, key) for key in sorted(keys)]
        error = mask_error(maps, mask.reshape(image.rows, image.columns))
        seen.worst_px = max(seen.worst_px, error)


def _map(study: Study, sop_instance_uid: str, class_key: str) -> ModelMap:
    image = _image(study, sop_instance_uid)
    (finding,) = [one for one in model().classes if one.key == class_key]
    return ModelMap(image, class_key, finding.patch_threshold)


def _image(study: Study, sop_instance_uid: str) -> ImageAnalysis:
    (image,) = [one for one in study.analyses if one.sop_instance_uid == sop_instance_uid]
    return image
