# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collects every night, within the hours and the number of rows that the configuration names.

What one night reached is remembered, so neither a restart of Orthanc nor an archive that stays busy
makes a night collect more than its share, and the next night goes on where this one ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from deid.errors import SiteVocabularyError
from plugin.archive import Archive
from plugin.collecting.answering import Answering
from plugin.collecting.collector import Collector
from plugin.collecting.notebook import Notebook, NotebookError, notebook_folder
from plugin.collecting.orthanc_load import OrthancLoad
from plugin.collecting.pace import Load, Pace, QuietHours
from plugin.collecting.quota import Quota
from plugin.configuration.anatomy_collecting import CollectingSection
from plugin.gate import Gate, InferenceRefusedError, InferenceUnavailableError
from plugin.handover import Handover
from plugin.worker.reading import reader_for

LOGGER = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
AGAIN_SECONDS = 600.0
_QUESTIONS_PER_SERIES = 64
"""Listing, tags, and at most so many slices of a series."""


def _now() -> datetime:
    return datetime.now().astimezone()


Make = Callable[[Pace, Quota], Collector]


@dataclass
class Nightly:
    """The loop of the collecting process.

    Args:
        section: hours and bounds; its window must be given.
        notebook: where rows are kept.
        load: of Orthanc.
        make: puts one run together.
        versions: of the anatomy models that answer now, by name, as the service tells them.
    """

    section: CollectingSection
    notebook: Notebook
    load: Load
    make: Make
    versions: Callable[[], Mapping[str, str]]
    now: Callable[[], datetime] = field(default=_now)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def run_forever(self) -> None:
        """Collect until the process ends."""
        while True:
            try:
                self.sleep(self.step())
            except (NotebookError, SiteVocabularyError) as error:
                LOGGER.warning("waiting: %s", error)
                self.sleep(AGAIN_SECONDS)

    def step(self) -> float:
        """Collect if it is time; seconds until the next look.

        Raises:
            NotebookError: rows can't be kept.
            SiteVocabularyError: the site's words can't be read.
        """
        known = self._note_who_answers()
        now = self.now()
        if not self._hours.holds(now.hour):
            return LOOK_SECONDS
        night = self._night(now)
        left = self.section.rows_per_night - self.notebook.taken_in(night)
        if left <= 0 or self.notebook.is_over(night) or not known:
            return LOOK_SECONDS
        quota = Quota(
            left, self.section.interval_seconds, partial(self.notebook.take, night), self.sleep
        )
        reason = self.make(self._pace(left), quota).run()
        self.notebook.prune(self.section.maximum_rows)
        if not reason and not self._hours.always:
            # The whole archive was gone through; what comes meanwhile is tomorrow's.
            self.notebook.end(night)
        LOGGER.info("%d series looked at: %s", quota.taken, reason or "no other is left")
        return AGAIN_SECONDS

    def _note_who_answers(self) -> bool:
        """Whether it is known now which models answer.

        Asked by day, too: what is exported holds labels of models that answer still.
        """
        try:
            versions = self.versions()
        except (InferenceRefusedError, InferenceUnavailableError) as error:
            LOGGER.info("which models answer isn't known: %s", error)
            return False
        self.notebook.answered_by({name: f"{name} {one}" for name, one in versions.items()})
        return bool(versions)

    def _pace(self, left: int) -> Pace:
        # Of series that are known already nothing is asked, but pages of the listing are.
        questions = 10_000 + left * _QUESTIONS_PER_SERIES
        return Pace(self._hours, questions, self.load, now=self.now, sleep=self.sleep)

    @property
    def _hours(self) -> QuietHours:
        return QuietHours(*(self.section.hours or (0, 0)))

    def _night(self, now: datetime) -> str:
        """The date on which the quiet hours began."""
        return (now - timedelta(hours=self._hours.from_hour)).date().isoformat()


def nightly_for(handover: Handover) -> Nightly:
    """Put the loop together, with the site's key, de-identification and models."""
    configuration = handover.configuration
    section, inference = configuration.anatomy.collecting, configuration.inference
    archive = Archive(
        handover.orthanc_url,
        handover.authorization,
        find_limit=handover.find_limit,
        user_metadata=handover.user_metadata,
    )
    gate = Gate.to(handover.inference_url, inference.token, inference.timeout_seconds)
    reader = reader_for(handover, archive, gate)
    notebook = Notebook(notebook_folder(Path(handover.queue_file).parent))

    def make(pace: Pace, quota: Quota) -> Collector:
        return Collector(
            shelf=archive,
            pace=pace,
            deidentifier=reader.deidentifier,
            header_deidentifier=reader.header_deidentifier,
            gate=gate,
            notebook=notebook,
            pixel_teacher=section.pixel_teacher,
            quota=quota,
            answering=Answering(notebook.answering),
        )

    def versions() -> Mapping[str, str]:
        return gate.health().anatomy

    return Nightly(section, notebook, OrthancLoad(archive), make, versions)
