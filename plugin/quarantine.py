# SPDX-License-Identifier: AGPL-3.0-or-later
"""Objects kept aside on this node: results that failed validation or that Orthanc did not take, and
copies of documents that wait for a person.

Each is two files, the object and what is wrong with it. Their names are derived UIDs, which name no
patient; the objects themselves hold what the originals hold, so only this user may read them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LOGGER = logging.getLogger(__name__)

MOST = 500
"""Objects kept; the oldest go. One fault of ours can fail every scan of a night."""


class QuarantinedObject(BaseModel):
    """What is wrong with one object, without anything of the patient."""

    model_config = ConfigDict(frozen=True)

    kind: str
    sop_instance_uid: str = Field(description="derived; the object is in no archive")
    errors: tuple[str, ...]
    level: str = Field(description="instance or series")
    resource: str = Field(description="Orthanc identifier of the scan")
    model: str = ""
    model_version: str = ""
    quarantined_at: str = Field(description="UTC, ISO 8601")


class Quarantine:
    """The folder of one node; workers write, the web process reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, dicom: bytes, entry: QuarantinedObject) -> None:
        """Keep a result that Orthanc has not, in place of one of the same UID."""
        LOGGER.error(
            "an object (%s) is kept aside, not in Orthanc: GET /sidelight/quarantine says why",
            entry.kind,
        )
        self.put_aside(dicom, entry)

    def put_aside(self, dicom: bytes, entry: QuarantinedObject) -> None:
        """The same for an object with which nothing is wrong; nothing is logged."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = self._folder / entry.sop_instance_uid
        _write(name.with_name(f"{name.name}.dcm"), dicom)
        _write(name.with_name(f"{name.name}.json"), entry.model_dump_json().encode())
        for path in self._newest_first()[MOST:]:
            self._remove(path)

    def release(self, sop_instance_uid: str) -> None:
        """Forget an object: a later run made it well."""
        path = self._folder / f"{sop_instance_uid}.json"
        if path.exists():
            self._remove(path)

    def entries(self) -> Iterator[QuarantinedObject]:
        """What is kept aside, the newest first."""
        for path in self._newest_first():
            try:
                yield QuarantinedObject.model_validate_json(path.read_bytes())
            except FileNotFoundError:
                continue  # released meanwhile
            except ValidationError:
                LOGGER.warning("an entry of the quarantine is of another version and not shown")

    def _newest_first(self) -> list[Path]:
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append((path.stat().st_mtime_ns, path))
            except FileNotFoundError:
                continue  # another worker was faster
        return [path for _, path in sorted(found, reverse=True)]

    def _remove(self, entry: Path) -> None:
        entry.with_suffix(".dcm").unlink(missing_ok=True)
        entry.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
