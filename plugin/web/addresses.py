# SPDX-License-Identifier: AGPL-3.0-or-later
"""Links between answers: paths from Orthanc's root, as Orthanc's own ``Path`` has them."""

from __future__ import annotations

from plugin.states import ScanState


def study_links(study_id: str) -> dict[str, str]:
    """Where to go from a study."""
    return {
        "self": f"/studies/{study_id}/sidelight",
        "analyse": f"/studies/{study_id}/sidelight/analyse",
        "page": f"/sidelight/ui/index.html#study={study_id}",
        "hanging": f"/studies/{study_id}/sidelight/hanging",
        "hanging_page": f"/sidelight/ui/index.html#hanging={study_id}",
        "study": f"/studies/{study_id}",
    }


def scan_links(state: ScanState) -> dict[str, str]:
    """Where to go from a scan."""
    if state.level == "series":
        return {
            "resource": f"/series/{state.resource}",
            "anatomy": f"/series/{state.resource}/sidelight/anatomy",
        }
    return {"resource": f"/instances/{state.resource}", **instance_links(state.resource)}


def instance_links(instance_id: str) -> dict[str, str]:
    """Where to go from an analysed image."""
    return {
        "probabilities": f"/instances/{instance_id}/sidelight/probabilities",
        "heatmaps": f"/instances/{instance_id}/sidelight/heatmaps",
        "composite": f"/instances/{instance_id}/sidelight/composite",
        "regions": f"/instances/{instance_id}/sidelight/regions",
        "reviews": f"/instances/{instance_id}/sidelight/reviews",
        "display": f"/instances/{instance_id}/sidelight/display",
        "rendered": f"/instances/{instance_id}/rendered",
    }


def heatmap_links(instance_id: str, finding: str) -> dict[str, str]:
    """Where the heat map of one finding is, as picture and as numbers."""
    image = f"/instances/{instance_id}/sidelight/heatmaps/{finding}"
    return {"image": image, "overlay": f"{image}?overlay=true", "matrix": f"{image}/matrix"}
