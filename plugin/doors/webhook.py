# SPDX-License-Identifier: AGPL-3.0-or-later
"""Webhooks: an event as JSON by POST, signed so that the receiver knows who sent it and when.

The signature is in ``X-Sidelight-Signature: t=<seconds>,v1=<hexadecimal>``: HMAC-SHA256 with the
shared secret over the digits of ``t``, a full stop, and the body as sent.
``docs/ris-integration.md`` shows a receiver that checks it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

SIGNATURE = "X-Sidelight-Signature"
EVENT = "X-Sidelight-Event"
DELIVERY = "X-Sidelight-Delivery"


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Value of the signature's header."""
    signed = str(timestamp).encode("ascii") + b"." + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def body(content: dict[str, Any]) -> bytes:
    """The content as ASCII JSON."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def headers(secret: str, event: str, delivery: str, content: bytes) -> dict[str, str]:
    """Headers of one attempt; the signature's time is that of the attempt."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Sidelight",
        EVENT: event,
        DELIVERY: delivery,
        SIGNATURE: signature(secret, int(time.time()), content),
    }
