# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where an application of the table runs or lies."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from plugin.configuration.addresses import parts_of

Zone = Literal["de-identified", "phi"]
"""``phi``: the destination lies inside the PHI zone, so it gets originals."""

_BUNDLE = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="name of a model bundle")
_FILE = Field(default="", pattern=r"^$|^/.+", description="absolute path")
_ORTHANC_NAME = r"^[A-Za-z0-9_.-]{1,64}$"


def safe_url(url: str, better: str = "a file that authorization_file names") -> str:
    """An address to which scans may go: over TLS, or to this machine.

    Args:
        url: the address.
        better: where a password may stand instead of in the address.

    Raises:
        ValueError: says what is allowed; never repeats the address.
    """
    parts = parts_of(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with https://, or with http:// on loopback")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"holds a password; allowed: {better}")
    if parts.query or parts.fragment or any(character.isspace() for character in url):
        raise ValueError("allowed: scheme, host, port and path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("http:// is allowed to loopback only; use https://")
    return url.rstrip("/")


def _safe_table_url(url: str) -> str:
    return safe_url(url)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


SafeUrl = Annotated[str, AfterValidator(_safe_table_url)]


class _Destination(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BundleDestination(_Destination):
    """A bundle of this site's own inference service."""

    kind: Literal["local"]
    bundle: str = _BUNDLE


class RemoteDestination(_Destination):
    """A bundle of another Sidelight's inference service; de-identified scans only."""

    kind: Literal["sidelight"]
    bundle: str = _BUNDLE
    url: SafeUrl
    token_file: str = _FILE
    certificate_authority: str = _FILE
    timeout_seconds: float = Field(default=120.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _a_token_is_kept_secret(self) -> RemoteDestination:
        if self.token_file and self.url.startswith("http://"):
            raise ValueError("token_file: a token needs https, or everybody on the way reads it")
        return self


class NodeDestination(_Destination):
    """A DICOM node, by its name in Orthanc's DicomModalities (C-STORE, PS3.4 Annex B)."""

    kind: Literal["node"]
    modality: str = Field(pattern=_ORTHANC_NAME)
    zone: Zone = "de-identified"

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return f"modality {self.modality}"

    @property
    def receiver(self) -> str:
        """Who gets it, and what: the same for settings that differ in nothing else."""
        return f"node {self.modality} {self.zone}"


class PeerDestination(_Destination):
    """Another Orthanc, by its name in Orthanc's OrthancPeers."""

    kind: Literal["peer"]
    peer: str = Field(pattern=_ORTHANC_NAME)
    zone: Zone = "de-identified"

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return f"peer {self.peer}"

    @property
    def receiver(self) -> str:
        """Who gets it, and what: the same for settings that differ in nothing else."""
        return f"peer {self.peer} {self.zone}"


class DicomwebDestination(_Destination):
    """A DICOMweb server (STOW-RS, PS3.18 section 10.5)."""

    kind: Literal["dicomweb"]
    server: str = Field(
        default="",
        pattern=rf"^$|{_ORTHANC_NAME}",
        description="name in Orthanc's DicomWeb.Servers; only for zone phi",
    )
    url: SafeUrl | None = Field(default=None, description="the address before /studies")
    authorization_file: str = _FILE
    certificate_authority: str = _FILE
    timeout_seconds: float = Field(default=300.0, gt=0, le=3600)
    zone: Zone = "de-identified"

    @model_validator(mode="after")
    def _has_one_address(self) -> DicomwebDestination:
        if bool(self.server) == (self.url is not None):
            raise ValueError("give exactly one of server and url")
        if self.server and self.zone != "phi":
            raise ValueError(
                'zone = "de-identified": Orthanc sends only what it stores, so server is allowed '
                'with zone = "phi" only; give url instead'
            )
        return self

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return f"server {self.server}" if self.server else _host(self.url or "")

    @property
    def receiver(self) -> str:
        """Who gets it, and what: the same for settings that differ in nothing else."""
        return f"dicomweb {self.server or self.url} {self.zone}"


class HttpDestination(_Destination):
    """An HTTP endpoint: one POST with the manifest and all files."""

    kind: Literal["http"]
    url: SafeUrl
    form: Literal["multipart", "zip"] = "multipart"
    authorization_file: str = _FILE
    certificate_authority: str = _FILE
    timeout_seconds: float = Field(default=300.0, gt=0, le=3600)
    zone: Zone = "de-identified"

    @property
    def target(self) -> str:
        """Where it leads, for people."""
        return _host(self.url)

    @property
    def receiver(self) -> str:
        """Who gets it, and what: the same for settings that differ in nothing else."""
        return f"http {self.url} {self.zone}"


HandoverDestination = NodeDestination | PeerDestination | DicomwebDestination | HttpDestination
Destination = Annotated[
    BundleDestination | RemoteDestination | HandoverDestination,
    Field(discriminator="kind"),
]


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
