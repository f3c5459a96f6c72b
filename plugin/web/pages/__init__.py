# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page at ``/sidelight/ui/``: plain files, served by name from a fixed list.

``explorer.js`` beside them is not served: Orthanc puts it into Orthanc Explorer.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from plugin.web.answers import entity_tag, tagged
from plugin.web.errors import no_such_address
from plugin.web.parameters import Parameters

PAGE = "../../sidelight/ui/index.html"
"""Orthanc takes the slash off ``/sidelight/ui/`` before a plugin sees it. This address leads to the
page from both forms, and behind a proxy that adds a prefix from the form with the slash."""

_FILES = {
    "index.html": "text/html; charset=utf-8",
    "anatomy_review.css": "text/css; charset=utf-8",
    "anatomy_review.js": "text/javascript; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "colours.js": "text/javascript; charset=utf-8",
    "deid.js": "text/javascript; charset=utf-8",
    "deid-conflicts.js": "text/javascript; charset=utf-8",
    "deid-draft.js": "text/javascript; charset=utf-8",
    "deid-pane.js": "text/javascript; charset=utf-8",
    "deid-reasons.js": "text/javascript; charset=utf-8",
    "deid-tags.js": "text/javascript; charset=utf-8",
    "deid-words.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "findings.js": "text/javascript; charset=utf-8",
    "gestures.js": "text/javascript; charset=utf-8",
    "hanging.css": "text/css; charset=utf-8",
    "hanging.js": "text/javascript; charset=utf-8",
    "heatmaps.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "models.js": "text/javascript; charset=utf-8",
    "options.js": "text/javascript; charset=utf-8",
    "orthanc.js": "text/javascript; charset=utf-8",
    "painter.js": "text/javascript; charset=utf-8",
    "pane.js": "text/javascript; charset=utf-8",
    "panels.js": "text/javascript; charset=utf-8",
    "plan.js": "text/javascript; charset=utf-8",
    "pixels.js": "text/javascript; charset=utf-8",
    "review.js": "text/javascript; charset=utf-8",
    "sayings.js": "text/javascript; charset=utf-8",
    "shortcuts.js": "text/javascript; charset=utf-8",
    "slices.js": "text/javascript; charset=utf-8",
    "study.js": "text/javascript; charset=utf-8",
    "table.js": "text/javascript; charset=utf-8",
    "viewer.js": "text/javascript; charset=utf-8",
    "worklist.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "deid.css": "text/css; charset=utf-8",
    "models.css": "text/css; charset=utf-8",
    "worklist.css": "text/css; charset=utf-8",
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
}


def redirect(request: Request) -> Response:
    """``GET /sidelight/ui``: on to the page."""
    Parameters(request)
    headers = {"Location": PAGE, "Cache-Control": "no-cache"}
    return Response(status_code=307, headers=headers)


def page(request: Request) -> Response:
    """``GET /sidelight/ui/{path}``: a file of the page."""
    Parameters(request)
    name = request.path_params["path"] or "index.html"
    media = _FILES.get(name)
    if media is None:
        raise no_such_address()
    body = Path(__file__).with_name(name).read_bytes()
    return tagged(
        request,
        entity_tag(body),
        lambda: Response(body, 200, _HEADERS, media_type=media),
        cache="no-cache",
        headers=_HEADERS,
    )
