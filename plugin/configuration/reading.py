# SPDX-License-Identifier: AGPL-3.0-or-later
"""From Orthanc's JSON to a valid configuration, or to one line per mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from plugin.configuration.addresses import shown_address
from plugin.configuration.patterns import IN_WORDS
from plugin.configuration.whole import Configuration


class ConfigurationError(ValueError):
    """The section can't be used; the message has one line per wrong key."""


def read(section: object) -> Configuration:
    """Validate the section as Orthanc's JSON has it.

    Raises:
        ConfigurationError: with the key, the value and the allowed values of each mistake.
    """
    if not isinstance(section, Mapping):
        raise ConfigurationError("Sidelight: must be a JSON object with keys and values")
    try:
        # Orthanc's JSON has no tuples; lists are turned here so that all else can stay strict.
        return Configuration.model_validate(dict(section))
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors(include_url=False)]
        raise ConfigurationError("; ".join(lines)) from None


def _explain(item: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in item["loc"])
    key = f"Sidelight.{path}"
    if item["type"] == "extra_forbidden":
        known = ", ".join(_keys_beside(item["loc"]))
        return f"{key}: there is no such key; allowed: {known}"
    return f"{key} = {_shown(path, item['input'])}: {_in_words(item)}"


def _in_words(item: Mapping[str, Any]) -> str:
    """What is wrong; pydantic quotes the pattern."""
    pattern = item.get("ctx", {}).get("pattern")
    if item["type"] == "string_pattern_mismatch" and pattern in IN_WORDS:
        return f"allowed: {IN_WORDS[pattern]}"
    message = str(item["msg"])
    ours = message.removeprefix("Value error, ")
    return ours if ours != message else message[0].lower() + message[1:]


def _shown(path: str, value: object) -> str:
    """The value, unless it is a secret or may hold one."""
    secret = ("token", "secret", "authorization", "urls")
    if any(part.lower().endswith(secret) for part in path.split(".")):
        return "***"
    if isinstance(value, Mapping | list):
        return "{…}"
    return shown_address(value) if path.lower().endswith("url") else repr(value)


def _keys_beside(location: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = Configuration
    for part in location[:-1]:
        for field in model.model_fields.values():
            if field.alias == part and isinstance(field.annotation, type):
                model = field.annotation
    return [field.alias or name for name, field in model.model_fields.items()]
