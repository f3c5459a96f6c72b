# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sections of the processes: workers, queue, inference."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from plugin.configuration.accounts import Account
from plugin.configuration.application_destinations import safe_url
from plugin.configuration.section import Section

TrustedKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class WorkerSection(Section):
    """The processes that work off the queue."""

    count: int = Field(default=1, ge=1, le=64, description="worker processes")
    nice: int = Field(
        default=15, ge=0, le=19, description="niceness of workers and models: Orthanc goes first"
    )
    scheduling: Literal["idle", "normal"] = Field(
        default="idle", description="idle: they run only when nothing else wants the processor"
    )
    give_way: float = Field(
        default=0.5,
        ge=0.0,
        le=0.9,
        description="share of the time that workers rest while 20 scans a second and more arrive",
    )


class QueueSection(Section):
    """Leases, retries and dead letters."""

    lease_seconds: float = Field(
        default=120.0, ge=5, le=86400, description="after this a silent worker's job is given away"
    )
    maximum_attempts: int = Field(default=5, ge=1, le=100, description="then it is a dead letter")
    backoff_seconds: float = Field(
        default=2.0, ge=0, le=3600, description="before the second attempt; doubles each time"
    )


class InferenceSection(Section):
    """Where models run."""

    url: str = Field(
        default="",
        pattern=r"^$|^unix:/.+|^https?://.+",
        description="empty: a local child process; or unix:/path/of/socket, https://…, "
        "or http:// on loopback",
    )
    token: str = Field(
        default="",
        description="bearer token of a remote service; https:// or unix: only",
        repr=False,
    )
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:0 …"
    )
    threads: int = Field(default=0, ge=0, le=256, description="CPU threads; 0: half of the cores")
    timeout_seconds: float = Field(
        default=120.0, gt=0, le=3600, description="for one analysis; then it is tried again"
    )
    model_directories: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="folders of bundles, or of models with versions, besides the shipped ones",
    )
    pinned_digests: dict[str, str] = Field(
        default_factory=dict,
        description="by model name: digests, by blanks, with which alone it is served",
    )
    trusted_keys: tuple[TrustedKey, ...] = Field(
        default=(), strict=False, description="public keys (Ed25519, base64) that sign bundles"
    )
    require_signature: bool = Field(
        default=False,
        description="true: refuses bundles neither signed by such a key nor pinned",
    )

    deciders: tuple[Account, ...] = Field(
        default=(),
        strict=False,
        description="Orthanc accounts that may promote, reject and roll back models over REST; "
        "empty: the command line only",
    )

    @property
    def place(self) -> str:
        """Where a service that is not a child of Orthanc's process answers; empty for a child."""
        if not self.url or self.url.startswith("unix:"):
            return self.url
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("url")
    @classmethod
    def _scans_stay_unread_on_the_way(cls, value: str) -> str:
        return safe_url(value, "Inference.Token") if value.startswith("http") else value

    @model_validator(mode="after")
    def _a_token_is_kept_secret(self) -> InferenceSection:
        if self.token and self.url.startswith("http://"):
            raise ValueError(
                "Token: a token needs a Url with https://, or everybody on the way reads it"
            )
        return self

    @field_validator("pinned_digests")
    @classmethod
    def _digests(cls, value: dict[str, str]) -> dict[str, str]:
        for digest in " ".join(value.values()).split():
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise ValueError("a digest is 64 hexadecimal digits in lower case")
        return value
