# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of an image's heat maps: ranked index, picture, and matrix."""

from __future__ import annotations

import io
import os
from threading import BoundedSemaphore
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from inference.contract import ClassProbability, FindingClass
from plugin.web.addresses import heatmap_links, instance_links
from plugin.web.answers import entity_tag, json_answer, tagged
from plugin.web.images import AnalysedImage, Images
from plugin.web.media import JSON, NPY, preferred
from plugin.web.parameters import Parameters, identifier
from plugin.web.protocols import Archive
from plugin.web.render import Placement, heat_map, overlay
from plugin.web.rendered import read_rendered

# A part of every picture's entity tag: to be raised when the drawing changes.
_DRAWING = 1
_WIDEST = 16384
_DEFAULT_OPACITY = 0.6


class Look(NamedTuple):
    """How a caller wants a heat map drawn."""

    overlay: bool
    opacity: float
    smooth: bool
    level: int
    width: int | None


class HeatMapRoutes:
    """``/instances/{id}/sidelight/heatmaps`` and below."""

    def __init__(self, images: Images, archive: Archive) -> None:
        self._images = images
        self._archive = archive
        # A picture of 2048 x 2048 takes 60 MB while it is drawn.
        self._drawing = BoundedSemaphore(os.cpu_count() or 1)

    def index(self, request: Request) -> Response:
        """``GET …/heatmaps``: the finding classes by global probability, with links."""
        instance_id = identifier(request, "instance")
        Parameters(request)
        found = self._images.with_heat_maps(instance_id)
        return json_answer(request, _index(found))

    def picture(self, request: Request) -> Response:
        """``GET …/heatmaps/{finding}``: PNG, alone or blended over the rendered image."""
        instance_id = identifier(request, "instance")
        query = Parameters(request, ("overlay", "opacity", "smooth", "level", "width"))
        found = self._images.with_heat_maps(instance_id)
        item = found.of(request.path_params["finding"])
        look = Look(
            overlay=query.flag("overlay", default=False),
            opacity=query.fraction("opacity", _DEFAULT_OPACITY),
            smooth=query.flag("smooth", default=True),
            level=query.level(item.maps),
            width=query.whole("width", 16, _WIDEST),
        )
        tag = entity_tag(_DRAWING, found.digest, instance_id, item.key, look)
        return tagged(request, tag, lambda: self._draw(found, item, look))

    def _draw(self, found: AnalysedImage, item: ClassProbability, look: Look) -> Response:
        cells = item.maps[look.level].array()
        with self._drawing:
            if look.overlay:
                rendered = self._rendered(found.scan.instance, look.width)
                placement = _placement(found, rendered.height, rendered.width)
                png = overlay(cells, placement, rendered, opacity=look.opacity, smooth=look.smooth)
            else:
                placement = _placement(found, *_size(found, look.width))
                png = heat_map(cells, placement, opacity=look.opacity, smooth=look.smooth)
        return Response(png, 200, media_type="image/png")

    def _rendered(self, instance_id: str, width: int | None) -> Image.Image:
        rendered = read_rendered(self._archive.rendered(instance_id))
        if width is not None and width != rendered.width:
            height = max(1, round(rendered.height * width / rendered.width))
            return rendered.convert("RGB").resize(
                (width, height), Image.Resampling.BILINEAR, reducing_gap=2.0
            )
        return rendered

    def matrix(self, request: Request) -> Response:
        """``GET …/heatmaps/{finding}/matrix``: the patch probabilities themselves."""
        instance_id = identifier(request, "instance")
        query = Parameters(request, ("level",))
        kind = preferred(request.headers.get("accept"), (JSON, NPY))
        found = self._images.with_heat_maps(instance_id)
        item = found.of(request.path_params["finding"])
        level = query.level(item.maps)
        cells = item.maps[level].array()
        if kind == JSON:
            return json_answer(request, _matrix(found, item.key, level, cells), vary="Accept")
        vary = {"Vary": "Accept"}
        tag = entity_tag(found.digest, instance_id, item.key, level, NPY)
        return tagged(
            request, tag, lambda: Response(_npy(cells), 200, vary, media_type=NPY), headers=vary
        )


def _index(found: AnalysedImage) -> dict[str, Any]:
    model = found.findings.model
    return {
        "instance": found.scan.instance,
        "study": found.scan.study,
        "status": str(found.scan.state.status),
        "rows": found.image.rows,
        "columns": found.image.columns,
        "frame": found.image.frame_number,
        "extent": found.image.extent.model_dump(),
        "model": {"name": model.name, "version": model.version, "title": model.title,
                  "digest": model.digest},
        "disclaimer": model.disclaimer,
        "heatmaps": [_entry(found.scan.instance, *pair) for pair in found.ranked()],
        "links": instance_links(found.scan.instance),
    }  # fmt: skip


def _entry(instance_id: str, finding: FindingClass, item: ClassProbability) -> dict[str, Any]:
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
        "levels": sorted(item.maps, reverse=True),
        "links": heatmap_links(instance_id, finding.key),
    }


def _placement(found: AnalysedImage, height: int, width: int) -> Placement:
    image = found.image
    return Placement(image.extent, image.rows, image.columns, height, width)


def _size(found: AnalysedImage, width: int | None) -> tuple[int, int]:
    image = found.image
    if width is None:
        return image.rows, image.columns
    return max(1, round(image.rows * width / image.columns)), width


def _matrix(
    found: AnalysedImage, finding: str, level: int, cells: NDArray[np.float32]
) -> dict[str, Any]:
    return {
        "instance": found.scan.instance,
        "finding": finding,
        "level": level,
        "rows": cells.shape[0],
        "columns": cells.shape[1],
        "extent": found.image.extent.model_dump(),
        # The shortest decimal that gives the same float32 again.
        "values": [[float(str(value)) for value in row] for row in cells],
    }


def _npy(cells: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, cells.astype("<f4"), allow_pickle=False)
    return buffer.getvalue()
