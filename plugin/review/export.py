# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing reviewed images as a training set: de-identified, with labels and boxes as tables.

The folder is what ``sidelight train heatmap --from-reviews`` reads:

- ``images/``: one file per image, named by its de-identified SOP Instance UID;
- ``labels.csv``: ``image,patient,<class>…`` with 1 (present), 0 (absent) or nothing (not judged);
  ``patient`` is the pseudonym of de-identification, so that one patient stays in one split;
- ``boxes.csv``: ``image,class,left,top,right,bottom`` in pixels of the stored image, the regions of
  the corrected version for every class that is labelled present.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image
from pydicom import dcmread

from deid import DeidentificationError, DeidentifiedScan, Deidentifier
from plugin.review.labels import labels_of

Form = Literal["dicom", "png"]
PAGE = 200


class Reviews(Protocol):
    """Sidelight's REST as the export needs it."""

    def get(self, path: str) -> Any:
        """JSON of an address."""

    def file(self, instance: str) -> bytes:
        """A DICOM file as Orthanc has it."""


@dataclass
class Exported:
    """What became of the images.

    Attributes:
        written: files written.
        refused: images that can't be de-identified, by reason; nothing of them is written.
        unlabelled: images whose reviews judge no class.
    """

    written: int
    refused: dict[str, int]
    unlabelled: int


@dataclass(frozen=True)
class _Row:
    image: str
    patient: str
    labels: dict[str, int | None]
    boxes: list[tuple[str, dict[str, float]]]


def export(reviews: Reviews, deidentifier: Deidentifier, out: Path, form: Form) -> Exported:
    """Write all reviewed images of a node.

    Raises:
        FileExistsError: ``out`` holds an export already; two would mix.
    """
    images = out / "images"
    images.mkdir(parents=True, exist_ok=False)
    result = Exported(0, {}, 0)
    rows: list[_Row] = []
    for instance in _instances(reviews):
        index = reviews.get(f"/instances/{instance}/sidelight/heatmaps?version=original")
        said = reviews.get(f"/instances/{instance}/sidelight/reviews")
        labels = labels_of(index["heatmaps"], [one for one in said["reviews"] if one["current"]])
        if all(label is None for label in labels.values()):
            result.unlabelled += 1
            continue
        try:
            scan = deidentifier.deidentify(reviews.file(instance))
        except DeidentificationError as error:
            reason = type(error).__name__
            result.refused[reason] = result.refused.get(reason, 0) + 1
            continue
        name = _write(scan, images, form)
        patient = str(scan.dataset.get("PatientID", "") or scan.study_instance_uid)
        rows.append(_Row(name, patient, labels, _boxes(reviews, instance, labels)))
        result.written += 1
    _tables(out, rows)
    return result


def _instances(reviews: Reviews) -> Iterator[str]:
    offset = 0
    while True:
        page = reviews.get(f"/sidelight/reviews?limit={PAGE}&offset={offset}")
        yield from (one["instance"] for one in page["instances"])
        offset += PAGE
        if offset >= page["total"]:
            return


def _boxes(
    reviews: Reviews, instance: str, labels: dict[str, int | None]
) -> list[tuple[str, dict[str, float]]]:
    found = reviews.get(f"/instances/{instance}/sidelight/regions?version=latest")["regions"]
    return [(one["finding"], one["box"]) for one in found if labels.get(one["finding"]) == 1]


def _write(scan: DeidentifiedScan, folder: Path, form: Form) -> str:
    name = f"{scan.sop_instance_uid}.{'dcm' if form == 'dicom' else 'png'}"
    content = scan.to_bytes()
    (folder / name).write_bytes(content if form == "dicom" else png_of(content))
    return name


def png_of(dicom: bytes) -> bytes:
    """The first frame as a PNG of 16 bits, white high, or of RGB where it has colours."""
    dataset = dcmread(io.BytesIO(dicom))
    pixels = dataset.pixel_array
    if int(dataset.get("NumberOfFrames", 1) or 1) > 1:
        pixels = pixels[0]
    if pixels.ndim == 2:
        values = pixels.astype(np.int64)
        values = values.max() - values if _inverted(dataset) else values - min(0, values.min())
        pixels = values.clip(0, 65535).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _inverted(dataset: Any) -> bool:
    return str(dataset.PhotometricInterpretation) == "MONOCHROME1"


def _tables(out: Path, rows: list[_Row]) -> None:
    classes = sorted({key for row in rows for key in row.labels})
    with (out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "patient", *classes])
        for row in rows:
            values = [row.labels.get(key) for key in classes]
            table.writerow([row.image, row.patient, *("" if v is None else v for v in values)])
    with (out / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "class", "left", "top", "right", "bottom"])
        for row in rows:
            for key, box in row.boxes:
                table.writerow(
                    [row.image, key, *(box[side] for side in ("left", "top", "right", "bottom"))]
                )
