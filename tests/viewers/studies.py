# SPDX-License-Identifier: AGPL-3.0-or-later
"""Studies as an archive holds them after an analysis: the original, and its result objects."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from benchmarks.conformance_samples import Sample, answer, judged, model
from benchmarks.scans import chest_phantoms
from inference.contract import ImageAnalysis, Outcome
from plugin.results import AnalysedImage, ResultOptions, build_scan
from plugin.results.objects import AdditionalKind
from plugin.results.scan_result import scan_result

JUDGEMENTS = (Outcome.FINDINGS, Outcome.NO_FINDINGS)


@dataclass(frozen=True)
class Lesion:
    """What a viewer must show of one region.

    Attributes:
        outline: closed polyline ``(n, 2)`` of (column, row), DICOM's pixel coordinates.
        percent: as the report writes it.
    """

    sop_instance_uid: str
    class_key: str
    label: str
    percent: float
    outline: np.ndarray


@dataclass(frozen=True)
class Study:
    """One study: its files, and what a viewer must show of it."""

    name: str
    uid: str
    outcome: Outcome
    files: Sequence[bytes]
    analyses: Sequence[ImageAnalysis] = ()
    lesions: Sequence[Lesion] = ()
    kinds: Sequence[str] = field(default=())


def outcome_studies(folder: Path) -> Iterator[Study]:
    """A chest radiograph with each outcome."""
    (file,) = chest_phantoms(folder, 1, 512, 5)
    for outcome in Outcome:
        yield analysed_study(f"chest-{outcome}", [pydicom.dcmread(file)], outcome)


def modality_studies(folder: Path) -> Iterator[Study]:
    """Findings in scans of other kinds: a mammogram, a CT and an MR series, a colour image."""
    (file,) = chest_phantoms(folder, 1, 512, 6)
    breast = pydicom.dcmread(file)
    breast.SOPClassUID = breast.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    breast.Modality, breast.BodyPartExamined, breast.ImageLaterality = "MG", "BREAST", "L"
    yield analysed_study("breast", [breast], Outcome.FINDINGS)
    for name, file_name in (("ct", "CT_small.dcm"), ("mr", "MR_small.dcm")):
        yield analysed_study(name, list(_series(file_name, 5)), Outcome.FINDINGS)
    yield analysed_study("ct-negative", list(_series("CT_small.dcm", 5)), Outcome.NO_FINDINGS)
    colour = pydicom.dcmread(str(get_testdata_file("examples_rgb_color.dcm")))
    yield analysed_study("colour", [colour], Outcome.FINDINGS)


def sample_study(sample: Sample, outcome: Outcome = Outcome.FINDINGS) -> Study:
    """One of the benchmark's scans, whole, with its results."""
    return analysed_study(sample.name, [pydicom.dcmread(str(sample.header.filename))], outcome)


def analysed_study(
    name: str,
    images: Sequence[Dataset],
    outcome: Outcome,
    additional: tuple[AdditionalKind, ...] = (),
) -> Study:
    """The images as a new study, with the objects that tell this outcome."""
    study_uid = _as_new_study(images)
    # Of a series, the first and the last image are clear.
    present = range(1, len(images) - 1) if len(images) > 1 else range(1)
    analyses = [
        judged(image, present=outcome is Outcome.FINDINGS and number in present)
        for number, image in enumerate(images)
        if outcome in JUDGEMENTS
    ]
    scan = [
        AnalysedImage(image, analyses[number] if analyses else None)
        for number, image in enumerate(images)
    ]
    said, options = answer(outcome, tuple(analyses)), ResultOptions(additional=additional)
    made = build_scan(scan, model(), said, options)
    lesions = [
        Lesion(
            image.source.sop_instance_uid,
            region.finding.key,
            f"{region.finding.name} {region.number}",
            round(100 * region.probability, 4),
            region.outline,
        )
        for image in scan_result(scan, model(), said, options).images
        for region in image.regions
    ]
    files = [*(_bytes(image) for image in images), *(one.to_bytes() for one in made)]
    kinds = [one.kind for one in made]
    return Study(name, study_uid, outcome, files, analyses, lesions, kinds)


def _as_new_study(images: Sequence[Dataset]) -> str:
    study_uid, series_uid = generate_uid(), generate_uid()
    for image in images:
        image.StudyInstanceUID, image.SeriesInstanceUID = study_uid, series_uid
        image.SOPInstanceUID = generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    return str(study_uid)


def _series(file_name: str, count: int) -> Iterator[Dataset]:
    for number in range(count):
        image = pydicom.dcmread(str(get_testdata_file(file_name)))
        x, y, z = image.ImagePositionPatient
        image.ImagePositionPatient = [x, y, float(z) + 5.0 * number]
        image.SliceLocation = float(image.ImagePositionPatient[2])
        image.InstanceNumber = number + 1
        yield image


def _bytes(image: Dataset) -> bytes:
    buffer = io.BytesIO()
    image.save_as(buffer)
    return buffer.getvalue()
