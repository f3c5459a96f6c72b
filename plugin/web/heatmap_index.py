# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the index of an image's heat maps says about each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plugin.configuration.heat_maps import HeatMapSection
from plugin.heatmaps.class_colours import distinct_colours
from plugin.heatmaps.finding_regions import region_of
from plugin.heatmaps.ordering import Order, Pair
from plugin.web.addresses import heatmap_links, instance_links
from plugin.web.images import AnalysedImage


def index_of(
    found: AnalysedImage, pairs: Sequence[Pair], order: Order, section: HeatMapSection
) -> dict[str, Any]:
    """The index as JSON: the image, its model, and the heat maps in order."""
    model = found.findings.model
    colours = distinct_colours(model.classes)
    return {
        "instance": found.scan.instance,
        "study": found.scan.study,
        "status": str(found.scan.state.status),
        "version": found.version,
        "order": order,
        "rows": found.image.rows,
        "columns": found.image.columns,
        "frame": found.image.frame_number,
        "extent": found.image.extent.model_dump(),
        "model": {"name": model.name, "version": model.version, "title": model.title,
                  "digest": model.digest},
        "disclaimer": model.disclaimer,
        "heatmaps": [_entry(found, pair, colours, section) for pair in pairs],
        "links": instance_links(found.scan.instance),
    }  # fmt: skip


def _entry(
    found: AnalysedImage,
    pair: Pair,
    colours: dict[str, tuple[int, int, int]],
    section: HeatMapSection,
) -> dict[str, Any]:
    finding, item = pair
    return {
        "key": finding.key,
        "name": finding.name,
        "code": finding.code.model_dump(),
        "probability": item.probability,
        "present": item.present,
        "threshold": finding.threshold,
        "patch_threshold": finding.patch_threshold,
        "severity": finding.severity,
        "colour": list(finding.colour),
        "distinct_colour": list(colours[finding.key]),
        "region": region_of(finding.key, section.regions),
        "smoothing": section.smoothing_by_finding.get(finding.key, section.smoothing),
        "levels": sorted(item.maps, reverse=True),
        "links": heatmap_links(found.scan.instance, finding.key),
    }
