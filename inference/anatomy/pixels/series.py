# SPDX-License-Identifier: Apache-2.0
"""From the DICOM files of a series to the regions that its slices show, or the reason for none.

The regressor has learned from axial CT slices, and the single-image model from radiographs: they
answer for those and abstain otherwise: another modality, another orientation, pixels that can't be
decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array

from inference.anatomy.pixels.regressor import BodyPartRegressor, Floats, shipped_regressor
from inference.anatomy.pixels.single_image import shipped_single_image_model
from inference.anatomy.regions import in_order
from inference.contract import PixelAnatomyAnswer

FEWEST: Final = 5
"""Slices below which no order can be told."""
SIDE: Final = 48
FIELD_MM: Final = 500.0
_RADIOGRAPHS = frozenset(("CR", "DX", "MG"))
_AIR = -1000.0
_MR_SPAN = 1300.0
_UPRIGHT = 0.9
"""Cosine from which a direction counts as along an axis of the patient: about 25 degrees."""


class Placed(NamedTuple):
    """Slices along the body.

    :param depths: place of each in mm, growing towards the feet.
    :param slices: ``(count, 48, 48)``, 500 mm wide; CT in HU, MR as if it were.
    """

    modality: str
    depths: npt.NDArray[np.float64]
    slices: Floats


class TooFewError(ValueError):
    """The slices fit, but there are too few of them."""


class NotFittingError(ValueError):
    """The pixel model has nothing to say of this series; the message says why, without PHI."""


def recognize_slices(
    instances: Sequence[bytes], regressor: BodyPartRegressor | None = None
) -> PixelAnatomyAnswer:
    """Name the regions of a series by its pixels.

    :param instances: DICOM files of one series in any order, or every n-th of them.
    :param regressor: what places slices; the shipped one if left out.
    :returns: regions and confidence; without regions where the model abstains, with the reason. One
        slice is enough to learn whether the series fits the model at all.
    """
    try:
        if len(instances) == 1 and (radiograph := _radiograph(instances[0])) is not None:
            return _one_image(radiograph)
        knows = regressor or shipped_regressor()
        placed = placed_slices(instances, knows.modalities)
    except NotFittingError as error:
        return PixelAnatomyAnswer(reason=str(error))
    except TooFewError as error:
        return PixelAnatomyAnswer(reason=str(error), wants_more=True)
    answer = knows.recognize(placed.slices)
    return PixelAnatomyAnswer(
        regions=in_order(answer.regions),
        confidence=round(answer.confidence, 4),
        slices=len(placed.slices),
        reason="" if answer.regions else "the slices lie in no region long enough",
    )


def _one_image(picture: Floats) -> PixelAnatomyAnswer:
    answer = shipped_single_image_model().recognize(picture)
    return PixelAnatomyAnswer(
        regions=() if answer.region is None else (answer.region,),
        confidence=round(answer.confidence, 4),
        slices=1,
        reason=answer.reason,
    )


def _radiograph(instance: bytes) -> Floats | None:
    """The image, bright is dense, if it is a single radiograph; None for another modality."""
    try:
        dataset = dcmread(BytesIO(instance), force=True)
        if dataset.get("Modality") not in _RADIOGRAPHS:
            return None
        values = _grey(dataset)
        return -values if dataset.get("PhotometricInterpretation") == "MONOCHROME1" else values
    except NotFittingError:
        raise
    except Exception:  # noqa: BLE001
        # As for slices: messages of decoders can quote the file.
        raise NotFittingError("the image can't be decoded") from None


def _grey(dataset: Dataset) -> Floats:
    if int(dataset.get("NumberOfFrames") or 1) != 1:
        raise NotFittingError("the pixel model knows single-frame objects only")
    stored: npt.NDArray[Any] = pixel_array(dataset)
    if stored.ndim != 2:
        raise NotFittingError("the pixel model knows grey images only")
    values: Floats = stored.astype(np.float32)
    return values


def placed_slices(instances: Sequence[bytes], modalities: Sequence[str]) -> Placed:
    """Slices of a series from head to foot, as the regressor sees them.

    :param instances: DICOM files of one series in any order, or every n-th of them.
    :param modalities: those that fit: ``CT``, ``MR``.
    :raises NotFittingError: they are no axial single-frame slices of such a modality.
    :raises TooFewError: they are, but fewer than :data:`FEWEST`.
    """
    seen = [_placed(instance, modalities) for instance in instances]
    if len(seen) < FEWEST:
        raise TooFewError(f"the pixel model needs {FEWEST} slices of a volume at least")
    # The patient's z axis runs from foot to head (PS3.3 C.7.6.2.1.1).
    seen.sort(key=lambda one: -one[1])
    modality = seen[0][0]
    if any(one[0] != modality for one in seen):
        raise NotFittingError("the slices are of several modalities")
    slices = np.stack([shown for _, _, shown in seen])
    depths = np.asarray([-height for _, height, _ in seen], np.float64)
    return Placed(modality, depths, _like_ct(slices) if modality == "MR" else slices)


def _placed(instance: bytes, modalities: Sequence[str]) -> tuple[str, float, Floats]:
    """Modality, height in mm, and the slice; outside of an MR image there is no number."""
    try:
        dataset = dcmread(BytesIO(instance), force=True)
        _require_axial(dataset, modalities)
        height, modality = float(dataset.ImagePositionPatient[2]), str(dataset.Modality)
        spacing = [float(mm) for mm in dataset.PixelSpacing]
        around = float("nan") if modality == "MR" else _AIR
        return modality, height, _coarse(_values(dataset), spacing, around)
    except NotFittingError:
        raise
    except Exception:  # noqa: BLE001
        # Decoders raise whatever a file provokes, and their messages can quote the file.
        raise NotFittingError("a slice can't be decoded") from None


def _require_axial(dataset: Dataset, modalities: Sequence[str]) -> None:
    if dataset.get("Modality") not in modalities:
        raise NotFittingError(f"the pixel model knows {' and '.join(modalities)} only")
    if int(dataset.get("NumberOfFrames") or 1) != 1:
        raise NotFittingError("the pixel model knows single-frame objects only")
    directions = list(dataset.get("ImageOrientationPatient") or [])
    if len(directions) != 6 or not dataset.get("PixelSpacing"):
        raise NotFittingError("the slices have no place in the patient")
    if abs(float(directions[0])) < _UPRIGHT or abs(float(directions[4])) < _UPRIGHT:
        raise NotFittingError("the pixel model knows axial slices only")


def _values(dataset: Dataset) -> Floats:
    """The slice, rescaled, with the patient's right at the left and the front at the top."""
    stored: npt.NDArray[Any] = pixel_array(dataset)
    if stored.ndim != 2:
        raise NotFittingError("the pixel model knows grey images only")
    slope = float(dataset.get("RescaleSlope", 1.0))
    values: Floats = stored.astype(np.float32) * np.float32(slope)
    values += np.float32(dataset.get("RescaleIntercept", 0.0))
    directions = [float(part) for part in dataset.ImageOrientationPatient]
    if directions[0] < 0:
        values = values[:, ::-1]
    return values[::-1] if directions[4] < 0 else values


def _like_ct(slices: Floats) -> Floats:
    """MR has no units: the middle 96 % of a volume's values are spread over -1000 to 300."""
    low, high = np.nanquantile(slices, (0.02, 0.98))
    if not high > low:
        raise NotFittingError("the slices are plain")
    spread = _AIR + _MR_SPAN * np.clip((slices - low) / (high - low), 0.0, 1.0)
    shown: Floats = np.nan_to_num(spread, nan=_AIR).astype(np.float32)
    return shown


def _coarse(values: npt.NDArray[Any], spacing: Sequence[float], around: float = _AIR) -> Floats:
    """Means over a grid of 48 x 48, 500 mm wide around the middle; ``around`` without a pixel."""
    down, across = (_cells(n, mm) for n, mm in zip(values.shape, spacing, strict=True))
    inside_down, inside_across = ((one >= 0) & (one < SIDE) for one in (down, across))
    kept = values[inside_down][:, inside_across]
    at = down[inside_down][:, None] * SIDE + across[inside_across][None, :]
    summed = np.bincount(at.ravel(), kept.ravel(), SIDE * SIDE)
    counted = np.bincount(at.ravel(), minlength=SIDE * SIDE)
    means = np.where(counted > 0, summed / np.maximum(counted, 1), around)
    return means.reshape(SIDE, SIDE).astype(np.float32)


def _cells(count: int, mm: float) -> npt.NDArray[np.int64]:
    """Cell of the grid that each pixel of a row or column lies in; below 0 or from 48 on: none."""
    places = (np.arange(count) + 0.5 - count / 2) * mm
    cells: npt.NDArray[np.int64] = np.floor(places / FIELD_MM * SIDE + SIDE / 2).astype(np.int64)
    return cells
