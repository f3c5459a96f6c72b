# SPDX-License-Identifier: AGPL-3.0-or-later
"""Presentation states: outlines and labels drawn on the original.

Grayscale Softcopy Presentation State (PS3.3 A.33.1) for grayscale originals, Color Softcopy
Presentation State (A.33.2) for RGB, YBR and palette ones, which the grayscale one may not refer to.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from highdicom.color import CIELabColor
from highdicom.pr import GraphicLayer, GraphicObject, TextObject
from PIL import ImageCms
from pydicom.dataset import Dataset
from pydicom.uid import (
    ColorSoftcopyPresentationStateStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)
from pydicom.valuerep import DSfloat

from plugin.results import header as read
from plugin.results.envelope import new_object, seal, shorten
from plugin.results.grayscale import copy_pipeline
from plugin.results.objects import ResultObject
from plugin.results.regions import LocatedFinding, Region
from plugin.results.report import percent, region_uid
from plugin.results.scan_result import ImageResult, ScanResult

CONTENT_LABEL = "SIDELIGHT"
NOTICE_LAYER = "NOTICE"
_NOTICE_COLOUR = (255, 255, 255)
_NOTICE_BOX = (0.01, 0.95, 0.99, 0.99)


def build_presentations(result: ScanResult) -> list[ResultObject]:
    """The presentation states of one scan that has regions.

    One for all images that go through the same pipeline: a state holds one modality
    transformation, and PET slices have each their own.
    """
    together: dict[object, list[ImageResult]] = {}
    for image in result.images:
        if image.located:
            together.setdefault(_pipeline_of(image), []).append(image)
    return [_state(result, images, number) for number, images in enumerate(together.values())]


def _state(result: ScanResult, images: Sequence[ImageResult], number: int) -> ResultObject:
    colour = images[0].source.colour
    sop_class = (
        ColorSoftcopyPresentationStateStorage
        if colour
        else GrayscaleSoftcopyPresentationStateStorage
    )
    dataset = new_object(result, "PR", str(sop_class), images[0], (number,) if number else ())
    identify_state(dataset, result, images)
    dataset.DisplayedAreaSelectionSequence = [displayed_area(image) for image in images]
    if len(images) > 1:
        for item, image in zip(dataset.DisplayedAreaSelectionSequence, images, strict=True):
            item.ReferencedImageSequence = [image.source.reference()]
    _graphics(dataset, result, images)
    if colour:
        dataset.ICCProfile = icc_profile(images[0].header)
    else:
        _copy_pipelines(dataset, images)
    return ResultObject("PR", seal(dataset, result))


def _pipeline_of(image: ImageResult) -> object:
    if image.source.colour:
        profile = read.value(image.header, "ICCProfile")
        return ("colour", profile if isinstance(profile, bytes) else b"")
    pipeline = Dataset()
    copy_pipeline(image.header, image.source, pipeline)
    if "SoftcopyVOILUTSequence" in pipeline:
        del pipeline.SoftcopyVOILUTSequence  # may differ from image to image
    return pipeline.to_json()


def _copy_pipelines(dataset: Dataset, images: Sequence[ImageResult]) -> None:
    """Modality and presentation LUT for all, the window of each image."""
    windows: dict[str, tuple[Dataset, list[Dataset]]] = {}
    for image in images:
        copy_pipeline(image.header, image.source, dataset)
        windowed = read.items(dataset, "SoftcopyVOILUTSequence")
        for item in windowed:
            known = windows.setdefault(item.to_json(), (item, []))
            known[1].append(image.source.reference())
        if windowed:
            del dataset.SoftcopyVOILUTSequence
    if not windows:
        return
    if len(windows) > 1 or sum(len(images) for _, images in windows.values()) < len(images):
        for item, references in windows.values():
            item.ReferencedImageSequence = references
    dataset.SoftcopyVOILUTSequence = [item for item, _ in windows.values()]


def identify_state(dataset: Dataset, result: ScanResult, images: Sequence[ImageResult]) -> None:
    """Presentation State Identification and Relationship modules (PS3.3 C.11.10, C.11.11)."""
    dataset.PresentationCreationDate = dataset.InstanceCreationDate
    dataset.PresentationCreationTime = dataset.InstanceCreationTime
    dataset.ContentLabel = CONTENT_LABEL
    dataset.ContentDescription = shorten(result.disclaimer)
    dataset.ContentCreatorName = "Sidelight"
    # Type 2C of the General Series; the states of one study share a series, whatever their side.
    dataset.Laterality = ""
    series: dict[str, Dataset] = {}
    for image in images:
        source = image.source
        item = series.setdefault(source.series_uid, Dataset())
        item.SeriesInstanceUID = source.series_uid
        references = [*item.get("ReferencedImageSequence", ()), source.reference()]
        item.ReferencedImageSequence = references
    dataset.ReferencedSeriesSequence = list(series.values())


def displayed_area(image: ImageResult) -> Dataset:
    """An item of the Displayed Area Selection Sequence: the whole image (PS3.3 C.10.4)."""
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [image.source.columns, image.source.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    spacing = image.source.spacing
    if spacing is not None:
        area.PresentationPixelSpacing = [DSfloat(part, auto_format=True) for part in spacing]
    else:
        ratio = [int(part) for part in read.numbers(image.header, "PixelAspectRatio")]
        usable = len(ratio) == 2 and min(ratio) > 0
        area.PresentationPixelAspectRatio = ratio if usable else [1, 1]
    return area


def _graphics(dataset: Dataset, result: ScanResult, images: Sequence[ImageResult]) -> None:
    layers = {
        finding.key: _layer(f"FINDING {order}", order, finding.name, finding.colour)
        for order, finding in enumerate(result.found, start=1)
    }
    annotations = [
        _annotation(result, layers[located.finding.key], image, located)
        for image in images
        for located in image.located
        if located.regions
    ]
    notice = _layer(NOTICE_LAYER, len(layers) + 1, "What this result is", _NOTICE_COLOUR)
    dataset.GraphicLayerSequence = [*layers.values(), notice]
    dataset.GraphicAnnotationSequence = [*annotations, _notice(result, images)]


def _layer(name: str, order: int, description: str, colour: tuple[int, int, int]) -> GraphicLayer:
    shade = CIELabColor.from_rgb(*colour)
    return GraphicLayer(name, order, shorten(description), shade)


def _annotation(
    result: ScanResult, layer: GraphicLayer, image: ImageResult, located: LocatedFinding
) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [image.source.reference()]
    item.GraphicLayer = layer.GraphicLayer
    item.TextObjectSequence = [_label(region) for region in located.regions]
    item.GraphicObjectSequence = [_outline(result, image, region) for region in located.regions]
    return item


def _outline(result: ScanResult, image: ImageResult, region: Region) -> GraphicObject:
    return GraphicObject(
        graphic_type="POLYLINE",
        graphic_data=region.outline,
        units="PIXEL",
        tracking_id=f"{region.finding.key} {region.number}",
        tracking_uid=region_uid(result, image, region),
    )


def _label(region: Region) -> TextObject:
    """Finding and probability at the region's uppermost point."""
    top = region.outline[np.argmin(region.outline[:, 1])]
    return TextObject(
        f"{region.finding.name} {percent(region.probability):.0f} %",
        units="PIXEL",
        anchor_point=(float(top[0]), float(top[1])),
        anchor_point_visible=False,
    )


def _notice(result: ScanResult, images: Sequence[ImageResult]) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [image.source.reference() for image in images]
    item.GraphicLayer = NOTICE_LAYER
    words = f"{result.title}: {result.disclaimer}"
    item.TextObjectSequence = [
        TextObject(shorten(words, 1024), units="DISPLAY", bounding_box=_NOTICE_BOX)
    ]
    return item


def icc_profile(header: Dataset) -> bytes:
    """The original's profile, or sRGB."""
    found = read.value(header, "ICCProfile")
    return found if isinstance(found, bytes) else _srgb()


@cache
def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
