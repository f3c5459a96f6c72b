# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes about one image: how to display its real pixel values, and the regions found in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plugin.heatmaps.masks import METHOD, REGIONS, run_lengths
from plugin.web import image_facts as facts
from plugin.web.addresses import instance_links
from plugin.web.answers import json_answer
from plugin.web.drawing import Artist
from plugin.web.errors import RequestError
from plugin.web.images import AnalysedImage, Images, version_asked
from plugin.web.parameters import Parameters, identifier
from plugin.web.stored import StoredResults, known

_MASKS = tuple(region for region in REGIONS if region != "none")
_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


class ImageDetailRoutes:
    """``/instances/{id}/sidelight/display``, ``…/regions`` and ``…/masks/{region}``."""

    def __init__(self, results: StoredResults, images: Images, artist: Artist) -> None:
        self._results = results
        self._images = images
        self._artist = artist

    def display(self, request: Request) -> Response:
        """``GET …/display``: where the raw pixels are, and how they become grey values."""
        instance_id = identifier(request, "instance")
        Parameters(request)
        with known("instance"):
            tags = self._results.archive.simplified_tags(instance_id)
        slope, intercept = facts.rescale(tags)
        spacing = facts.spacing(tags)
        photometric = str(tags.get("PhotometricInterpretation", "")).strip().upper()
        signed = facts.whole(tags, "PixelRepresentation", 0) == 1
        padding = facts.numbers(tags, "PixelPaddingValue")
        grey = photometric in _MONOCHROME
        content = {
            "instance": instance_id,
            "rows": facts.whole(tags, "Rows", 0),
            "columns": facts.whole(tags, "Columns", 0),
            "frames": max(1, facts.whole(tags, "NumberOfFrames", 1)),
            "grey": grey,
            "inverted": photometric == "MONOCHROME1",
            "signed": signed,
            "bits_stored": facts.whole(tags, "BitsStored", 16),
            "slope": slope,
            "intercept": intercept,
            "padding": padding[0] if padding else None,
            "windows": [asdict(window) for window in facts.windows(tags)],
            "spacing": asdict(spacing) if spacing else None,
            "links": {
                "pixels": f"/instances/{instance_id}/image-{'int16' if signed else 'uint16'}",
                "rendered": f"/instances/{instance_id}/rendered",
            },
        }
        return json_answer(request, content)

    def regions(self, request: Request) -> Response:
        """``GET …/regions``: the regions of the present findings, as in SR, SEG and PR."""
        instance_id = identifier(request, "instance")
        query = Parameters(request, ("finding", "version"))
        found = self._images.version(instance_id, version_asked(query))
        only = query.text("finding")
        pairs = found.ranked() if only is None else [found.pair(only)]
        with known("instance"):
            spacing = facts.spacing(self._results.archive.simplified_tags(instance_id))
        # Here: what finds regions loads the libraries that write DICOM objects.
        from plugin.heatmaps.region_list import list_regions  # noqa: PLC0415

        listed, left_out = list_regions(pairs, found.image, spacing)
        content = {
            **_about(found),
            "spacing": asdict(spacing) if spacing else None,
            "regions": [region.as_json() for region in listed],
            "left_out": left_out,
        }
        return json_answer(request, content)

    def mask(self, request: Request) -> Response:
        """``GET …/masks/{region}``: which pixels a mask leaves, as run lengths."""
        instance_id = identifier(request, "instance")
        Parameters(request)
        region = request.path_params["region"]
        if region not in _MASKS:
            raise RequestError(404, "unknown-region", "there are masks of " + ", ".join(_MASKS))
        with known("instance"):
            self._results.archive.instance(instance_id)
        mask = self._artist.mask(instance_id, region)
        content: dict[str, Any] = {
            "instance": instance_id,
            "region": region,
            "method": METHOD,
            "masked": mask.area is not None,
            "warning": mask.warning,
            "rows": 0,
            "columns": 0,
            "runs": [],
        }
        if mask.area is not None:
            content["rows"], content["columns"] = mask.area.shape
            content["runs"] = run_lengths(mask.area)
        return json_answer(request, content)


def _about(found: AnalysedImage) -> dict[str, Any]:
    model = found.findings.model
    return {
        "instance": found.scan.instance,
        "version": found.version,
        "rows": found.image.rows,
        "columns": found.image.columns,
        "frame": found.image.frame_number,
        "model": {"name": model.name, "version": model.version, "digest": model.digest},
        "disclaimer": model.disclaimer,
        "links": instance_links(found.scan.instance),
    }
