# SPDX-License-Identifier: Apache-2.0
"""The layout of NIH ChestX-ray14 (Wang et al., CVPR 2017; arXiv:1705.02315).

``Data_Entry_2017.csv`` names findings per image, separated by ``|``; what is not named is taken as
absent. ``BBox_List_2017.csv`` has boxes in pixels of the 1024 x 1024 images: left, top, width and
height; its header is broken over several columns, so that columns count by position.
``train_val_list.txt`` names the images for training and validation, one a line.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from inference.heatmap.datasets.labelled import Box, DatasetError, LabelledImage, LabelTable
from inference.heatmap.datasets.tables import header_of, length, rows_of
from inference.heatmap.demographics import person_of

IMAGE, FINDINGS, PATIENT = "Image Index", "Finding Labels", "Patient ID"
AGE, SEX = "Patient Age", "Patient Gender"
NOTHING = "No Finding"
_SPELLED = {"Infiltrate": "Infiltration"}
"""The boxes call one class otherwise than the labels do."""


def is_nih(header: tuple[str, ...]) -> bool:
    """Whether these are the columns of ``Data_Entry_2017.csv``."""
    return {IMAGE, FINDINGS, PATIENT} <= set(header)


def read_nih(labels: Path, boxes: Path | None = None) -> LabelTable:
    """Labels and boxes of ChestX-ray14.

    Raises
    ------
    DatasetError
        A table can't be read, or a box is of a finding that no label names.
    """
    rows = [row for _, row in rows_of(labels, (IMAGE, FINDINGS, PATIENT))]
    named = [set(filter(None, (f.strip() for f in row[FINDINGS].split("|")))) for row in rows]
    classes = tuple(sorted(set().union(*named) - {NOTHING}))
    outlined = {} if boxes is None else read_nih_boxes(boxes)
    unknown = {b.finding for found in outlined.values() for b in found} - set(classes)
    if unknown:
        raise DatasetError(f"boxes are of findings without labels: {', '.join(sorted(unknown))}")
    images = tuple(
        LabelledImage(
            file=row[IMAGE],
            patient=row[PATIENT],
            labels=tuple(float(key in found) for key in classes),
            boxes=tuple(outlined.get(row[IMAGE], ())),
            person=person_of(row.get(AGE, ""), row.get(SEX, "")),
        )
        for row, found in zip(rows, named, strict=True)
    )
    return LabelTable(classes, images)


def read_nih_boxes(path: Path) -> dict[str, list[Box]]:
    """Boxes by image from ``BBox_List_2017.csv``.

    Raises
    ------
    DatasetError
        The table can't be read.
    """
    header_of(path)
    found: dict[str, list[Box]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        next(rows)
        for number, row in enumerate(rows, start=2):
            if len(row) < 6:
                raise DatasetError(f"{path.name}, row {number}: image, finding and four numbers")
            left, top, width, height = (
                length(value, f"{path.name}, row {number}") for value in row[2:6]
            )
            finding = _SPELLED.get(row[1].strip(), row[1].strip())
            found[row[0].strip()].append(Box(finding, left, top, left + width, top + height))
    return found


def read_list(path: Path) -> frozenset[str]:
    """Names of images, one a line, as in ``train_val_list.txt``.

    Raises
    ------
    DatasetError
        The file can't be read or names nothing.
    """
    try:
        names = frozenset(path.read_text(encoding="utf-8-sig").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path.name} cannot be read") from error
    if not names:
        raise DatasetError(f"{path.name} names no image")
    return names
