# SPDX-License-Identifier: Apache-2.0
"""CT slices in memory."""

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def ct_slice(pixels, position, together):
    """A slice of 8-bit pixels at a position in mm; ``together``: UIDs of its study and series."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.Modality, made.InstanceNumber = "CT", 1
    for keyword, value in together.items():
        setattr(made, keyword, value)
    made.PatientAge, made.PatientSex = "050Y", "F"
    made.Rows, made.Columns = pixels.shape
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.ImagePositionPatient = [0, 0, position]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.WindowCenter, made.WindowWidth = 128, 256
    made.PixelData = np.ascontiguousarray(pixels).tobytes()
    return made
