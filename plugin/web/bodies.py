# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bodies of requests, taken strictly: what is not understood is refused by the name of its key."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from plugin.web.errors import RequestError

_LARGEST_BODY = 64 * 1024

_Body = TypeVar("_Body", bound=BaseModel)


async def read_body(request: Request, kind: type[_Body], largest: int = _LARGEST_BODY) -> _Body:
    """The body as ``kind``, of ``largest`` bytes at most.

    Raises:
        RequestError: 413 for more; 400 with the key at fault and what is wrong, without
            the value.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise RequestError(413, "body-too-large", f"at most {largest} bytes")
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:64]
        message = first["msg"].removeprefix("Value error, ")
        raise RequestError(400, "bad-body", message, parameter=where or None) from None
