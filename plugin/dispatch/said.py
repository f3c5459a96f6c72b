# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the plan says of deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def delivery_said(one: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A delivery of the outbox: what it has under these names, and when it was noted and ended."""
    return {
        **{name: one[name] for name in names},
        "noted": _moment(one["noted"]),
        "finished": _moment(one["finished"]) if one["finished"] else "",
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
