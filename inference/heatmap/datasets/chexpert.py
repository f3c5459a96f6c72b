# SPDX-License-Identifier: Apache-2.0
"""The layout of CheXpert (Irvin et al., AAAI 2019; arXiv:1901.07031).

``Path`` is ``<release>/train|valid/patientNNNNN/studyN/viewN_frontal.jpg``. Labels are 1, 0, -1
(uncertain) or nothing (not mentioned). Uncertain and not mentioned are unknown and are masked;
``--unmentioned-absent`` reads the latter as absent, as the paper does. Of lateral views nothing is
learned: Sidelight's chest categories are frontal. The release's own validation part becomes the
test part, since readers labelled it.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from inference.heatmap.datasets.labelled import DatasetError, LabelledImage, LabelTable, Split
from inference.heatmap.datasets.tables import Row, header_of, label, rows_of
from inference.heatmap.demographics import person_of

PATH = "Path"
NOT_FINDINGS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", "No Finding", "Support Devices")


def is_chexpert(header: tuple[str, ...]) -> bool:
    """Whether these are columns of CheXpert's tables."""
    return {PATH, "Frontal/Lateral"} <= set(header)


def read_chexpert(labels: Path, *, unmentioned_absent: bool = False) -> LabelTable:
    """Labels of the frontal views.

    Raises
    ------
    DatasetError
        The table can't be read, or a path names no patient.
    """
    classes = tuple(name for name in header_of(labels) if name not in NOT_FINDINGS)
    images = []
    for number, row in rows_of(labels, (PATH, "Frontal/Lateral", *classes)):
        if row["Frontal/Lateral"].casefold() != "lateral":
            where = f"{labels.name}, row {number}"
            images.append(_image(row, classes, where, absent=unmentioned_absent))
    return LabelTable(classes, tuple(images))


def _image(row: Row, classes: tuple[str, ...], where: str, *, absent: bool) -> LabelledImage:
    parts = PurePosixPath(row[PATH]).parts
    patient = next((part for part in parts if part.startswith("patient")), None)
    if patient is None:
        raise DatasetError(f"{where}: the path names no patient")
    values = tuple(
        0.0 if absent and row[key] == "" else label(row[key], f"{where}, {key}") for key in classes
    )
    split: Split | None = "test" if "valid" in parts or "test" in parts else None
    person = person_of(row.get("Age", ""), row.get("Sex", ""))
    return LabelledImage(row[PATH], patient, labels=values, split=split, person=person)
