# SPDX-License-Identifier: AGPL-3.0-or-later
"""UIDs that follow from what an object says, so that a repeated run overwrites itself.

A UID is ``2.25.`` and the decimal form of a UUID (PS3.5 section B.2), here a version 8 UUID
(RFC 9562 section 5.8) over a SHA-256 of its parts.
"""

from __future__ import annotations

import hashlib
import json
import uuid


def derive(*parts: str | int) -> str:
    """The UID of an ordered list of parts; other parts or another order give another UID."""
    digest = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | 0x8 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return f"2.25.{uuid.UUID(int=number).int}"
