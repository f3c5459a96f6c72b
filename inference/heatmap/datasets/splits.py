# SPDX-License-Identifier: Apache-2.0
"""Patient-wise splits: all images of one patient train, or validate, or test."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from inference.heatmap.datasets.labelled import (
    SPLITS,
    DatasetError,
    LabelTable,
    PatientInTwoSplitsError,
    Split,
)

_VALIDATION, _TEST = 0.1, 0.2


def split_by_patient(table: LabelTable, seed: int = 1) -> dict[Split, LabelTable]:
    """Training, validation and test part of a table.

    Where the table itself names splits, they are kept. Patients without one are drawn by a hash of
    ``seed`` and patient, so that a patient stays where they are when images are added: 70 %
    training, 10 % validation, 20 % test; where the table has a test part of its own, 90 % and 10 %.

    Raises
    ------
    PatientInTwoSplitsError
        The table puts images of a patient into two splits.
    DatasetError
        A split would be empty.
    """
    stated = _stated(table)
    has_test = "test" in stated.values()
    where: dict[Split, list[int]] = {split: [] for split in SPLITS}
    for index, image in enumerate(table.images):
        split = stated.get(image.patient) or _drawn(image.patient, seed, has_test=has_test)
        where[split].append(index)
    empty = [split for split, index in where.items() if not index]
    if empty:
        raise DatasetError(
            f"no patient is left for {', '.join(empty)}; give more patients or a split column"
        )
    return {split: table.chosen(index) for split, index in where.items()}


def _stated(table: LabelTable) -> dict[str, Split]:
    """The split of each patient that the table puts somewhere."""
    found: dict[str, set[Split | None]] = defaultdict(set)
    for image in table.images:
        found[image.patient].add(image.split)
    # An image left open beside a test image of the same patient is in two splits as well.
    torn = sum(len(splits) > 1 for splits in found.values())
    if torn:
        raise PatientInTwoSplitsError(
            f"{torn} patient(s) have images in two splits; put each patient into one"
        )
    return {patient: split for patient, (split,) in found.items() if split is not None}


def _drawn(patient: str, seed: int, *, has_test: bool) -> Split:
    digest = hashlib.blake2b(f"{seed}/{patient}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < _VALIDATION:
        return "validation"
    return "test" if not has_test and place < _VALIDATION + _TEST else "training"
