# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of all keys, for the documentation."""

from __future__ import annotations

import json
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel

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
            rows.append(
                (name, _json(field.default), _allowed(field.annotation), field.description or "")
            )
    return rows


def _json(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _allowed(annotation: object) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _allowed(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(str(value) for value in get_args(annotation))
    if origin is tuple:
        return "list of " + _allowed(get_args(annotation)[0])
    if origin is dict:
        return "object of " + _allowed(get_args(annotation)[1])
    names: dict[object, str] = {bool: "true, false", int: "integer", float: "number", str: "text"}
    return names.get(annotation, str(annotation))
