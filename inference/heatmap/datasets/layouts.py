# SPDX-License-Identifier: Apache-2.0
"""Which layout a table of labels has, told by its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inference.heatmap.datasets.chexpert import is_chexpert, read_chexpert
from inference.heatmap.datasets.labelled import DatasetError, LabelTable
from inference.heatmap.datasets.nih import is_nih, read_list, read_nih
from inference.heatmap.datasets.plain import is_plain, read_plain
from inference.heatmap.datasets.tables import header_of


def read_labels(
    labels: Sequence[Path],
    *,
    boxes: Path | None = None,
    training_list: Path | None = None,
    unmentioned_absent: bool = False,
) -> LabelTable:
    """Read tables of labels in one of the known layouts.

    Parameters
    ----------
    labels:
        Tables of the same layout and classes, e.g. CheXpert's ``train.csv`` and ``valid.csv``.
    boxes:
        Table of boxes in the same layout.
    training_list:
        NIH's ``train_val_list.txt``: what it does not name is the test part.
    unmentioned_absent:
        CheXpert: what a report does not mention is absent, not unknown.

    Raises
    ------
    DatasetError
        A table can't be read, has no known layout, or the tables do not agree.
    """
    tables = [_read(path, boxes, absent=unmentioned_absent) for path in labels]
    if len({table.classes for table in tables}) != 1:
        raise DatasetError("the tables of labels have different classes")
    images = tuple(image for table in tables for image in table.images)
    if training_list is not None:
        named = read_list(training_list)
        images = tuple(i if i.file in named else replace(i, split="test") for i in images)
    return LabelTable(tables[0].classes, images)


def _read(path: Path, boxes: Path | None, *, absent: bool) -> LabelTable:
    header = header_of(path)
    if is_nih(header):
        return read_nih(path, boxes)
    if is_chexpert(header):
        if boxes is not None:
            raise DatasetError("CheXpert's layout has no boxes")
        return read_chexpert(path, unmentioned_absent=absent)
    if is_plain(header):
        return read_plain(path, boxes)
    raise DatasetError(
        f"{path.name} has none of the known layouts (ChestX-ray14, CheXpert, "
        "image,patient,<class>…; see docs/heatmap-training.md)"
    )
