# SPDX-License-Identifier: AGPL-3.0-or-later
"""Heat maps as pictures: colours, smoothing, anatomical masks, regions, and a fast PNG writer.

Nothing in here talks to Orthanc: the same functions answer REST and the command line.
"""

from plugin.heatmaps.pictures import (
    Layer,
    composite,
    heat_map,
    overlay,
    probability_layer,
    saliency,
)
from plugin.heatmaps.placement import Placement

__all__ = [
    "Layer",
    "Placement",
    "composite",
    "heat_map",
    "overlay",
    "probability_layer",
    "saliency",
]
