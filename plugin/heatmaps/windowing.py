# SPDX-License-Identifier: AGPL-3.0-or-later
"""A DICOM image as a reader sees it, without an Orthanc to render it (PS3.3 C.11)."""

from __future__ import annotations

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut


class UnshowableImageError(ValueError):
    """The pixels can't be decoded; says what is wrong, without anything of the patient."""


def windowed(dataset: Dataset, frame: int = 1) -> Image.Image:
    """One frame after modality LUT and the first VOI LUT or window, MONOCHROME1 inverted.

    Without a window, from the lowest to the highest value. Frames count from 1.

    Raises:
        UnshowableImageError: there are no pixels, or they can't be decoded.
    """
    try:
        pixels = dataset.pixel_array
    except Exception as error:  # noqa: BLE001 - decoders raise whatever a broken file provokes
        raise UnshowableImageError(
            f"the pixels can't be decoded ({type(error).__name__})"
        ) from None
    if int(dataset.get("NumberOfFrames", 1) or 1) > 1:
        pixels = pixels[frame - 1]
    if pixels.ndim == 3:
        return Image.fromarray(pixels.astype(np.uint8), "RGB")
    values = np.asarray(apply_voi_lut(apply_modality_lut(pixels, dataset), dataset), np.float64)
    low, high = float(values.min()), float(values.max())
    if "WindowWidth" in dataset:
        low, high = _ends(dataset, low, high)
    grey = np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0)
    if str(dataset.PhotometricInterpretation) == "MONOCHROME1":
        grey = 1.0 - grey
    return Image.fromarray(np.rint(grey * 255).astype(np.uint8))


def _ends(dataset: Dataset, low: float, high: float) -> tuple[float, float]:
    """What pydicom maps a window to: the range of the output of the modality LUT."""
    if int(dataset.PixelRepresentation):
        ends = -(2.0 ** (dataset.BitsStored - 1)), 2.0 ** (dataset.BitsStored - 1) - 1
    else:
        ends = 0.0, 2.0**dataset.BitsStored - 1
    slope = float(dataset.get("RescaleSlope", 1) or 1)
    intercept = float(dataset.get("RescaleIntercept", 0) or 0)
    lowest, highest = sorted(end * slope + intercept for end in ends)
    return min(lowest, low), max(highest, high)
