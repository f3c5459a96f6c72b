# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers with an entity tag, so that nothing that has not changed is sent twice (RFC 9110)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

# Results of a patient: kept by the reader's own browser only, and asked for again each time.
REVALIDATE = "private, no-cache"
NEVER_KEPT = "no-store"


def json_bytes(content: Any) -> bytes:
    """ASCII JSON, the same bytes for the same content."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def entity_tag(*parts: object) -> str:
    """A strong entity tag of all that an answer is made from."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return f'"{digest.hexdigest()[:32]}"'


def json_answer(
    request: Request, content: Any, *, cache: str = REVALIDATE, vary: str | None = None
) -> Response:
    """Status 200 with JSON, or 304 when the caller has it already."""
    body = json_bytes(content)
    headers = {"Vary": vary} if vary else {}
    return tagged(
        request,
        entity_tag(body),
        lambda: Response(body, 200, headers, "application/json"),
        cache=cache,
        headers=headers,
    )


def tagged(
    request: Request,
    tag: str,
    build: Callable[[], Response],
    *,
    cache: str = REVALIDATE,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """304 when ``If-None-Match`` holds ``tag``, else what ``build`` makes, with the tag."""
    if _matches(request.headers.get("if-none-match"), tag):
        response = Response(status_code=304, headers=dict(headers or {}))
    else:
        response = build()
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = cache
    return response


def accepted(content: Any, retry_seconds: int, location: str | None = None) -> Response:
    """Status 202: the answer is still to come."""
    headers = {"Retry-After": str(retry_seconds), "Cache-Control": NEVER_KEPT}
    if location is not None:
        headers["Location"] = location
    return Response(json_bytes(content), 202, headers, "application/json")


def _matches(header: str | None, tag: str) -> bool:
    if header is None:
        return False
    if header.strip() == "*":
        return True
    # If-None-Match compares weakly (RFC 9110, section 13.1.2).
    return tag in (item.strip().removeprefix("W/") for item in header.split(","))
