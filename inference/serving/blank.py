# SPDX-License-Identifier: Apache-2.0
"""An image without content, to take a model through a first analysis before requests come."""

from __future__ import annotations

from io import BytesIO

_SIDE = 256


def blank_radiograph() -> bytes:
    """A frontal chest radiograph (DX) that is black all over and belongs to nobody, as a file."""
    from pydicom import Dataset  # noqa: PLC0415 - the service starts without it
    from pydicom.dataset import FileMetaDataset  # noqa: PLC0415
    from pydicom.uid import (  # noqa: PLC0415
        DigitalXRayImageStorageForPresentation,
        ExplicitVRLittleEndian,
        generate_uid,
    )

    ds = Dataset()
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = generate_uid(entropy_srcs=["sidelight", "blank radiograph"])
    ds.Modality = "DX"
    ds.BodyPartExamined = "CHEST"
    ds.ViewPosition = "PA"
    ds.PatientIdentityRemoved = "YES"
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.PresentationLUTShape = "IDENTITY"
    ds.Rows = ds.Columns = _SIDE
    ds.SamplesPerPixel = 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelRepresentation = 0
    ds.PixelData = bytes(2 * _SIDE * _SIDE)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()
