# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of reviews by readers, and of the remediation that they can open."""

from __future__ import annotations

from pydantic import Field

from plugin.configuration.section import Section


class ReviewSection(Section):
    """Who may be believed about whose review it is, and how many errors are too many."""

    user_header: str = Field(
        default="",
        pattern=r"^$|^[A-Za-z0-9-]+$",
        description="request header in which a trusted proxy names the user, e.g. X-Remote-User",
    )
    remediation_errors: int = Field(
        default=20, ge=1, le=100000, description="images with a corrected class that open one"
    )
    remediation_share: float = Field(
        default=0.05, ge=0, le=1, description="least share of errors among the images reviewed"
    )
    remediation_days: int = Field(
        default=365, ge=1, le=36500, description="reviews older than this no longer count"
    )
