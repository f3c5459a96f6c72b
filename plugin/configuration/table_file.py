# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables that an admin edits: TOML files with lists of entries, validated as a whole when read."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from plugin.configuration.addresses import shown_address
from plugin.configuration.reading import ConfigurationError

_Table = TypeVar("_Table", bound=BaseModel)


_PATTERNS = {
    r"^[a-z][a-z0-9-]{0,15}$": "allowed: up to 16 small letters, digits, hyphens, a letter first",
    r"^[a-z][a-z0-9-]*$": "allowed: small letters, digits, hyphens, a letter first",
    r"^[A-Z0-9_ ]{1,16}$": "allowed: capitals and digits, as DICOM has it, e.g. CT",
    r"^[A-Z][A-Za-z0-9]{2,63}$": "allowed: a DICOM keyword, such as SeriesDescription",
}
"""Patterns of the tables, in words."""


class TableError(ConfigurationError):
    """The table can't be used; the message names the file, the rule and the key at fault.

    ``mistakes`` has one line each, where the file could be read.
    """

    mistakes: Sequence[str] = ()


def refuse(mistakes: Sequence[str]) -> None:
    """Refuse a table for its mistakes, where it has any.

    Raises:
        TableError: with all of them.
    """
    if mistakes:
        found = TableError("; ".join(mistakes))
        found.mistakes = mistakes
        raise found


def read_table_file(path: Path, table: type[_Table]) -> _Table:
    """Read a TOML file with arrays of tables such as ``rule``.

    Raises:
        TableError: no such file, no TOML, or an entry that is not allowed.
    """
    try:
        # Editors of Windows put a byte order mark in front, which is no TOML.
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TableError(f"{path.name} is no TOML: {error}") from None
    try:
        return table.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False)
        lines = [_explain(one, content, table) for one in found if not _follows(one, found)]
        found_wrong = TableError(f"{path.name}: " + "; ".join(lines))
        found_wrong.mistakes = lines
        raise found_wrong from None


def _follows(item: Any, found: Sequence[Any]) -> bool:
    """Whether a list is called too short only because what stands in it is not allowed."""
    place = item["loc"]
    return item["type"] == "too_short" and any(
        len(one["loc"]) > len(place) and one["loc"][: len(place)] == place for one in found
    )


def _in_words(item: Any) -> str:
    """What is wrong, in an admin's words: pydantic speaks of tuples and patterns."""
    known = {
        "tuple_type": "a list is wanted, in square brackets",
        "too_short": "the list needs at least one entry",
    }
    message = known.get(item["type"], str(item["msg"]).removeprefix("Value error, "))
    pattern = (
        item.get("ctx", {}).get("pattern") if item["type"] == "string_pattern_mismatch" else ""
    )
    message = _PATTERNS.get(pattern or "", message)
    return f"{message[0].lower()}{message[1:]}"


def _explain(item: Any, content: dict[str, Any], table: type[BaseModel]) -> str:
    place = list(item["loc"])
    said = _in_words(item)
    if item["type"] == "extra_forbidden":
        known = ", ".join(keys_beside(table, place))
        said = f"there is no such key; allowed: {known}"
    if len(place) < 2 or not isinstance(place[1], int):
        return ": ".join([".".join(str(part) for part in place), said]) if place else said
    key = ".".join(_as_written(table, place)[2:])
    named = f"{place[0]} {_name(content[place[0]], place[1])}"
    return f"{named}{': ' + key + _value(item, key) if key else ''}: {said}"


def _value(item: Any, key: str) -> str:
    """The value at fault, unless it is missing or a whole table; of an address no secret."""
    value = item["input"]
    if item["type"] in ("missing", "extra_forbidden") or isinstance(value, dict | list):
        return ""
    return f" = {shown_address(value) if key.endswith('url') else repr(value)}"


def keys_beside(table: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that are allowed where a key of a table stands.

    Args:
        place: way to the key, with list positions and tags of unions, as pydantic names it.
    """
    found: list[type[BaseModel]] = [table]
    for part in place[:-1]:
        found = _below(found, part)
    return [field.alias or name for model in found for name, field in model.model_fields.items()]


def _as_written(table: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """A way as the table's own words: without the tags of unions that pydantic adds."""
    found: list[type[BaseModel]] = [table]
    words = []
    for part in place:
        if not any(part in _tags(model) for model in found):
            words.append(str(part))
        found = _below(found, part)
    return words


def _below(found: list[type[BaseModel]], part: str | int) -> list[type[BaseModel]]:
    """The models one step further."""
    if isinstance(part, int):
        return found
    tagged = [model for model in found if part in _tags(model)]
    return tagged or [
        below
        for model in found
        for name, field in model.model_fields.items()
        if part in (name, field.alias)
        for below in _models(field.annotation)
    ]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    kind = model.model_fields.get("kind")
    return get_args(kind.annotation) if kind is not None else ()


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _name(rules: list[Any], number: int) -> str:
    named = rules[number].get("name") if isinstance(rules[number], dict) else None
    return str(named) if named else f"number {number + 1}"
