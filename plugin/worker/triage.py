# SPDX-License-Identifier: AGPL-3.0-or-later
"""From arrivals to jobs: 2D images one by one, slices as the series that they make up.

All that it asks Orthanc is in Orthanc's database; no DICOM file is read here.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from plugin.archive import Archive, NotFoundError
from plugin.queue import Arrival, JobQueue, NewJob
from plugin.states import Metadata
from plugin.worker.sop_classes import is_image, is_volume

LOGGER = logging.getLogger(__name__)

SLICES_SECONDS = 0.5
"""Slices are looked at together, those of so many seconds: asking Orthanc about each batch of a few
while a series pours in cost it a tenth of its speed."""
MOST_SLICES = 400
FORGET_EVERY_SECONDS = 600.0


@dataclass
class Triage:
    """Settles arrivals.

    ``wait`` is how long a growing series must have been quiet, and ``together`` for how long slices
    are gathered, in seconds.
    """

    queue: JobQueue
    archive: Archive
    wait: float
    application: str = ""
    together: float = SLICES_SECONDS
    _next_forgetting: float = 0.0

    def settle_arrivals(self) -> int:
        """Turn the oldest arrivals into jobs; how many there were."""
        arrivals = _without_young_slices(self.queue.arrivals(), self.together)
        series_of: dict[str, str] = {}
        seen: set[str] = set()
        jobs: list[NewJob] = []
        gone: set[str] | None = None
        for at, arrival in enumerate(arrivals):
            if arrival.instance in seen:
                continue  # sent twice in a row; one look is enough
            seen.add(arrival.instance)
            if gone is not None and arrival.instance in gone:
                continue
            try:
                job = self._judge(arrival, series_of)
            except NotFoundError:
                # Where one is gone its whole study often is: one question for all that are left.
                gone = self._gone(arrivals[at + 1 :]) if gone is None else gone
                LOGGER.info("%d arrivals are no longer in Orthanc", 1 + len(gone))
                continue
            if job is not None:
                jobs.append(self._lost(job))
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
            self.queue.settle_series(self._lost(job), when)
        return len(due)

    def forget_gone(self) -> None:
        """Every now and then, drop the latest dead letters whose scans were deleted in Orthanc."""
        if time.monotonic() < self._next_forgetting:
            return
        self._next_forgetting = time.monotonic() + FORGET_EVERY_SECONDS
        letters = self.queue.dead_letters()
        there: set[str] = set()
        levels: tuple[Literal["instance", "series"], ...] = ("instance", "series")
        for level in levels:
            asked = {one["resource"] for one in letters if _level(one["level"]) == level}
            if asked:
                found = self.archive.metadata_of(sorted(asked), level, ())
                there.update(str(one["ID"]) for one, _ in found)
        gone = [one for one in letters if one["resource"] not in there]
        if gone:
            self.queue.forget(gone)
            LOGGER.info("%d scans that were given up are no longer in Orthanc", len(gone))

    def _lost(self, job: NewJob) -> NewJob:
        """The job, and whether what the same one found was deleted with the scan, or overwritten.

        Orthanc keeps identifiers: a scan that is sent again has the one it had.
        """
        if job.forced or not self.queue.is_done(job):
            return job
        level = _level(job.level)
        first = job.level == "recognition"
        names = (Metadata.ANATOMY, Metadata.STATE) if first else (Metadata.STATE,)
        kept = any(self.archive.metadata(level, job.resource, name) is not None for name in names)
        return replace(job, lost=not kept)

    def _gone(self, arrivals: Sequence[Arrival]) -> set[str]:
        asked = {arrival.instance for arrival in arrivals}
        found = self.archive.metadata_of(list(asked), "instance", ()) if asked else []
        return asked - {one["ID"] for one, _ in found}

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
        series = self.archive.instance(arrival.instance)["ParentSeries"]
        # One question for the whole batch of slices instead of one per slice.
        found = self.archive.series(series)
        study = found["ParentStudy"]
        series_of.update(dict.fromkeys(found["Instances"], series))
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


def _without_young_slices(arrivals: Sequence[Arrival], seconds: float) -> Sequence[Arrival]:
    """The arrivals but for slices at their end that all came a moment ago; more may follow them.

    As soon as one of them is ``seconds`` old all of them go together, also those that came just
    now: slices that come without end wait no longer than that.
    """
    now = time.time()
    run: list[float] = []
    for arrival in reversed(arrivals):
        if arrival.forced or not is_volume(arrival.sop_class):
            break
        run.append(now - arrival.received)
    # Either way: the clock may have been set.
    are_young = all(abs(age) < seconds for age in run)
    kept_back = len(run) if are_young and len(run) <= MOST_SLICES else 0
    return arrivals[: len(arrivals) - kept_back]


def _level(job_level: str) -> Literal["instance", "series"]:
    """What a job of this level is about."""
    return "instance" if job_level == "instance" else "series"
