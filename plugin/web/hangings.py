# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of the hanging: the rules, a study in its boxes, and both for viewers."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plugin.configuration.hanging_table import Hanging, HangingTable, read_hangings
from plugin.hanging.dicom_protocol import hanging_protocol
from plugin.hanging.filling import FilledBox, Hanger, HungStudy, words
from plugin.hanging.ohif import protocol, study_protocol
from plugin.hanging.shown import Archive
from plugin.web.answers import NEVER_KEPT, json_answer
from plugin.web.errors import RequestError
from plugin.web.parameters import Parameters, identifier
from plugin.web.stored import known

DICOM = "application/dicom"


class HangingRoutes:
    """``/sidelight/hangings`` and ``/studies/{id}/sidelight/hanging``."""

    def __init__(self, archive: Archive, table: HangingTable | None = None) -> None:
        self._table = read_hangings() if table is None else table
        self._hanger = Hanger(archive, self._table)

    def index(self, request: Request) -> Response:
        """``GET /sidelight/hangings``: the rules, in the order in which they are tried."""
        Parameters(request)
        content = {"hangings": [_described(one) for one in self._table.hangings]}
        return json_answer(request, content, cache=NEVER_KEPT)

    def dicom(self, request: Request) -> Response:
        """``GET /sidelight/hangings/{name}/dicom``: a Hanging Protocol object (PS3.3 A.44)."""
        Parameters(request)
        name = str(request.path_params["name"])
        hanging = self._table.named(name)
        if hanging is None:
            raise RequestError(404, "unknown-hanging", "/sidelight/hangings lists those there are")
        headers = {
            "Cache-Control": NEVER_KEPT,
            "Content-Disposition": f'attachment; filename="{hanging.name}.dcm"',
        }
        return Response(hanging_protocol(hanging), 200, headers, DICOM)

    def ohif(self, request: Request) -> Response:
        """``GET /sidelight/hangings/ohif``: all rules as protocols of the OHIF viewer."""
        Parameters(request)
        content = {"protocols": [protocol(one) for one in self._table.hangings]}
        return json_answer(request, content, cache=NEVER_KEPT)

    def study(self, request: Request) -> Response:
        """``GET /studies/{id}/sidelight/hanging``: current study and priors in their boxes."""
        hung = self._hung(request)
        study_id = str(request.path_params["id"])
        return json_answer(request, {"study": study_id, **_shown(hung)}, cache=NEVER_KEPT)

    def study_ohif(self, request: Request) -> Response:
        """``GET /studies/{id}/sidelight/hanging/ohif``: the same as protocol of OHIF."""
        return json_answer(request, study_protocol(self._hung(request)), cache=NEVER_KEPT)

    def _hung(self, request: Request) -> HungStudy:
        study_id = identifier(request, "study")
        Parameters(request)
        with known("study"):
            hung = self._hanger.hang(study_id)
        if hung is None:
            raise RequestError(
                404,
                "no-hanging",
                "no hanging of the table shows this modality and anatomy; /sidelight/hangings",
            )
        return hung


def _described(hanging: Hanging) -> dict[str, Any]:
    return {
        "name": hanging.name,
        "description": hanging.description,
        "modalities": list(hanging.modalities),
        "regions": list(hanging.regions),
        "rows": hanging.rows,
        "columns": hanging.columns,
        "boxes": [
            dict(zip(("row", "column"), hanging.place(box), strict=True), shows=words(hanging, box))
            for box in hanging.boxes
        ],
        "links": {"dicom": f"/sidelight/hangings/{hanging.name}/dicom"},
    }


def _shown(hung: HungStudy) -> dict[str, Any]:
    hanging = hung.hanging
    return {
        "hanging": hanging.name,
        "description": hanging.description,
        "rows": hanging.rows,
        "columns": hanging.columns,
        "boxes": [_box(hanging, one) for one in hung.boxes],
    }


def _box(hanging: Hanging, filled: FilledBox) -> dict[str, Any]:
    shown = filled.shown
    return {
        "row": filled.row,
        "column": filled.column,
        "shows": words(hanging, filled.box),
        "prior": filled.box.prior,
        "days_before": filled.days_before if shown else 0,
        "study": shown.study if shown else "",
        "series": shown.series if shown else "",
        "instance": shown.instance if shown else "",
        "slices": (shown.facts.slices or 0) if shown else 0,
        "fitting": filled.fitting,
        "alike": list(filled.alike),
    }
