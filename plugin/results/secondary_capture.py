# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Secondary Capture (PS3.3 A.8.1): the result as a picture, where viewers draw no overlay."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import SecondaryCaptureImageStorage

from plugin.results import codes
from plugin.results.envelope import new_object, seal
from plugin.results.objects import ResultObject
from plugin.results.picture import draw, with_words
from plugin.results.scan_result import ImageResult, ScanResult


def build_captures(result: ScanResult) -> list[ResultObject]:
    """One picture per image worth a look, or of the scan's leading image where none is."""
    return [_capture(result, image) for image in result.key_images]


def _capture(result: ScanResult, image: ImageResult) -> ResultObject:
    source = image.source
    part = (source.sop_instance_uid, source.frame_number)
    dataset = new_object(result, "SC", str(SecondaryCaptureImageStorage), image, part)
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.PatientOrientation = ""
    # Type 2C; pictures of both sides share a series.
    dataset.Laterality = ""
    # The words, and whatever is burned into the original.
    dataset.BurnedInAnnotation = "YES"
    dataset.ImageComments = result.disclaimer
    dataset.DerivationDescription = f"Heat map and outlines of {result.title}"[:1024]
    reference = source.reference()
    reference.PurposeOfReferenceCodeSequence = [
        codes.code_item(dictionary.DCM.SourceImageForImageProcessingOperation)
    ]
    dataset.SourceImageSequence = [reference]
    _pixels(dataset, np.asarray(with_words(result, image, draw(result, image))))
    return ResultObject("SC", seal(dataset, result))


def _pixels(dataset: Dataset, picture: np.ndarray) -> None:
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = picture.shape[:2]
    dataset.BitsAllocated = 8
    dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.LossyImageCompression = "00"
    data = picture.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB"
