# SPDX-License-Identifier: AGPL-3.0-or-later
"""Query parameters and identifiers, taken strictly: what is not understood is refused by name."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.requests import Request

from plugin.web.errors import RequestError, bad_parameter, unknown

_IDENTIFIER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,9})", re.ASCII)
_LONGEST_NAME = 64


def identifier(request: Request, kind: str) -> str:
    """The Orthanc identifier in the path (Orthanc Book, "Orthanc identifiers").

    Raises:
        RequestError: 404 when it can't be one of ``kind`` (study, series or instance).
    """
    value = str(request.path_params["id"])
    if not is_identifier(value):
        raise unknown(kind)
    return value


def is_identifier(value: str) -> bool:
    """Whether this has the form of an Orthanc identifier."""
    return _IDENTIFIER.fullmatch(value) is not None


class Parameters:
    """The query parameters of a request to an address that knows ``allowed`` and no others.

    Raises:
        RequestError: 400 for an unknown or repeated parameter.
    """

    def __init__(self, request: Request, allowed: Collection[str] = ()) -> None:
        items = request.query_params.multi_items()
        for name, _ in items:
            if name not in allowed:
                takes = ", ".join(sorted(allowed)) or "no parameters"
                raise RequestError(
                    400,
                    "unknown-parameter",
                    f"this address takes {takes}",
                    parameter=name[:_LONGEST_NAME],
                )
        self._values = dict(items)
        if len(self._values) != len(items):
            raise self._repeated([name for name, _ in items])

    @staticmethod
    def _repeated(names: list[str]) -> RequestError:
        name = next(name for name in names if names.count(name) > 1)
        return RequestError(
            400, "repeated-parameter", f"{name} may be given once only", parameter=name
        )

    def text(self, name: str) -> str | None:
        """The value as it is."""
        return self._values.get(name)

    def flag(self, name: str, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self._values.get(name)
        if value is None:
            return default
        if value not in ("true", "false"):
            raise bad_parameter(name, "true or false")
        return value == "true"

    def fraction(self, name: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self._values.get(name)
        if value is None:
            return default
        if not _NUMBER.fullmatch(value) or not 0.0 <= float(value) <= 1.0:
            raise bad_parameter(name, "a number from 0 to 1")
        return float(value)

    def whole(self, name: str, lowest: int, highest: int) -> int | None:
        """An integer in a closed range, or None where it is not given."""
        value = self._values.get(name)
        if value is None:
            return None
        if not _WHOLE.fullmatch(value) or not lowest <= int(value) <= highest:
            raise bad_parameter(name, f"an integer from {lowest} to {highest}")
        return int(value)

    def level(self, levels: Collection[int]) -> int:
        """``level``, one of the grid sizes of the model; the finest one where it is not given."""
        value = self._values.get("level")
        if value is None:
            return max(levels)
        names = {str(level): level for level in levels}
        if value not in names:
            allowed = ", ".join(str(level) for level in sorted(levels, reverse=True))
            raise bad_parameter("level", f"one of the levels of this model: {allowed}")
        return names[value]

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of ``allowed``, or None where it is not given."""
        value = self._values.get(name)
        if value is not None and value not in allowed:
            raise bad_parameter(name, "one of " + ", ".join(allowed))
        return value
