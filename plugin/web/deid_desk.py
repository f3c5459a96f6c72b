# SPDX-License-Identifier: AGPL-3.0-or-later
"""How routes come by the desk of the review of de-identified images."""

from __future__ import annotations

from collections.abc import Callable

from plugin.deid_review.desk import ReviewDesk

GiveDesk = Callable[[], ReviewDesk | None]
"""Gives the desk, or None where there is none; raises ``KeyFileError`` while its key is missing."""


def given(give: GiveDesk | None) -> ReviewDesk | None:
    """The desk, now."""
    return give() if give else None
