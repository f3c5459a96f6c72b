# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a caller wants a heat map drawn, read from the query of a request."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

from inference.contract import ClassProbability, FindingClass
from plugin.configuration.heat_maps import HeatMapSection
from plugin.heatmaps.finding_regions import region_of
from plugin.heatmaps.masks import REGIONS, RegionName
from plugin.web.parameters import Parameters

WIDEST = 16384
DEFAULT_OPACITY = 0.6
COMMON = ("opacity", "smooth", "strength", "mask", "width", "style", "version")
"""Parameters that one heat map and several in one picture share."""

Style = Literal["probability", "saliency"]


class Look(NamedTuple):
    """How one finding is drawn.

    Attributes:
        style: colours by probability, or one colour where it reaches ``threshold``.
        threshold: of ``saliency``; and below it ``probability`` has no colour.
        smoothing: 0 to 1, see ``plugin.heatmaps.placement``.
        region: where colour is allowed.
    """

    style: Style
    threshold: float
    opacity: float
    smoothing: float
    level: int
    region: RegionName


class Looks:
    """Reads looks; what a request does not say comes from the configuration."""

    def __init__(self, section: HeatMapSection) -> None:
        self._section = section

    def read(self, query: Parameters, finding: FindingClass, item: ClassProbability) -> Look:
        """The look of one finding.

        Raises:
            RequestError: 400 for a value that is not allowed.
        """
        style = cast("Style", query.choice("style", ("probability", "saliency")) or "probability")
        default = finding.patch_threshold if style == "saliency" else 0.0
        return Look(
            style=style,
            threshold=query.fraction("threshold", default),
            opacity=query.fraction("opacity", DEFAULT_OPACITY),
            smoothing=self._smoothing(query, finding.key),
            level=query.level(item.maps),
            region=self._region(query, finding.key),
        )

    def _smoothing(self, query: Parameters, finding: str) -> float:
        configured = self._section.smoothing_by_finding.get(finding, self._section.smoothing)
        strength = query.fraction("strength", configured)
        return strength if query.flag("smooth", default=True) else 0.0

    def _region(self, query: Parameters, finding: str) -> RegionName:
        asked = query.choice("mask", ("auto", *REGIONS)) or "none"
        if asked == "auto":
            return region_of(finding, self._section.regions)
        return cast("RegionName", asked)
