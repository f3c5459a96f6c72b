# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers from files, and files from headers; with identity, so that they stay in memory."""

from __future__ import annotations

import io

import pydicom
from pydicom.dataset import Dataset


class UnreadableScanError(ValueError):
    """The stored file is not DICOM that can be read; another try would change nothing."""


def header_in(original: bytes) -> Dataset:
    """The header of a file, or of what of it lies before its pixel data.

    Raises:
        UnreadableScanError: it can't be read.
    """
    try:
        return pydicom.dcmread(io.BytesIO(original), stop_before_pixels=True, force=True)
    except Exception as error:  # noqa: BLE001
        # pydicom raises whatever a broken file provokes, and its messages can quote the file.
        raise UnreadableScanError(
            f"the file can't be read as DICOM ({type(error).__name__})"
        ) from None


def file_with(header: Dataset) -> bytes:
    """A file that has this header and no pixels.

    Raises:
        UnreadableScanError: the header can't be written.
    """
    buffer = io.BytesIO()
    try:
        header.save_as(buffer, enforce_file_format=True)
    except Exception as error:  # noqa: BLE001 - as above
        raise UnreadableScanError(f"the header can't be read ({type(error).__name__})") from None
    return buffer.getvalue()
