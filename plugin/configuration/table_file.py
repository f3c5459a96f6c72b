# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables that an admin edits: TOML files with a list of rules, validated as a whole when read."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from plugin.configuration.reading import ConfigurationError

_Table = TypeVar("_Table", bound=BaseModel)


class TableError(ConfigurationError):
    """The table can't be used; the message names the file, the rule and the key at fault."""


def read_table_file(path: Path, table: type[_Table]) -> _Table:
    """Read a TOML file with the array of tables ``rule``.

    Raises:
        TableError: no such file, no TOML, or a rule that is not allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TableError(f"{path.name} is no TOML: {error}") from None
    try:
        return table.model_validate(content)
    except ValidationError as error:
        lines = [_explain(item, content) for item in error.errors(include_url=False)]
        raise TableError(f"{path.name}: " + "; ".join(lines)) from None


def _explain(item: Any, content: dict[str, Any]) -> str:
    place = list(item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    said = f"{message[0].lower()}{message[1:]}"
    if len(place) < 2 or place[0] != "rule":
        return ": ".join([".".join(str(part) for part in place), said]) if place else said
    key = ".".join(str(part) for part in place[2:])
    return f"rule {_name(content['rule'], place[1])}{': ' + key if key else ''}: {said}"


def _name(rules: list[Any], number: int) -> str:
    named = rules[number].get("name") if isinstance(rules[number], dict) else None
    return str(named) if named else f"number {number + 1}"
