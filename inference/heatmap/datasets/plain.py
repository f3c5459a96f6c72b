# SPDX-License-Identifier: Apache-2.0
"""Sidelight's own layout, which ``sidelight reviews export`` writes and a site can write by hand.

``labels.csv`` has ``image,patient,<class>…`` with 1 (present), 0 (absent) or nothing (not judged),
and optionally ``split`` with training, validation or test, ``age`` in years or as in DICOM and
``sex`` with M or F, and for slices ``series`` and perhaps ``position`` in it. ``boxes.csv`` has
``image,class,left,top,right,bottom`` in pixels of the stored image.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

from inference.heatmap.datasets.labelled import (
    SPLITS,
    Box,
    DatasetError,
    LabelledImage,
    LabelTable,
    Split,
)
from inference.heatmap.datasets.tables import finite, header_of, label, length, rows_of
from inference.heatmap.demographics import person_of

IMAGE, PATIENT, SPLIT = "image", "patient", "split"
AGE, SEX, SERIES, POSITION = "age", "sex", "series", "position"
NOT_CLASSES = (IMAGE, PATIENT, SPLIT, AGE, SEX, SERIES, POSITION)
_SIDES = ("left", "top", "right", "bottom")


def is_plain(header: tuple[str, ...]) -> bool:
    """Whether these are columns of Sidelight's own layout."""
    return {IMAGE, PATIENT} <= set(header)


def read_plain(labels: Path, boxes: Path | None = None) -> LabelTable:
    """Labels and boxes in Sidelight's own layout.

    Raises
    ------
    DatasetError
        A table can't be read, or a box is of a class without a label.
    """
    classes = tuple(n for n in header_of(labels) if n not in NOT_CLASSES)
    outlined = {} if boxes is None else _boxes(boxes, classes)
    images = []
    for number, row in rows_of(labels, (IMAGE, PATIENT)):
        where = f"{labels.name}, row {number}"
        if not row[IMAGE] or not row[PATIENT]:
            raise DatasetError(f"{where}: image and patient must be given")
        images.append(
            LabelledImage(
                file=row[IMAGE],
                patient=row[PATIENT],
                labels=tuple(label(row[key], f"{where}, {key}") for key in classes),
                split=_split(row.get(SPLIT, ""), where),
                boxes=tuple(outlined.get(row[IMAGE], ())),
                person=person_of(row.get(AGE, ""), row.get(SEX, "")),
                series=row.get(SERIES, ""),
                position=_position(row.get(POSITION, ""), where),
            )
        )
    return LabelTable(classes, tuple(images))


def _split(value: str, where: str) -> Split | None:
    if value == "":
        return None
    if value not in SPLITS:
        raise DatasetError(f"{where}: split is one of {', '.join(SPLITS)}")
    return value


def _position(value: str, where: str) -> float:
    if value == "":
        return math.nan
    return finite(value, f"{where}: position is a number along the series")


def _boxes(path: Path, classes: tuple[str, ...]) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = defaultdict(list)
    for number, row in rows_of(path, (IMAGE, "class", *_SIDES)):
        where = f"{path.name}, row {number}"
        if row["class"] not in classes:
            raise DatasetError(f"{where}: the class has no column in the labels")
        left, top, right, bottom = (length(row[side], where) for side in _SIDES)
        if right <= left or bottom <= top:
            raise DatasetError(f"{where}: a box needs left < right and top < bottom")
        found[row[IMAGE]].append(Box(row["class"], left, top, right, bottom))
    return found
