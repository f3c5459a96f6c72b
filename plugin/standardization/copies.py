# SPDX-License-Identifier: AGPL-3.0-or-later
"""A modified copy of an instance: new UIDs, standard values, and what stood there before.

What was changed or removed lies in an item of the Original Attributes Sequence (PS3.3 C.12.1.1.9).
Pixel data and transfer syntax stay as they are. The copy carries Sidelight's private mark, so it is
never analysed.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

from plugin import __version__
from plugin.results import header as read
from plugin.results.codes import DCM
from plugin.results.discretion import values_unquoted
from plugin.results.private import MANUFACTURER, STANDARDIZED_COPY, PrivateElement, mark
from plugin.results.uids import derive
from plugin.standardization.original_attributes import change


class CopyError(ValueError):
    """No copy can be made; the message holds nothing of the original's header."""


class CopyUids(NamedTuple):
    """Identity of a copy."""

    instance: str
    series: str


def copy_uids(original: bytes, changes: Mapping[str, str | None]) -> CopyUids:
    """The UIDs that a copy has; the same for the same original and changes.

    Raises:
        CopyError: the original can't be read, or has no usable UIDs.
    """
    tags = ["SOPInstanceUID", "SeriesInstanceUID"]
    try:
        header = pydicom.dcmread(io.BytesIO(original), specific_tags=tags, stop_before_pixels=True)
    except Exception as error:  # noqa: BLE001 - as in modified_copy
        raise CopyError(f"the original can't be read ({type(error).__name__})") from None
    return _uids(header, changes)


def modified_copy(original: bytes, changes: Mapping[str, str | None]) -> bytes:
    """Copy an instance with some attributes set anew.

    Args:
        original: a PS3.10 file.
        changes: values by DICOM keyword, each valid for its VR; None removes the attribute.

    Raises:
        CopyError: the original can't be read or written again.
    """
    with values_unquoted():
        try:
            dataset = pydicom.dcmread(io.BytesIO(original))
            uids = _uids(dataset, changes)
            identity = {"SOPInstanceUID": uids.instance, "SeriesInstanceUID": uids.series}
            change(dataset, {**changes, **identity})
            dataset.file_meta.MediaStorageSOPInstanceUID = UID(uids.instance)
            _sign(dataset)
            buffer = io.BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
        except CopyError:
            raise
        except Exception as error:  # noqa: BLE001
            # pydicom raises whatever a broken file provokes, and its messages can quote the file.
            raise CopyError(f"the original can't be copied ({type(error).__name__})") from None
    return buffer.getvalue()


def _uids(header: Dataset, changes: Mapping[str, str | None]) -> CopyUids:
    instance, series = (read.text(header, k) for k in ("SOPInstanceUID", "SeriesInstanceUID"))
    if not instance or not series:
        raise CopyError("the original has no usable SOPInstanceUID or SeriesInstanceUID")
    digest = hashlib.sha256(json.dumps(sorted(changes.items())).encode()).hexdigest()
    return CopyUids(
        derive("standardized", instance, digest), derive("standardized series", series, digest)
    )


def _sign(dataset: Dataset) -> None:
    """Say who changed it, and that it is ours."""
    equipment, purpose = Dataset(), Dataset()
    code = DCM.ModifyingEquipment
    purpose.CodeValue, purpose.CodingSchemeDesignator = code.value, code.scheme_designator
    purpose.CodeMeaning = code.meaning
    equipment.PurposeOfReferenceCodeSequence = [purpose]
    equipment.Manufacturer = equipment.ManufacturerModelName = MANUFACTURER
    equipment.SoftwareVersions = __version__
    equipment.ContributionDescription = STANDARDIZED_COPY
    earlier = read.items(dataset, "ContributingEquipmentSequence")
    dataset.ContributingEquipmentSequence = [*earlier, equipment]
    values = {
        PrivateElement.SOFTWARE_VERSION: __version__,
        PrivateElement.PURPOSE: STANDARDIZED_COPY,
    }
    mark(dataset, values)
