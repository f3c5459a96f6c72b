# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the arrival mode."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plugin.configuration.section import Section


class ArrivalSection(Section):
    """Archives that keep no original: instances are de-identified before Orthanc stores them."""

    mode: Literal["off", "deidentify"] = Field(
        default="off",
        description="deidentify: as Deidentification says, or nothing is stored at all",
    )
    timeout_seconds: float = Field(
        default=30.0, gt=0, le=600, description="for one instance; then it is refused"
    )
    maximum_megabytes: int = Field(
        default=1024, ge=1, le=4096, description="larger instances are refused"
    )
    guard_storage: Literal["auto", "required", "off"] = Field(
        default="auto",
        description=(
            "Orthanc's storage writes only what arrival mode admitted; auto: unless another "
            "plugin stores instances; required: then nothing is stored at all"
        ),
    )
    quarantine: Literal["off", "encrypted"] = Field(
        default="off",
        description="encrypted: what is refused is kept outside Orthanc, under the archive's key",
    )
    quarantine_megabytes: int = Field(
        default=1024, ge=1, le=1_048_576, description="of all that is kept; no more is, beyond"
    )
