# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of copies: of which scans others get de-identified copies, how made, and where to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plugin.configuration.anatomy_names import RegionName
from plugin.configuration.application_destinations import SafeUrl
from plugin.configuration.secret_file import unreadable_files
from plugin.configuration.table_file import read_table_file, refuse

_FILE = Field(default="", pattern=r"^$|^/.+", description="absolute path")
_CodeString = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]
_Uid = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=64)]
_Pattern = Annotated[str, Field(min_length=1, max_length=64)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CopyConditions(_Part):
    """What a series must be; every condition that is given must hold."""

    modalities: tuple[_CodeString, ...] = Field(default=(), description="one of them")
    regions: tuple[RegionName, ...] = Field(default=(), description="one of them is shown")
    stations: tuple[_Pattern, ...] = Field(
        default=(), description="Station Name is one of them; * and ? stand for any letters"
    )
    descriptions: tuple[_Pattern, ...] = Field(
        default=(), description="of study or series, one of them; * and ? as above"
    )
    sop_classes: tuple[_Uid, ...] = Field(default=(), description="SOP Class UID, one of them")


class NodeCopy(_Part):
    """A DICOM node, by its name in Orthanc's DicomModalities (C-STORE, PS3.4 Annex B)."""

    kind: Literal["node"]
    modality: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return f"modality {self.modality}"


class PeerCopy(_Part):
    """Another Orthanc, by its name in Orthanc's OrthancPeers."""

    kind: Literal["peer"]
    peer: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return f"peer {self.peer}"


class _Web(_Part):
    url: SafeUrl
    authorization_file: str = _FILE
    certificate_authority: str = _FILE
    timeout_seconds: float = Field(default=300.0, gt=0, le=3600)

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return urlsplit(self.url).netloc


class DicomwebCopy(_Web):
    """A DICOMweb server (STOW-RS, PS3.18 section 10.5); ``url`` ends before /studies."""

    kind: Literal["dicomweb"]


class OrthancCopy(_Web):
    """Another Orthanc, a second store or a peer, over REST; ``url`` ends before /instances."""

    kind: Literal["orthanc"]


class FolderCopy(_Part):
    """A folder: ``study/series/instance.dcm`` by the new UIDs."""

    kind: Literal["folder"]
    path: str = Field(pattern=r"^/.+", description="absolute; it must be there")

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return "folder"


CopyDestination = Annotated[
    NodeCopy | PeerCopy | DicomwebCopy | OrthancCopy | FolderCopy, Field(discriminator="kind")
]


class CopyRule(_Part):
    """One rule."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="said on REST; unique")
    at: Literal["study", "instance"] = Field(
        default="study",
        description="copied when the study is stable and read, or as soon as an instance is there",
    )
    when: CopyConditions = CopyConditions()
    results: Literal["exclude", "include"] = Field(
        default="exclude", description="Sidelight's own results of a study that has a fitting scan"
    )
    profile: str = Field(
        default="",
        pattern=r"^$|^[a-z]+$|^/.+",
        description="basic, research, or the path of a profile; empty: as Deidentification says",
    )
    destination: CopyDestination

    @model_validator(mode="after")
    def _what_is_asked_is_known_in_time(self) -> CopyRule:
        if self.at == "instance" and self.when.regions:
            raise ValueError(
                'when.regions: not known as soon as an instance is there; allowed with at = "study"'
            )
        if self.at == "instance" and self.results == "include":
            raise ValueError('results = "include": allowed with at = "study"')
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of all that the rule says."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class CopyTable(_Part):
    """All rules; each is tried by itself."""

    rules: tuple[CopyRule, ...] = Field(default=(), alias="copy")

    @model_validator(mode="after")
    def _names_are_unique(self) -> CopyTable:
        names = [one.name for one in self.rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two copies have the name {twice}")
        return self


def read_copies(path: str = "") -> CopyTable:
    """Read and validate the table at ``path``; an empty one where that is empty.

    Raises:
        TableError: no such file, no TOML, or a rule that is not allowed.
    """
    return read_table_file(Path(path), CopyTable) if path else CopyTable()


def check_copies(table: CopyTable) -> None:
    """Look for every file and folder that the table names.

    Raises:
        TableError: one is missing or can't be read; says of which copy, and which key names it.
    """
    refuse([f"copy {rule.name}: {said}" for rule in table.rules for said in _missing(rule)])


def _missing(rule: CopyRule) -> Iterator[str]:
    yield from unreadable_files(rule.destination)
    if isinstance(rule.destination, FolderCopy) and not Path(rule.destination.path).is_dir():
        yield f"destination.path = {rule.destination.path}: there is no such folder"
    if rule.profile.startswith("/") and not Path(rule.profile).is_file():
        yield f"profile = {rule.profile}: there is no such profile"
