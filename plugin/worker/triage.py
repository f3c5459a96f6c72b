# SPDX-License-Identifier: AGPL-3.0-or-later
"""From arrivals to jobs: 2D images one by one, slices as the series that they make up.

All that it asks Orthanc is in Orthanc's database; no DICOM file is read here.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from plugin.archive import Archive, NotFoundError
from plugin.queue import Arrival, JobQueue, NewJob
from plugin.worker.sop_classes import is_image, is_volume

LOGGER = logging.getLogger(__name__)


@dataclass
class Triage:
    """Settles arrivals; ``wait`` is how long a growing series must have been quiet, in seconds."""

    queue: JobQueue
    archive: Archive
    wait: float
    application: str = ""

    def settle_arrivals(self) -> int:
        """Turn the oldest arrivals into jobs; how many there were."""
        arrivals = self.queue.arrivals()
        series_of: dict[str, str] = {}
        seen: set[str] = set()
        jobs: list[NewJob] = []
        for arrival in arrivals:
            if arrival.instance in seen:
                continue  # sent twice in a row; one look is enough
            seen.add(arrival.instance)
            try:
                job = self._judge(arrival, series_of)
            except NotFoundError:
                LOGGER.info("an arrival is no longer in Orthanc")
                continue
            if job is not None:
                jobs.append(job)
        if arrivals:
            self.queue.settle(arrivals, jobs)
        return len(arrivals)

    def settle_series(self) -> int:
        """Turn complete series into jobs; how many there were."""
        due = self.queue.due_series()
        for series, study, when, forced in due:
            try:
                content = self._series_content(series)
            except NotFoundError:
                content = "deleted"
            job = NewJob("series", series, content, self.application, series, study, when, forced)
            self.queue.settle_series(job, when)
        return len(due)

    def _judge(self, arrival: Arrival, series_of: dict[str, str]) -> NewJob | None:
        sop_class = arrival.sop_class or self.archive.sop_class(arrival.instance)
        if not is_image(sop_class):
            return None
        if is_volume(sop_class):
            return self._slice(arrival, series_of)
        content = self.archive.content_digest(arrival.instance)
        series, study = self._parents(arrival.instance)
        return NewJob(
            "instance", arrival.instance, content, self.application,
            series, study, arrival.received, arrival.forced,
        )  # fmt: skip

    def _slice(self, arrival: Arrival, series_of: dict[str, str]) -> NewJob | None:
        known = series_of.get(arrival.instance)
        if known is not None:
            self.queue.touch_series(known, arrival, self.wait)
            return None
        series, study = self._parents(arrival.instance)
        # One question for the whole batch of slices instead of one per slice.
        series_of.update(dict.fromkeys(self.archive.series(series)["Instances"], series))
        self.queue.note_series(series, study, arrival, self.wait)
        return NewJob(
            "recognition", series, "", self.application,
            series, study, arrival.received, arrival.forced,
        )  # fmt: skip

    def _parents(self, instance: str) -> tuple[str, str]:
        series = self.archive.instance(instance)["ParentSeries"]
        return series, self.archive.series(series)["ParentStudy"]

    def _series_content(self, series: str) -> str:
        digest = hashlib.sha256()
        for instance in sorted(self.archive.series(series)["Instances"]):
            digest.update(f"{instance} {self.archive.content_digest(instance)}\n".encode())
        return digest.hexdigest()
