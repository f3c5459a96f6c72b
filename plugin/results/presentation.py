# SPDX-License-Identifier: AGPL-3.0-or-later
"""The presentation state: outlines and labels drawn on the original.

Grayscale Softcopy Presentation State (PS3.3 A.33.1) for grayscale originals, Color Softcopy
Presentation State (A.33.2) for RGB, YBR and palette ones, which the grayscale one may not refer to.
"""

from __future__ import annotations

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
from plugin.results.image_result import ImageResult
from plugin.results.objects import ResultObject
from plugin.results.regions import LocatedFinding, Region
from plugin.results.report import percent, region_uid

CONTENT_LABEL = "SIDELIGHT"
NOTICE_LAYER = "NOTICE"
_NOTICE_COLOUR = (255, 255, 255)
_NOTICE_BOX = (0.01, 0.95, 0.99, 0.99)


def build_presentation(result: ImageResult) -> ResultObject:
    """The presentation state of one image that has regions."""
    colour = result.source.colour
    sop_class = (
        ColorSoftcopyPresentationStateStorage
        if colour
        else GrayscaleSoftcopyPresentationStateStorage
    )
    dataset = new_object(result, "PR", str(sop_class))
    _identification(dataset, result)
    _displayed_area(dataset, result)
    _graphics(dataset, result)
    if colour:
        dataset.ICCProfile = _icc_profile(result.header)
    else:
        copy_pipeline(result.header, result.source, dataset)
    return ResultObject("PR", seal(dataset, result))


def _identification(dataset: Dataset, result: ImageResult) -> None:
    dataset.PresentationCreationDate = dataset.InstanceCreationDate
    dataset.PresentationCreationTime = dataset.InstanceCreationTime
    dataset.ContentLabel = CONTENT_LABEL
    dataset.ContentDescription = shorten(result.disclaimer)
    dataset.ContentCreatorName = "Sidelight"
    # Type 2C of the General Series; the states of one study share a series, whatever their side.
    dataset.Laterality = ""
    series = Dataset()
    series.SeriesInstanceUID = result.source.series_uid
    series.ReferencedImageSequence = [result.source.reference()]
    dataset.ReferencedSeriesSequence = [series]


def _displayed_area(dataset: Dataset, result: ImageResult) -> None:
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [result.source.columns, result.source.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    spacing = result.source.spacing
    if spacing is not None:
        area.PresentationPixelSpacing = [DSfloat(part, auto_format=True) for part in spacing]
    else:
        ratio = [int(part) for part in read.numbers(result.header, "PixelAspectRatio")]
        usable = len(ratio) == 2 and min(ratio) > 0
        area.PresentationPixelAspectRatio = ratio if usable else [1, 1]
    dataset.DisplayedAreaSelectionSequence = [area]


def _graphics(dataset: Dataset, result: ImageResult) -> None:
    layers = [
        _layer(f"FINDING {order}", order, located.finding.name, located.finding.colour)
        for order, located in enumerate(result.located, start=1)
    ]
    annotations = [
        _annotation(result, layer, located)
        for layer, located in zip(layers, result.located, strict=True)
    ]
    notice = _layer(NOTICE_LAYER, len(layers) + 1, "What this result is", _NOTICE_COLOUR)
    dataset.GraphicLayerSequence = [*layers, notice]
    dataset.GraphicAnnotationSequence = [*annotations, _notice(result)]


def _layer(name: str, order: int, description: str, colour: tuple[int, int, int]) -> GraphicLayer:
    shade = CIELabColor.from_rgb(*colour)
    return GraphicLayer(name, order, shorten(description), shade)


def _annotation(result: ImageResult, layer: GraphicLayer, located: LocatedFinding) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [result.source.reference()]
    item.GraphicLayer = layer.GraphicLayer
    item.TextObjectSequence = [_label(region) for region in located.regions]
    item.GraphicObjectSequence = [_outline(result, region) for region in located.regions]
    return item


def _outline(result: ImageResult, region: Region) -> GraphicObject:
    return GraphicObject(
        graphic_type="POLYLINE",
        graphic_data=region.outline,
        units="PIXEL",
        tracking_id=f"{region.finding.key} {region.number}",
        tracking_uid=region_uid(result, region),
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


def _notice(result: ImageResult) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [result.source.reference()]
    item.GraphicLayer = NOTICE_LAYER
    words = f"{result.title}: {result.disclaimer}"
    item.TextObjectSequence = [
        TextObject(shorten(words, 1024), units="DISPLAY", bounding_box=_NOTICE_BOX)
    ]
    return item


def _icc_profile(header: Dataset) -> bytes:
    found = read.value(header, "ICCProfile")
    return found if isinstance(found, bytes) else _srgb()


@cache
def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
