# SPDX-License-Identifier: Apache-2.0
"""The values of a profile file, each read as what it has to be.

A word in quotation marks is true to Python, ``"false"`` too, and a key that nobody reads changes
nothing: either would let pass what the site meant to keep. So a value of another kind and a key
that is not known are errors, which name the key and say what it may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import Any, TypeVar

from deid.errors import DeidentificationError
from deid.options import Option

Choice = TypeVar("Choice", bound=StrEnum)
_COORDINATES = 4
_BOUNDS = 2


class ProfileFileError(DeidentificationError):
    """A profile can't be read; the message says where it is wrong."""


class Section:
    """One table of a profile.

    Parameters
    ----------
    content:
        Values by key.
    name:
        What messages call it: ``a profile``, ``[[private]]``.
    known:
        The keys that it may have.

    Raises
    ------
    ProfileFileError
        If it has another key.
    """

    def __init__(self, content: Mapping[str, Any], name: str, known: Set[str]) -> None:
        if not isinstance(content, Mapping):
            raise ProfileFileError(f"{name} must be a table")
        unknown = sorted(content.keys() - known)
        if unknown:
            raise ProfileFileError(
                f"unknown in {name}: {', '.join(unknown)} (known: {', '.join(sorted(known))})"
            )
        self._content = content
        self._name = name

    def flag(self, key: str, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self._content.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false, without quotation marks")
        return value

    def choice(self, key: str, default: Choice) -> Choice:
        """One of the words of an enumeration."""
        value = self._content.get(key, default)
        kind = type(default)
        if value not in list(kind):
            raise self._wrong(key, " or ".join(f'"{word}"' for word in kind))
        return kind(value)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it has to be there."""
        value = self._content.get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "a text in quotation marks")
        return value

    def number(self, key: str) -> float | None:
        """A number, ``None`` where there is none."""
        value = self._content.get(key)
        if value is not None and not _is_number(value):
            raise self._wrong(key, "a number, without quotation marks")
        return None if value is None else float(value)

    def hexadecimal(self, key: str, lowest: int, highest: int) -> int:
        """A number of hexadecimal digits, as tags are written."""
        wanted = f'hexadecimal digits from "{lowest:02X}" to "{highest:02X}"'
        try:
            number = int(self.text(key, ""), 16)
        except ValueError:
            raise self._wrong(key, wanted) from None
        if not lowest <= number <= highest:
            raise self._wrong(key, wanted)
        return number

    def days(self, key: str, default: tuple[int, int]) -> tuple[int, int]:
        """First and last day of a range."""
        value = self._content.get(key, list(default))
        if not isinstance(value, list) or [type(day) for day in value] != [int] * _BOUNDS:
            raise self._wrong(key, "two whole numbers of days, such as [-3650, -1]")
        return value[0], value[1]

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        value = self._content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self._wrong(key, "a list of texts")
        return value

    def options(self, key: str) -> list[Option]:
        """Options of PS3.15 by their names."""
        named = {option.name.lower().replace("_", "-"): option for option in Option}
        texts = [text.lower().replace("_", "-") for text in self.texts(key)]
        if not named.keys() >= set(texts):
            raise self._wrong(key, f"a list of {', '.join(sorted(named))}")
        return [named[text] for text in texts]

    def tables(self, key: str) -> list[Any]:
        """Tables that are written as ``[[key]]``."""
        value = self._content.get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, f"tables, each under a line [[{key}]]")
        return value

    def balls(self, key: str) -> tuple[tuple[float, float, float, float], ...]:
        """Middles and radii in mm."""
        wanted = "a list of [x, y, z, radius] in mm"
        value = self._content.get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, wanted)
        return tuple(self._ball(key, line, wanted) for line in value)

    def _ball(self, key: str, line: Any, wanted: str) -> tuple[float, float, float, float]:
        whole = isinstance(line, list) and len(line) == _COORDINATES
        if not whole or not all(map(_is_number, line)) or line[-1] <= 0:
            raise self._wrong(key, wanted)
        x, y, z, radius = map(float, line)
        return x, y, z, radius

    def _wrong(self, key: str, wanted: str) -> ProfileFileError:
        return ProfileFileError(f"wrong form: {key} in {self._name} must be {wanted}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
