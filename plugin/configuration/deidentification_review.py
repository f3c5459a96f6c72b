# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the review of de-identified images by people."""

from __future__ import annotations

from pydantic import Field

from plugin.configuration.accounts import Account
from plugin.configuration.section import Section


class DeidentificationReviewSection(Section):
    """Who looks at what de-identification refuses, and at samples of what it lets pass."""

    reviewers: tuple[Account, ...] = Field(
        default=(),
        strict=False,
        description="Orthanc accounts that see original beside result and decide; empty: nobody, "
        "and what is refused stays refused",
    )
    auditors: tuple[Account, ...] = Field(
        default=(),
        strict=False,
        description="Orthanc accounts that read who has looked at which original; reviewers only "
        "where they are named here too",
    )
    sample: float = Field(
        default=0.0, ge=0, le=1, description="share of scans that pass and are looked at anyway"
    )
    hold_sampled: bool = Field(
        default=False, description="true: sampled scans wait for a reviewer before any model"
    )
