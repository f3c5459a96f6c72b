# SPDX-License-Identifier: Apache-2.0
"""What is known of a site's images before their pixels are read.

Messages name rows, columns and classes, never a file or a patient: both may identify somebody.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.heatmap.demographics import NOBODY, Person

Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")


class DatasetError(ValueError):
    """A site's tables or images cannot be used as they are; the message says what to mend."""


class PatientInTwoSplitsError(DatasetError):
    """Images of one patient are in two splits, so that test figures would flatter."""


class Box(NamedTuple):
    """Where a finding lies, in pixels of the stored image (the corner at 0, 0 is its own)."""

    finding: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class LabelledImage:
    """One row of a label table.

    Attributes
    ----------
    file:
        Path below the images' folder, or a bare file name.
    patient:
        Whose image it is; never logged.
    labels:
        1.0 present, 0.0 absent, nan unknown, in the order of the classes.
    split:
        Where the table itself puts it, or None.
    boxes:
        Where findings lie, if anybody outlined them.
    person:
        Age and sex, if known.
    series:
        Whose slice it is, or empty; told apart within a patient.
    position:
        Where it lies in its series, in any unit; nan: its file says so.
    """

    file: str
    patient: str
    labels: tuple[float, ...]
    split: Split | None = None
    boxes: tuple[Box, ...] = field(default=())
    person: Person = NOBODY
    series: str = ""
    position: float = math.nan


@dataclass(frozen=True)
class LabelTable:
    """All labelled images of a site.

    Attributes
    ----------
    classes:
        Names of the findings as the table spells them.
    images:
        One entry per image.
    """

    classes: tuple[str, ...]
    images: tuple[LabelledImage, ...]

    def __post_init__(self) -> None:
        if not self.classes:
            raise DatasetError("the table of labels has no class")
        if not self.images:
            raise DatasetError("the table of labels has no image")
        files = [image.file for image in self.images]
        if len(set(files)) != len(files):
            raise DatasetError("the table of labels names an image twice")

    @property
    def labels(self) -> NDArray[np.float32]:
        """``(N, C)``: 1, 0, or nan where nobody knows."""
        return np.array([image.labels for image in self.images], dtype=np.float32)

    def chosen(self, index: Sequence[int]) -> LabelTable:
        """The table of some of its images."""
        return LabelTable(self.classes, tuple(self.images[i] for i in index))
