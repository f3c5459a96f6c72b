# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue as the routes see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from plugin.archive import Archive
from plugin.queue import JobQueue


@dataclass
class Desk:
    """Answers what is still to come, and takes orders."""

    queue: JobQueue
    archive: Archive

    def pending_for(self, resources: Iterable[str], /) -> int:
        """How many arrivals and jobs of these Orthanc identifiers are not finished."""
        return self.queue.pending_for(resources)

    def studies_to_note(self, limit: int, /) -> list[tuple[str, float]]:
        """Studies that wait, or have a scan that ended without a result; since when."""
        return self.queue.studies_to_note(limit)

    def enqueue_analysis(self, study_id: str) -> int:
        """Queue every image of a study again, before what arrives by itself; how many."""
        instances = self.archive.study_instances(study_id)
        return self.queue.put_all(((instance, "") for instance in instances), forced=True)
