# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of all keys, for the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel

from plugin.configuration.patterns import IN_WORDS
from plugin.configuration.section import Section
from plugin.configuration.whole import Configuration


def reference() -> list[tuple[str, str, str, str]]:
    """Rows of (key, default, allowed, meaning), for the documentation."""
    return list(_rows(Configuration, ""))


def _rows(model: type[BaseModel], prefix: str) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for field in model.model_fields.values():
        name = prefix + str(field.alias)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            rows += _rows(field.annotation, name + ".")
        else:
            default = field.get_default(call_default_factory=True)
            allowed = _allowed(field.annotation, field.metadata)
            rows.append((name, _json(default), allowed, field.description or ""))
    return rows


def _json(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _allowed(annotation: object, limits: Iterable[object] = ()) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        known = [limit for one in more for limit in getattr(one, "metadata", [one])]
        return _allowed(inner, known)
    if origin is Literal:
        return ", ".join(str(value) for value in get_args(annotation))
    if origin is tuple:
        return "list of " + _allowed(get_args(annotation)[0])
    if origin is dict:
        return "object of " + _allowed(get_args(annotation)[1])
    names: dict[object, str] = {bool: "true, false", int: "integer", float: "number", str: "text"}
    return _within(names.get(annotation, str(annotation)), limits)


def _within(name: str, limits: Iterable[object]) -> str:
    """A type with its bounds, or what its pattern allows."""
    bounds = {
        key: getattr(limit, key)
        for limit in limits
        for key in ("ge", "gt", "le", "pattern")
        if hasattr(limit, key)
    }
    if "pattern" in bounds:
        return IN_WORDS[bounds["pattern"]]
    if "gt" in bounds:
        return f"{name} above {_plain(bounds['gt'])}, up to {_plain(bounds['le'])}"
    if "ge" in bounds:
        return f"{name}, {_plain(bounds['ge'])} to {_plain(bounds['le'])}"
    return name


def _plain(bound: float) -> str:
    """A bound without what only shows its type: 0.0 is 0."""
    return str(int(bound)) if bound == int(bound) else str(bound)
