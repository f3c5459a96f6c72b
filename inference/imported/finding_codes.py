# SPDX-License-Identifier: Apache-2.0
"""From the name that a model gives a class to a coded finding (PS3.3 section 8.8).

The findings of public chest radiograph models are provided; others come from a file of the site, in
the same form::

    [hip-fracture]
    name = "Hip fracture"
    code = ["263225007", "SCT", "Fracture of hip"]
    names = ["hip_fx"]          # what the model calls it, besides the above
    severity = 2                # 0 incidental to 3 time-critical
    colour = [255, 170, 0]      # sRGB
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.contract import CodedConcept, FindingClass
from inference.imported.errors import ModelImportError

_PROVIDED = Path(__file__).parent / "data" / "chest_findings.toml"
_KEY = re.compile(r"[a-z][a-z0-9-]*")
_Byte = Annotated[int, Field(ge=0, le=255)]


class FindingEntry(BaseModel):
    """One finding of a codes file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    code: tuple[str, str, str] = Field(description="value, scheme, meaning")
    names: tuple[str, ...] = ()
    severity: int = Field(default=1, ge=0, le=3)
    colour: tuple[_Byte, _Byte, _Byte] = (255, 170, 0)


@dataclass(frozen=True)
class Thresholds:
    """From which probability a class counts as present, and a patch as outlined."""

    present: float = 0.5
    patch: float = 0.5


class FindingCodes:
    """Looks classes up by any of their names."""

    def __init__(self, entries: Mapping[str, FindingEntry]) -> None:
        self._keys: dict[str, str] = {}
        self._entries = dict(entries)
        for key, entry in entries.items():
            for name in (key, entry.name, *entry.names):
                self._keys[_plain(name)] = key

    @classmethod
    def provided(cls) -> FindingCodes:
        """The usual findings of chest radiographs."""
        return cls(_provided())

    @classmethod
    def with_file(cls, path: Path) -> FindingCodes:
        """The provided ones and those of a file, which go first.

        Raises
        ------
        ModelImportError
            The file can't be read, or an entry is wrong.
        """
        return cls({**_provided(), **_read(path)})

    def classes(
        self, names: Iterable[str], thresholds: Mapping[str, Thresholds]
    ) -> list[FindingClass]:
        """Coded classes for the names a model uses, in their order.

        Raises
        ------
        ModelImportError
            A name has no code, or two names mean the same finding.
        """
        wanted = list(names)
        missing = [name for name in wanted if _plain(name) not in self._keys]
        if missing:
            raise ModelImportError(
                f"no code is known for {', '.join(missing)}; give a file with --codes that has "
                "an entry for each (docs/models.md)"
            )
        keys = [self._keys[_plain(name)] for name in wanted]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ModelImportError(f"several classes mean {', '.join(twice)}; code them apart")
        return [
            self._class(key, thresholds.get(name, Thresholds()))
            for key, name in zip(keys, wanted, strict=True)
        ]

    def _class(self, key: str, thresholds: Thresholds) -> FindingClass:
        entry = self._entries[key]
        value, scheme, meaning = entry.code
        return FindingClass(
            key=key,
            name=entry.name,
            code=CodedConcept(value=value, scheme=scheme, meaning=meaning),
            threshold=thresholds.present,
            patch_threshold=thresholds.patch,
            severity=entry.severity,
            colour=entry.colour,
        )


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-/]+", "", name).casefold()


@cache
def _provided() -> dict[str, FindingEntry]:
    return _read(_PROVIDED)


def _read(path: Path) -> dict[str, FindingEntry]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelImportError(f"{path.name} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelImportError(f"{path.name} is no TOML: {error}") from error
    found: dict[str, FindingEntry] = {}
    for key, value in content.items():
        if not _KEY.fullmatch(key):
            raise ModelImportError(f"{path.name}: {key!r} must be lower case letters and hyphens")
        try:
            found[key] = FindingEntry.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (key, *first["loc"])))
            raise ModelImportError(f"{path.name} is wrong at {where}: {first['msg']}") from error
    return found
