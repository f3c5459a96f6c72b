# SPDX-License-Identifier: Apache-2.0
"""Run a heat-map bundle on the images of one scan and say how it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.bundles import Bundle
from inference.contract import (
    AnalysisAnswer,
    ClassProbability,
    FindingClass,
    ImageAnalysis,
    Outcome,
    ProbabilityMap,
)
from inference.heatmap.context import Context
from inference.heatmap.demographics import NOBODY, Person, encoded, person_in
from inference.heatmap.engine import HeatMapEngine, Prediction, Unfamiliar
from inference.heatmap.letterbox import letterbox_coverage
from inference.heatmap.pixels import (
    SquareImage,
    UnsupportedPixelsError,
    read_dataset,
    square_image,
)
from inference.heatmap.slices import geometry_of, slice_order, sub_volumes

FRAMES_ANALYSED = 1


@dataclass(frozen=True)
class _Read:
    """One decoded image under the identifier it came with."""

    uid: str
    square: SquareImage
    person: Person = NOBODY


def analyse(bundle: Bundle, instances: Sequence[Dataset | bytes]) -> AnalysisAnswer:
    """Analyse every instance of a scan; of a multi-frame instance the first frame.

    Parameters
    ----------
    bundle:
        A heat-map bundle.
    instances:
        De-identified datasets, or the bytes of their files. Those of a bundle that works on series
        are analysed, and answered, in the order in which they lie in the patient.

    Returns
    -------
    AnalysisAnswer
        ``FINDINGS`` if any image shows one, ``NO_FINDINGS`` if at least one image was analysed,
        else ``ABSTAINED`` if any image was unlike the training images, else ``REFUSED``. ``reason``
        names what was left out. ``images`` holds the analysed ones only.

    Raises
    ------
    BundleError
        If the bundle cannot be loaded.
    """
    engine: HeatMapEngine = bundle.engine
    started = time.perf_counter()
    in_order = bundle.manifest.works_on == "series"
    read, refusals = _read_all(instances, engine.input_size, in_order=in_order)
    decoded = time.perf_counter()
    images, unlike = _analysed(bundle, engine, read)
    finished = time.perf_counter()
    return AnalysisAnswer(
        model=bundle.manifest.name,
        version=bundle.manifest.version,
        digest=bundle.digest,
        outcome=_outcome(images, unlike),
        reason=_reason(len(instances), refusals, unlike, read),
        images=images,
        milliseconds={
            "decode": round(1000.0 * (decoded - started), 2),
            "forward": round(1000.0 * (finished - decoded), 2),
        },
    )


def _read_all(
    instances: Sequence[Dataset | bytes], size: int, *, in_order: bool
) -> tuple[list[_Read], list[str]]:
    """The decoded images, and why others could not be."""
    read: list[_Read] = []
    headers: list[Dataset] = []
    refusals: list[str] = []
    for instance in instances:
        try:
            dataset = read_dataset(instance)
            square = square_image(dataset, size)
        except UnsupportedPixelsError as error:
            refusals.append(str(error))
            continue
        read.append(
            _Read(
                uid=str(dataset.get("SOPInstanceUID", "")), square=square, person=person_in(dataset)
            )
        )
        headers.append(geometry_of(dataset) if in_order else Dataset())
    if in_order:
        read = [read[at] for at in slice_order(headers)]
    return read, refusals


def _analysed(
    bundle: Bundle, engine: HeatMapEngine, read: list[_Read]
) -> tuple[tuple[ImageAnalysis, ...], list[Unfamiliar]]:
    """Analyses of the familiar images, and why the others are unfamiliar."""
    if not read:
        return (), []
    squares = np.stack([r.square.values for r in read])
    seen = engine.predict(squares, _context(bundle, read))
    probabilities = engine.probabilities(seen.pooled)
    images: list[ImageAnalysis] = []
    unlike: list[Unfamiliar] = []
    for index, why in enumerate(engine.unfamiliar(squares, seen.features)):
        if why is not None:
            unlike.append(why)
            continue
        images.append(
            _image(read[index], seen, index, probabilities[index], bundle.manifest.classes)
        )
    return tuple(images), unlike


def _context(bundle: Bundle, read: list[_Read]) -> Context:
    """Neighbours and persons, for networks that take them."""
    trained = bundle.manifest.trained
    slices = trained.architecture.slices if trained else 1
    in_order = bundle.manifest.works_on == "series" and slices > 1
    return Context(
        neighbours=sub_volumes(len(read), slices) if in_order else None,
        persons=encoded(one.person for one in read),
    )


def _image(
    read: _Read,
    seen: Prediction,
    index: int,
    probabilities: NDArray[np.float32],
    classes: tuple[FindingClass, ...],
) -> ImageAnalysis:
    square = read.square
    levels: dict[int, NDArray[np.float32]] = {}
    for level in seen.maps:
        grid = level.shape[-1]
        # A patch wholly beyond the image is no statement about it.
        on_image = letterbox_coverage(square.rows, square.columns, grid) > 0.0
        levels[grid] = np.where(on_image, level[index], np.float32(0.0))
    return ImageAnalysis(
        sop_instance_uid=read.uid,
        frame_number=1,
        rows=square.rows,
        columns=square.columns,
        extent=square.extent,
        classes=tuple(
            ClassProbability(
                key=c.key,
                probability=float(probabilities[number]),
                present=bool(probabilities[number] >= c.threshold),
                maps={grid: ProbabilityMap.of(level[number]) for grid, level in levels.items()},
            )
            for number, c in enumerate(classes)
        ),
    )


def _outcome(images: tuple[ImageAnalysis, ...], unlike: list[Unfamiliar]) -> Outcome:
    if any(c.present for image in images for c in image.classes):
        return Outcome.FINDINGS
    if images:
        return Outcome.NO_FINDINGS
    return Outcome.ABSTAINED if unlike else Outcome.REFUSED


def _reason(total: int, refusals: list[str], unlike: list[Unfamiliar], read: list[_Read]) -> str:
    """What was left out and why, in words; empty if nothing was."""
    if total == 0:
        return "there are no images to analyse"
    parts: list[str] = []
    left_out = len(refusals) + len(unlike)
    causes = "; ".join(dict.fromkeys([*_causes(unlike), *refusals]))
    if left_out and total == 1:
        parts.append(causes)
    elif left_out:
        parts.append(f"{left_out} of {total} images were left out: {causes}")
    most_frames = max((r.square.frames for r in read), default=1)
    if most_frames > FRAMES_ANALYSED:
        parts.append(f"only the first of {most_frames} frames was analysed")
    return ". ".join(parts)


def _causes(unlike: list[Unfamiliar]) -> list[str]:
    """Each kind of unfamiliarity once, with the largest distance found."""
    worst: dict[str, float] = {}
    for what, excess in unlike:
        worst[what] = max(excess, worst.get(what, 0.0))
    return [
        what if excess == float("inf") else f"{what} ({excess:.1f} times the distance allowed)"
        for what, excess in worst.items()
    ]
