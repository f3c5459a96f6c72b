# SPDX-License-Identifier: AGPL-3.0-or-later
"""The OpenAPI description of the routes, put together from one file per area.

``openapi/main.json`` is a whole document; each other file of that folder adds its paths, components
and tags to it. A name that stands in two files is an error of ours, found at import.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("openapi")
MAIN = FOLDER / "main.json"


class DescriptionError(ValueError):
    """Two files of the description say the same thing twice."""


@cache
def document() -> bytes:
    """The whole description as JSON."""
    whole = _read(MAIN)
    for path in sorted(FOLDER.glob("*.json")):
        if path != MAIN:
            _add(whole, _read(path), path.name)
    return json.dumps(whole, indent=1, ensure_ascii=False).encode()


def _read(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def _add(whole: dict[str, Any], part: dict[str, Any], name: str) -> None:
    whole["tags"] += part.get("tags", [])
    _unite(whole["paths"], part.get("paths", {}), name)
    for kind, components in part.get("components", {}).items():
        _unite(whole["components"].setdefault(kind, {}), components, name)


def _unite(known: dict[str, Any], more: dict[str, Any], name: str) -> None:
    twice = known.keys() & more.keys()
    if twice:
        raise DescriptionError(f"{name}: {min(twice)} stands in another file already")
    known.update(more)
