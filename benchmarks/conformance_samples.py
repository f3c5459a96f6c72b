# SPDX-License-Identifier: Apache-2.0
"""Scans of every kind that is at hand, and a model's answers about them.

Scans: the files of pydicom's wheel, of the pydicom-data package and of ``../shared/data`` where it
is, and phantoms. Answers: one model of three classes whose maps are smooth hills, so that every
scan can have every outcome.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset

from benchmarks.report import say
from benchmarks.scans import chest_phantoms
from inference.contract import (
    AnalysisAnswer,
    ClassProbability,
    CodedConcept,
    FindingClass,
    ImageAnalysis,
    MapExtent,
    ModelDescription,
    Outcome,
    ProbabilityMap,
    ScanCategory,
)
from plugin.results import AnalysedImage, ResultBuildError, is_own_object, not_possible
from plugin.results.objects import ResultOptions
from plugin.worker.sop_classes import is_image

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
GRID = 64
REASON = "the reason in words"
_DIGEST = "5e" * 32


@dataclass(frozen=True)
class Sample:
    """One scan of one image."""

    name: str
    header: Dataset

    def rendering(self, _uid: str, _frame: int) -> Image.Image:
        """A picture of the scan's size; what it shows doesn't matter here."""
        rows, columns = int(self.header.Rows), int(self.header.Columns)
        ramp = np.linspace(0, 255, columns, dtype=np.uint8)
        return Image.fromarray(np.broadcast_to(ramp, (rows, columns)).copy())


def model() -> ModelDescription:
    """A model of three classes."""
    found = (
        ("pulmonary-nodule", "Pulmonary nodule", "427359005", (255, 170, 0)),
        ("pleural-effusion", "Pleural effusion", "60046008", (0, 170, 255)),
        ("pneumothorax", "Pneumothorax", "36118008", (255, 60, 60)),
    )
    classes = tuple(
        FindingClass(
            key=key,
            name=name,
            code=CodedConcept(value=value, scheme="SCT", meaning=name),
            threshold=0.5,
            patch_threshold=0.5,
            colour=colour,
        )
        for key, name, value, colour in found
    )
    return ModelDescription(
        name="bench",
        version="1.0",
        title="Benchmark",
        disclaimer="Answers of a benchmark, of no meaning.",
        digest=_DIGEST,
        works_on="instance",
        categories=(ScanCategory(modalities=("DX",), regions=("chest",)),),
        classes=classes,
        levels=(GRID,),
    )


def answer(outcome: Outcome, images: tuple[ImageAnalysis, ...] = ()) -> AnalysisAnswer:
    """The model's answer with this outcome."""
    return AnalysisAnswer(
        model="bench", version="1.0", digest=_DIGEST, outcome=outcome, reason=REASON, images=images
    )


def judged(header: Dataset, *, present: bool) -> ImageAnalysis:
    """What the model says of one image: two nodules and an effusion, or nothing."""
    rows, columns = int(header.Rows), int(header.Columns)
    side = max(rows, columns)
    left, top = (columns - side) / 2, (rows - side) / 2
    nodules = np.maximum(_hill(25, 27, 4, 0.95), _hill(40, 36, 3, 0.8))
    return ImageAnalysis(
        sop_instance_uid=str(header.SOPInstanceUID),
        rows=rows,
        columns=columns,
        extent=MapExtent(left=left, top=top, right=left + side, bottom=top + side),
        classes=(
            _said("pulmonary-nodule", nodules, 0.91, present=present),
            _said("pleural-effusion", _hill(45, 30, 6, 0.9), 0.7, present=present),
            _said("pneumothorax", _hill(10, 30, 6, 0.4), 0.03, present=False),
        ),
    )


def analysed(sample: Sample, outcome: Outcome) -> list[AnalysedImage]:
    """The sample as a scan that ended with this outcome."""
    if outcome not in (Outcome.FINDINGS, Outcome.NO_FINDINGS):
        return [AnalysedImage(sample.header, None)]
    found = judged(sample.header, present=outcome is Outcome.FINDINGS)
    return [AnalysedImage(sample.header, found)]


def samples(folder: Path, *, quick: bool, left_out: dict[str, str]) -> list[Sample]:
    """Every scan at hand that a result can refer to, smallest headers of a kind once.

    Args:
        folder: for the phantoms.
        quick: one scan of each SOP class only.
        left_out: is told which files can't be used, and why.
    """
    found: list[Sample] = []
    seen: set[str] = set()
    for path in _paths(folder):
        header = _header(path)
        if header is None or is_own_object(header):
            left_out[path.name] = "can't be read as DICOM"
            continue
        kind = str(header.get("SOPClassUID", ""))
        if not is_image(kind):
            left_out[path.name] = "no image, never analysed"
            continue
        if quick and kind in seen:
            continue
        try:
            # Asks the same of a header as a result does.
            not_possible(header, ResultOptions(additional=("PM",)))
        except ResultBuildError as error:
            left_out[path.name] = str(error)
            continue
        seen.add(kind)
        found.append(Sample(path.name, header))
    return found


def _paths(folder: Path) -> Iterator[Path]:
    yield from chest_phantoms(folder / "phantoms", 1, 1024, 5)
    yield from (Path(str(name)) for name in sorted(get_testdata_files("*.dcm")))
    try:
        packaged = files("pydicom-data") or []
    except PackageNotFoundError:
        packaged = []
    yield from sorted(Path(str(one.locate())) for one in packaged if one.suffix == ".dcm")
    if not SHARED.is_dir():
        return
    yield from sorted((SHARED / "transfer-syntaxes").rglob("*.dcm"))
    for series in sorted({path.parent for path in (SHARED / "mr-nih").rglob("*.dcm")}):
        yield min(series.glob("*.dcm"))


def _header(path: Path) -> Dataset | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(path, stop_before_pixels=True, force=True)
        except Exception as error:  # noqa: BLE001 - some of pydicom's files are broken on purpose
            say(f"{path.name} can't be read: {type(error).__name__}")
            return None


def _hill(row: float, column: float, width: float, peak: float) -> np.ndarray:
    y, x = np.mgrid[:GRID, :GRID]
    hill = peak * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    return hill.astype(np.float32)


def _said(key: str, values: np.ndarray, probability: float, *, present: bool) -> ClassProbability:
    maps = {GRID: ProbabilityMap.of(values)}
    return ClassProbability(key=key, probability=probability, present=present, maps=maps)
