# SPDX-License-Identifier: AGPL-3.0-or-later
"""Choosing a media type by the Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from plugin.web.errors import RequestError

JSON = "application/json"
NPY = "application/x-npy"

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """The offered type that the caller likes best; of equals the one offered first.

    Raises:
        RequestError: 406 when the caller takes none of them.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = [_range(item) for item in accept.split(",")]
    liked = {media: _quality_of(media, ranges) for media in offered}
    best = max(offered, key=lambda media: liked[media])
    if liked[best] <= 0.0:
        raise RequestError(
            406,
            "not-acceptable",
            "this address answers " + " or ".join(offered),
            parameter="Accept",
        )
    return best


def _range(item: str) -> tuple[str, float]:
    media, *parameters = (part.strip().lower() for part in item.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            value = value.strip()
            return media, float(value) if _QUALITY.fullmatch(value) else 0.0
    return media, 1.0


def _quality_of(media: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The quality of the most specific range that names ``media``."""
    kind = media.partition("/")[0] + "/*"
    for name in (media, kind, "*/*"):
        matching = [quality for range_, quality in ranges if range_ == name]
        if matching:
            return max(matching)
    return 0.0
