# SPDX-License-Identifier: AGPL-3.0-or-later
"""Addresses that an admin wrote: whether they are any, and what of them may be shown."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit


def parts_of(url: str) -> SplitResult:
    """An address in its parts, whose port is one.

    Raises:
        ValueError: host or port can't be read; never repeats the address, as urllib does.
    """
    try:
        parts = urlsplit(url)
        is_wrong = parts.port == 0
    except ValueError:
        is_wrong = True
    if is_wrong:
        raise ValueError("host and port can't be read; a port is a number from 1 to 65535")
    return parts


def shown_address(url: object) -> str:
    """An address for a message, up to where it may hold a password or a token."""
    text = str(url)
    if "@" in text:
        return "***"
    place, *secret = re.split(r"[?#]", text, maxsplit=1)
    return repr(f"{place}{text[len(place)]}***") if secret else repr(url)
