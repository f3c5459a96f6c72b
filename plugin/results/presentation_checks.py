# SPDX-License-Identifier: AGPL-3.0-or-later
"""What presentation states must have so that viewers show them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from plugin.results import header as read
from plugin.results import sr_tree
from plugin.results.viewer_profiles import ViewerProfile

_PALETTE_BYTES = 512


def presentation_errors(dataset: Dataset, _profile: ViewerProfile) -> Iterator[str]:
    """Errors of a presentation state."""
    if "Laterality" not in dataset:
        yield "Laterality: missing; type 2C without Image Laterality"
    layers = {
        read.text(item, "GraphicLayer") for item in read.items(dataset, "GraphicLayerSequence")
    }
    areas = read.items(dataset, "DisplayedAreaSelectionSequence")
    corner = read.numbers(areas[0], "DisplayedAreaBottomRightHandCorner") if areas else ()
    if len(corner) != 2:
        yield "Displayed Area: missing"
        return
    for annotation in read.items(dataset, "GraphicAnnotationSequence"):
        if read.text(annotation, "GraphicLayer") not in layers:
            yield "Graphic Annotation: its layer isn't described"
        for graphic in read.items(annotation, "GraphicObjectSequence"):
            outline = sr_tree.points(graphic)
            if (outline < 0).any() or (outline > np.array(corner)).any():
                yield "Graphic Object: points lie outside the image"


def colouring_errors(dataset: Dataset, _profile: ViewerProfile) -> Iterator[str]:
    """Errors of a state that colours a heat map."""
    for name in ("Red", "Green", "Blue"):
        table = read.value(dataset, f"{name}PaletteColorLookupTableData")
        if not isinstance(table, bytes) or len(table) != _PALETTE_BYTES:
            yield f"{name} Palette Color Lookup Table: missing or of another length"
    blended = read.items(dataset, "BlendingSequence")
    places = [read.text(item, "BlendingPosition") for item in blended]
    if blended and places != ["UNDERLYING", "SUPERIMPOSED"]:
        yield "Blending Sequence: needs one image set below and one above"
    if not blended and not read.items(dataset, "ReferencedSeriesSequence"):
        yield "Referenced Series: missing; there is nothing to colour"
    if not read.items(dataset, "DisplayedAreaSelectionSequence"):
        yield "Displayed Area: missing"
