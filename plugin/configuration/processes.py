# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sections of the processes: workers, queue, inference."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plugin.configuration.section import Section


class WorkerSection(Section):
    """The processes that work off the queue."""

    count: int = Field(default=1, ge=1, le=64, description="worker processes")
    nice: int = Field(
        default=15, ge=0, le=19, description="niceness of workers and models: Orthanc goes first"
    )
    scheduling: Literal["idle", "normal"] = Field(
        default="idle", description="idle: they run only when nothing else wants the processor"
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
        description="empty: a local child process; or unix:/path/of/socket, https://…",
    )
    token: str = Field(default="", description="bearer token of a remote service", repr=False)
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:0 …"
    )
    threads: int = Field(default=0, ge=0, le=256, description="CPU threads; 0: half of the cores")
    timeout_seconds: float = Field(
        default=120.0, gt=0, le=3600, description="for one analysis; then it is tried again"
    )
    model_directories: tuple[str, ...] = Field(
        default=(), strict=False, description="folders of bundles besides the shipped ones"
    )
