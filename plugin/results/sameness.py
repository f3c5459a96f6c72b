# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether an object says the same as one that is stored already.

Objects of the same run have the same UIDs, but the time at which they were made. A stored one that
says the same stays as it is, so that a repeated analysis leaves no trace in the archive.
"""

from __future__ import annotations

from io import BytesIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from plugin.results.discretion import values_unquoted

_OF_THE_MAKING = (
    "InstanceCreationDate",
    "InstanceCreationTime",
    "ContentDate",
    "ContentTime",
    "PresentationCreationDate",
    "PresentationCreationTime",
    # Known only once, at the first run of a new model.
    "PredecessorDocumentsSequence",
)


def says_the_same(stored: bytes, made: bytes) -> bool:
    """Whether two PS3.10 files differ in nothing but when they were made."""
    with values_unquoted():
        try:
            return _content(stored) == _content(made)
        except InvalidDicomError:
            return False


def _content(dicom: bytes) -> Dataset:
    dataset = pydicom.dcmread(BytesIO(dicom))
    for keyword in _OF_THE_MAKING:
        if keyword in dataset:
            del dataset[keyword]
    return dataset
