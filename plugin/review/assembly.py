# SPDX-License-Identifier: AGPL-3.0-or-later
"""Putting together what takes reviews on this node."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from plugin.archive import Archive
from plugin.configuration import Configuration
from plugin.quarantine import Quarantine
from plugin.review.ledger import Ledger
from plugin.review.remediation import Rule
from plugin.review.reviewer import Reviewer
from plugin.review.versions import VersionMaker


def reviewer(archive: Archive, configuration: Configuration, data: Path) -> Reviewer:
    """What takes reviews.

    Args:
        archive: Orthanc.
        configuration: decides what corrected objects look like.
        data: this node's data directory.

    Raises:
        LedgerError: the counts can't be opened.
    """

    @cache
    def objects() -> VersionMaker:
        # Here: the first review pays for loading what writes DICOM objects, no other request.
        from plugin.review.corrected_objects import CorrectedObjects  # noqa: PLC0415
        from plugin.worker.assembly import result_options  # noqa: PLC0415

        return CorrectedObjects(
            archive,
            result_options(configuration),
            Quarantine(data / "quarantine"),
            dict(configuration.results.series_numbers),
        )

    return Reviewer(archive, objects, Ledger(data / "reviews.sqlite"))


def rule(taking: Reviewer, configuration: Configuration) -> Rule:
    """The rule by which remediations open."""
    return Rule(taking.ledger, configuration.review)
