# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of an image's heat maps: ranked index, pictures, and matrix."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from plugin.configuration.heat_maps import HeatMapSection
from plugin.heatmaps.class_colours import distinct_colours
from plugin.heatmaps.ordering import ORDERS, Order, Pair, ordered, subset
from plugin.web.answers import entity_tag, json_answer, tagged
from plugin.web.drawing import Artist, Drawn, Subject
from plugin.web.errors import RequestError, bad_parameter
from plugin.web.heatmap_index import index_of
from plugin.web.images import AnalysedImage, Images, version_asked
from plugin.web.looks import COMMON, WIDEST, Looks
from plugin.web.media import JSON, NPY, preferred
from plugin.web.parameters import Parameters, identifier

# A part of every picture's entity tag: to be raised when the drawing changes.
_DRAWING = 2
_MOST_LAYERS = 8


class HeatMapRoutes:
    """``/instances/{id}/sidelight/heatmaps`` and below, and ``…/composite``."""

    def __init__(self, images: Images, artist: Artist, section: HeatMapSection) -> None:
        self._images = images
        self._artist = artist
        self._section = section
        self._looks = Looks(section)

    def index(self, request: Request) -> Response:
        """``GET …/heatmaps``: the finding classes in order, with links."""
        instance_id = identifier(request, "instance")
        query = Parameters(request, ("order", "present", "threshold", "version"))
        order = self._order(query)
        present, threshold = query.flag("present", default=False), query.fraction("threshold", 0.0)
        found = self._images.version(instance_id, version_asked(query))
        pairs = subset(
            ordered(found.ranked(), order, self._section.preference),
            present=present,
            threshold=threshold,
        )
        return json_answer(request, index_of(found, pairs, order, self._section))

    def _order(self, query: Parameters) -> Order:
        asked = query.choice("order", ORDERS)
        return next((order for order in ORDERS if order == asked), self._section.order)

    def picture(self, request: Request) -> Response:
        """``GET …/heatmaps/{finding}``: PNG, alone or blended over the rendered image."""
        instance_id = identifier(request, "instance")
        query = Parameters(request, (*COMMON, "overlay", "level", "threshold"))
        found = self._images.version(instance_id, version_asked(query))
        finding, item = found.pair(request.path_params["finding"])
        look = self._looks.read(query, finding, item)
        over = query.flag("overlay", default=False)
        width = query.whole("width", 16, WIDEST)
        subject = Subject(item, look, finding.colour if look.style == "saliency" else None)

        def draw() -> Drawn:
            if over:
                return self._artist.over(found, [subject], width)
            return self._artist.alone(found, subject, width)

        return _png(request, found, (finding.key, look, over, width), draw)

    def composite(self, request: Request) -> Response:
        """``GET …/composite``: several findings, each in its own colour, over the image."""
        instance_id = identifier(request, "instance")
        query = Parameters(request, (*COMMON, "findings", "level", "threshold"))
        found = self._images.version(instance_id, version_asked(query))
        width = query.whole("width", 16, WIDEST)
        colours = distinct_colours(found.findings.model.classes)
        subjects = [
            Subject(item, self._looks.read(query, finding, item), colours[finding.key])
            for finding, item in self._wanted(found, query)
        ]
        variant = tuple((s.item.key, s.look, s.colour) for s in subjects)
        return _png(
            request,
            found,
            ("composite", variant, width),
            lambda: self._artist.over(found, subjects, width),
        )

    def _wanted(self, found: AnalysedImage, query: Parameters) -> list[Pair]:
        """The findings to draw, the first topmost; the present ones where none are named."""
        named = query.text("findings")
        if named is None:
            return subset(found.ranked(), present=True, threshold=0.0)[:_MOST_LAYERS]
        keys = named.split(",")
        if len(set(keys)) != len(keys) or len(keys) > _MOST_LAYERS:
            raise bad_parameter("findings", f"1 to {_MOST_LAYERS} different keys, with commas")
        try:
            return [found.pair(key) for key in keys]
        except RequestError as error:
            raise bad_parameter("findings", f"keys of findings: {error.message}") from None

    def matrix(self, request: Request) -> Response:
        """``GET …/heatmaps/{finding}/matrix``: the patch probabilities themselves."""
        instance_id = identifier(request, "instance")
        query = Parameters(request, ("level", "version"))
        kind = preferred(request.headers.get("accept"), (JSON, NPY))
        found = self._images.version(instance_id, version_asked(query))
        item = found.of(request.path_params["finding"])
        level = query.level(item.maps)
        cells = item.maps[level].array()
        if kind == JSON:
            return json_answer(request, _matrix(found, item.key, level, cells), vary="Accept")
        vary = {"Vary": "Accept"}
        tag = entity_tag(found.digest, found.version, instance_id, item.key, level, NPY)
        return tagged(
            request, tag, lambda: Response(_npy(cells), 200, vary, media_type=NPY), headers=vary
        )


def _png(
    request: Request, found: AnalysedImage, variant: object, draw: Callable[[], Drawn]
) -> Response:
    tag = entity_tag(_DRAWING, found.digest, found.version, found.scan.instance, variant)

    def build() -> Response:
        drawn = draw()
        return Response(drawn.png, 200, drawn.headers(), media_type="image/png")

    return tagged(request, tag, build)


def _matrix(
    found: AnalysedImage, finding: str, level: int, cells: NDArray[np.float32]
) -> dict[str, Any]:
    return {
        "instance": found.scan.instance,
        "finding": finding,
        "level": level,
        "version": found.version,
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
