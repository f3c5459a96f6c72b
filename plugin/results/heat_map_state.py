# SPDX-License-Identifier: AGPL-3.0-or-later
"""The state that gives a heat map its colours.

Where the images lie in a frame of reference, a Blending Softcopy Presentation State (PS3.3 A.33.4)
lays the coloured map over them. Blending needs a common frame of reference (C.11.14.1.1); a
projection has none, so there a Pseudo-Color Softcopy Presentation State (A.33.3) colours the map
itself. Either way the map is the FRACTIONAL segmentation, whose stored values are grey levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    BlendingSoftcopyPresentationStateStorage,
    PseudoColorSoftcopyPresentationStateStorage,
)
from pydicom.valuerep import DSfloat

from plugin.results.envelope import new_object, seal
from plugin.results.grayscale import copy_pipeline
from plugin.results.objects import ResultObject
from plugin.results.presentation import displayed_area, icc_profile, identify_state
from plugin.results.scan_result import ImageResult, ScanResult

OPACITY = 0.5
_STEPS = 256
# Black-body colours: brightness rises with the probability, so it reads without colour vision too.
_STOPS = ((0, (0, 0, 0)), (96, (180, 0, 0)), (176, (255, 140, 0)), (255, (255, 255, 190)))


def build_heat_map_state(result: ScanResult, fractions: ResultObject) -> ResultObject:
    """The state for one FRACTIONAL segmentation of this scan."""
    images = _images_of(result, fractions.dataset)
    blended = images[0].source.geometry is not None and not images[0].source.colour
    sop_class = (
        BlendingSoftcopyPresentationStateStorage
        if blended
        else PseudoColorSoftcopyPresentationStateStorage
    )
    dataset = new_object(
        result, "PR-HEATMAP", str(sop_class), images[0], (fractions.sop_instance_uid,)
    )
    identify_state(dataset, result, images)
    dataset.ICCProfile = icc_profile(Dataset())
    _write_palette(dataset)
    area = displayed_area(images[0])
    if blended:
        # The blended images are named by the Blending module instead (PS3.3 C.11.14).
        del dataset.ReferencedSeriesSequence
        dataset.BlendingSequence = [
            _under(images),
            _over(fractions.dataset, images[0]),
        ]
        dataset.RelativeOpacity = OPACITY
        area.ReferencedImageSequence = [image.source.reference() for image in images]
    else:
        dataset.ReferencedSeriesSequence = [_map_series(fractions.dataset)]
    dataset.DisplayedAreaSelectionSequence = [area]
    return ResultObject("PR-HEATMAP", seal(dataset, result))


def _images_of(result: ScanResult, segmentation: Dataset) -> list[ImageResult]:
    shown = {
        source.ReferencedSOPInstanceUID
        for frame in segmentation.PerFrameFunctionalGroupsSequence
        for derivation in frame.DerivationImageSequence
        for source in derivation.SourceImageSequence
    }
    return [image for image in result.images if image.source.sop_instance_uid in shown]


def _under(images: Sequence[ImageResult]) -> Dataset:
    item = Dataset()
    item.BlendingPosition = "UNDERLYING"
    item.StudyInstanceUID = images[0].source.study_uid
    by_series: dict[str, list[Dataset]] = {}
    for image in images:
        by_series.setdefault(image.source.series_uid, []).append(image.source.reference())
    item.ReferencedSeriesSequence = []
    for uid, references in by_series.items():
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedImageSequence = references
        item.ReferencedSeriesSequence.append(series)
    pipeline = Dataset()
    copy_pipeline(images[0].header, images[0].source, pipeline)
    # Blending has no presentation LUT of its own (PS3.4 N.2.6).
    del pipeline.PresentationLUTShape
    if not {"ModalityLUTSequence", "RescaleSlope"} & set(pipeline.dir()):
        _write_identity(pipeline)
    item.update(pipeline)
    return item


def _over(segmentation: Dataset, image: ImageResult) -> Dataset:
    item = Dataset()
    item.BlendingPosition = "SUPERIMPOSED"
    item.StudyInstanceUID = image.source.study_uid
    item.ReferencedSeriesSequence = [_map_series(segmentation)]
    _write_identity(item)
    # Stored values 0 ... 255 go through the palette as they are.
    window = Dataset()
    window.WindowCenter = DSfloat(_STEPS / 2)
    window.WindowWidth = DSfloat(_STEPS)
    item.SoftcopyVOILUTSequence = [window]
    return item


def _write_identity(item: Dataset) -> None:
    """A modality transformation is mandatory here (PS3.3 Table C.11.14-1)."""
    item.RescaleIntercept, item.RescaleSlope, item.RescaleType = "0", "1", "US"


def _map_series(segmentation: Dataset) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = segmentation.SOPClassUID
    reference.ReferencedSOPInstanceUID = segmentation.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = segmentation.SeriesInstanceUID
    series.ReferencedImageSequence = [reference]
    return series


def _write_palette(dataset: Dataset) -> None:
    """Palette Color Lookup Table module (PS3.3 C.7.9), 16 bit."""
    for name, values in zip(("Red", "Green", "Blue"), _palette().T, strict=True):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [_STEPS, 0, 16])
        data = (values.astype(np.uint16) * 257).astype("<u2").tobytes()
        setattr(dataset, f"{name}PaletteColorLookupTableData", data)


@cache
def _palette() -> np.ndarray:
    at = [stop for stop, _ in _STOPS]
    steps = np.arange(_STEPS)
    channels = [np.interp(steps, at, [colour[i] for _, colour in _STOPS]) for i in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)
