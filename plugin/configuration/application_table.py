# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of applications: which scans go where, with which priors, and what is fetched for them.

Without a table the installed bundles' own scan categories rule. An application that names a bundle
narrows it; a bundle that no application names goes on as without the table.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plugin.configuration.anatomy_names import RegionName
from plugin.configuration.application_destinations import (
    BundleDestination,
    Destination,
    HandoverDestination,
    RemoteDestination,
)
from plugin.configuration.modality_terms import undefined
from plugin.configuration.secret_file import unreadable_files
from plugin.configuration.table_file import read_table_file, refuse

_ORTHANC_NAME = r"^$|^[A-Za-z0-9_.-]{1,64}$"
_NAME = r"^[a-z][a-z0-9-]{0,39}$"
_Modality = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]
_View = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]
Included = Literal["exclude", "include"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CategoryRule(_Part):
    """A scan category: every condition must hold."""

    modalities: tuple[_Modality, ...] = Field(min_length=1)
    regions: tuple[RegionName, ...] = Field(min_length=1, description="one of them is shown")
    views: tuple[_View, ...] = Field(default=(), description="empty: any, also none given")
    minimum_slices: int = Field(default=1, ge=1, le=100_000)
    contrast: Literal["any", "with", "without"] = "any"
    orientation: Literal["any", "axial", "coronal", "sagittal"] = "any"
    localizers: Included = "exclude"
    derived: Included = "include"
    minimum_confidence: float = Field(default=0.5, ge=0.0, le=1.0)


class Needs(_Part):
    """What an application gets besides the series that fit."""

    priors: int = Field(default=0, ge=0, le=20, description="how many earlier studies at most")
    within_days: int = Field(default=1825, ge=1, le=36_500, description="how far back")
    prior_series: Literal["same-category", "same-region"] = Field(
        default="same-category", description="same-region: of any modality"
    )
    maximum_instances: int = Field(default=5000, ge=1, le=50_000, description="of a whole set")


class Application(_Part):
    """One application."""

    name: str = Field(pattern=_NAME, description="said on REST; unique")
    scan: CategoryRule
    needs: Needs = Needs()
    destination: Destination

    @model_validator(mode="after")
    def _priors_arrive(self) -> Application:
        if self.needs.priors and isinstance(
            self.destination, BundleDestination | RemoteDestination
        ):
            raise ValueError(
                f"needs.priors = {self.needs.priors}: a bundle analyses one scan, allowed: 0; "
                "priors go to the kinds node, dicomweb and http"
            )
        return self

    @property
    def bundle(self) -> str:
        """The bundle that analyses its scans; empty for what is handed over."""
        if isinstance(self.destination, BundleDestination | RemoteDestination):
            return self.destination.bundle
        return ""

    @property
    def handover(self) -> HandoverDestination | None:
        """Where its matched study sets go; None where a bundle analyses its scans."""
        if isinstance(self.destination, BundleDestination | RemoteDestination):
            return None
        return self.destination


class Pull(_Part):
    """A query that fetches studies of other archives by itself."""

    name: str = Field(pattern=_NAME)
    modality: str = Field(
        default="", pattern=_ORTHANC_NAME, description="name in Orthanc's DicomModalities; or"
    )
    server: str = Field(
        default="", pattern=_ORTHANC_NAME, description="name in Orthanc's DicomWeb.Servers"
    )
    applications: tuple[str, ...] = Field(
        default=(), description="empty: all of the table, and installed models"
    )
    days_back: int = Field(default=1, ge=0, le=3650, description="before today, by Study Date")
    every_minutes: int = Field(default=60, ge=1, le=10_080)
    from_hour: int = Field(default=0, ge=0, le=23, description="local time")
    until_hour: int = Field(
        default=24, ge=1, le=24, description="before from_hour: over midnight; the same: always"
    )
    maximum_studies: int = Field(default=20, ge=1, le=1000, description="fetched each time")
    takes: Literal["served-series", "served-studies", "everything"] = Field(
        default="served-series", description="by the anatomy that the other archive's answers name"
    )
    sure_from: float = Field(
        default=0.8, ge=0.0, le=1.0, description="confidence of an anatomy that may be left there"
    )
    unsure: Literal["pull", "leave"] = Field(
        default="pull", description="what is done where the answers don't tell the anatomy"
    )
    priors: bool = Field(
        default=False, description="also asks for priors of the studies that are here"
    )
    target: str = Field(
        default="",
        pattern=r"^$|^[!-\[\]-~]{1,16}$",
        description="AE title that a modality sends to; empty: this Orthanc's",
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Pull:
        if bool(self.modality) == bool(self.server):
            raise ValueError("give exactly one of modality and server")
        if self.server and self.target:
            raise ValueError(f"target = {self.target!r}: allowed with modality only")
        return self

    @property
    def source(self) -> str:
        """The archive that is asked, for people."""
        return f"modality {self.modality}" if self.modality else f"server {self.server}"


class ApplicationTable(_Part):
    """All applications and pulls."""

    applications: tuple[Application, ...] = Field(default=(), alias="application")
    pulls: tuple[Pull, ...] = Field(default=(), alias="pull")

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> ApplicationTable:
        names = [one.name for one in self.applications]
        pulls = [one.name for one in self.pulls]
        for kind, every in (("applications", names), ("pulls", pulls)):
            twice = next((name for name in every if every.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"two {kind} have the name {twice}")
        for pull in self.pulls:
            unknown = next((name for name in pull.applications if name not in names), None)
            if unknown is not None:
                raise ValueError(
                    f"pull {pull.name}: applications = {unknown!r}: there is no such application; "
                    f"allowed: {', '.join(names) or 'none, the table has no application'}"
                )
        return self

    @model_validator(mode="after")
    def _a_bundle_runs_at_one_place(self) -> ApplicationTable:
        first: dict[str, Application] = {}
        for one in self.applications:
            other = first.setdefault(one.bundle, one) if one.bundle else one
            if other.destination != one.destination:
                places = " and ".join(_place(each.destination) for each in (other, one))
                raise ValueError(
                    f"applications {other.name} and {one.name}: bundle = {one.bundle!r} at {places}"
                    "; a bundle runs at one place: give both the same destination, key by key, or "
                    "install the bundle under another name at one of them"
                )
        return self

    @property
    def handovers(self) -> tuple[Application, ...]:
        """The applications that get matched study sets."""
        return tuple(one for one in self.applications if one.handover is not None)

    @property
    def needs_a_process(self) -> bool:
        """Whether something is sent or fetched outside of the workers."""
        return bool(self.handovers or self.pulls)

    def digest(self) -> str:
        """SHA-256 of all that the table says; empty for an empty one."""
        if not self.applications:
            return ""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def _place(destination: Destination) -> str:
    """Where a bundle runs, for people."""
    return f"sidelight {destination.url}" if isinstance(destination, RemoteDestination) else "local"


def unusual_modalities(table: ApplicationTable) -> list[str]:
    """What may be a slip of the pen and is allowed: modalities that DICOM does not define."""
    return [
        f"application {one.name}: scan.modalities has {', '.join(unknown)}: no defined term of "
        "Modality (PS3.3 C.7.3.1.1.1), so only scans of a device with terms of its own fit"
        for one in table.applications
        if (unknown := undefined(one.scan.modalities))
    ]


def check_secrets(table: ApplicationTable) -> None:
    """Read every file with a secret once.

    Raises:
        TableError: one can't be read; says of which application, and which key names it.
    """
    refuse(
        [
            f"application {one.name}: {said}"
            for one in table.applications
            for said in unreadable_files(one.destination)
        ]
    )


def read_applications(path: str = "") -> ApplicationTable:
    """Read and validate the table at ``path``; an empty one where that is empty.

    Raises:
        TableError: no such file, no TOML, or an application that is not allowed.
    """
    return read_table_file(Path(path), ApplicationTable) if path else ApplicationTable()
