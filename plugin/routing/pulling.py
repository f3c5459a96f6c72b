# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fetches what the applications are made for from other archives, on a schedule.

Orthanc itself asks (C-FIND, QIDO-RS) and fetches (C-MOVE, WADO-RS), by its own lists of archives.
A pull asks by modality and Study Date, then for the series of each new study, and fetches those
whose anatomy, by what the answers say, an application takes, or that leave doubt about it. What
then fits is decided by the headers of what arrives, as for every other study.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from inference.contract import AnatomyAnswer
from plugin.archive import ArchiveError
from plugin.configuration.application_table import ApplicationTable, Pull
from plugin.dispatch.ledger import Ledger
from plugin.gate import InferenceRefusedError, InferenceUnavailableError
from plugin.routing.choosing import Arrival, Asked, Chooser, Here
from plugin.routing.exchange import STUDY_KEYS, FoundStudies
from plugin.routing.pull_report import (
    PullOutcome,
    is_open,
    last_run,
    local_time,
    remember_outcome,
    remember_run,
)
from plugin.routing.served import Judgement, Wanted, modalities_of, wanted_by_table
from plugin.routing.windows import Window, found_in

_MOST_FAILURES = 3
"""In one query; then the other archive is taken to be away."""

_MOST_ASKED = 200
"""Studies of one query whose series are asked for; the others are left for the next time."""

_AWAY = (
    "inference does not answer, or the key can't be used: what is served can't be told; tried again"
)

LOGGER = logging.getLogger(__name__)


class Exchange(Here, Protocol):
    """What is needed of Orthanc."""

    def found(self, pull: Pull, query: Mapping[str, str], /) -> FoundStudies:
        """What the archive of a pull answers."""

    def answers(self, pull: Pull, /) -> bool:
        """Whether that archive is there at all."""


def _silent(_: Mapping[str, str]) -> AnatomyAnswer | None:
    return None


@dataclass
class Puller:
    """Carries out the pulls of a table when their time has come.

    Args:
        exchange: Orthanc.
        table: with the pulls, and with the applications whose modalities they ask for.
        ledger: remembers what was fetched, and when each pull ran.
        installed: what the installed bundles take; asked for where a pull names no application.
        anatomy: of a series by what an archive says of it; None where it can't be told.
        ready: whether inference answers; until then no pull begins that asks it.
        now: local time.
        arrival: how it is told whether what was fetched has come.
    """

    exchange: Exchange
    table: ApplicationTable
    ledger: Ledger
    now: Callable[[], datetime] = field(default=local_time)
    installed: Callable[[], Sequence[Wanted]] = tuple
    anatomy: Callable[[Mapping[str, str]], AnatomyAnswer | None] = _silent
    ready: Callable[[], bool] = lambda: True
    arrival: Arrival = field(default_factory=Arrival)
    _failed: dict[str, int] = field(default_factory=dict)

    def step(self) -> int:
        """Carry out what is due; how many studies were fetched.

        Raises:
            QueueError: the file of what was fetched can't be read or written.
        """
        due = [pull for pull in self.table.pulls if self._is_due(pull)]
        return sum(self._run(pull) for pull in due if self._is_ready(pull))

    def _is_ready(self, pull: Pull) -> bool:
        """Whether anatomies can be recognized, where the pull needs them."""
        if pull.takes == "everything" or self.ready():
            return True
        remember_outcome(self.ledger, pull, PullOutcome(trouble=_AWAY))
        return False

    def _is_due(self, pull: Pull) -> bool:
        now = self.now()
        if not is_open(pull, now.hour):
            return False
        last = last_run(self.ledger, pull)
        return last is None or now.timestamp() - last >= pull.every_minutes * 60.0

    def _run(self, pull: Pull) -> int:
        remember_run(self.ledger, pull, self.now())
        whole = PullOutcome()
        wanted = self._wanted(pull)
        for modality in modalities_of(wanted):
            try:
                most = pull.maximum_studies - whole.fetched
                whole = whole.plus(self._fetch(pull, modality, wanted, most))
            except ArchiveError as error:
                LOGGER.warning("pull %s: %s", pull.name, error)
                whole = whole.plus(PullOutcome(trouble=str(error)))
            if whole.trouble:
                break
            whole = whole.model_copy(update={"modalities": (*whole.modalities, modality)})
        remember_outcome(self.ledger, pull, whole)
        if whole.fetched:
            LOGGER.warning("pull %s: %d studies fetched", pull.name, whole.fetched)
        if whole.left:
            LOGGER.warning("pull %s: %d studies wait for the next time", pull.name, whole.left)
        return whole.fetched

    def _wanted(self, pull: Pull) -> list[Wanted]:
        named = wanted_by_table(self.table, pull)
        if pull.applications:
            return named
        try:
            return [*named, *self.installed()]
        except (InferenceUnavailableError, InferenceRefusedError) as error:
            LOGGER.warning("pull %s: installed models are not known: %s", pull.name, error)
            return named

    def _fetch(self, pull: Pull, modality: str, wanted: Sequence[Wanted], most: int) -> PullOutcome:
        """Fetch studies until there are enough, or too many could not be had."""
        today = self.now().date()
        keys = {**dict.fromkeys(STUDY_KEYS, ""), "ModalitiesInStudy": modality}
        found = found_in(
            lambda dates: self.exchange.found(pull, {**keys, **dates}),
            Window(today - timedelta(days=pull.days_back), today),
            lambda: self.exchange.answers(pull),
        )
        try:
            return self._fetch_all(Asked(pull, wanted, modality, found, today), most)
        finally:
            found.close()

    def _fetch_all(self, asked: Asked, most: int) -> PullOutcome:
        chooser = Chooser(self.exchange, self.ledger, self.anatomy, self.arrival)
        fresh, outcome = self._fresh(asked, chooser)
        fetched, failed = 0, 0
        for number in fresh[:_MOST_ASKED]:
            if fetched >= most or failed == _MOST_FAILURES:
                break
            try:
                judgement = chooser.fetch(asked, number)
            except InferenceUnavailableError:
                LOGGER.warning("pull %s: %s", asked.pull.name, _AWAY)
                outcome = outcome.plus(PullOutcome(trouble=_AWAY))
                break
            except ArchiveError as error:
                LOGGER.warning("pull %s: %s", asked.pull.name, error)
                digest = asked.digest(number)
                self._failed[digest] = self._failed.get(digest, 0) + 1
                failed += 1
                outcome = outcome.plus(PullOutcome(failure=str(error)))
                continue
            outcome = outcome.plus(outcome_of(judgement))
            fetched += judgement.takes != "nothing"
        done = outcome.fetched + outcome.unserved + outcome.known + failed
        left = len(asked.found.told) - done
        return outcome.plus(PullOutcome(failed=failed, left=left))

    def _fresh(self, asked: Asked, chooser: Chooser) -> tuple[list[int], PullOutcome]:
        """Numbers of the studies to ask about, and what is known of the others."""
        fresh: list[int] = []
        outcome = PullOutcome(found=len(asked.found.told))
        for number in range(len(asked.found.told)):
            if not chooser.is_candidate(asked, number):
                outcome = outcome.plus(PullOutcome(known=1))
            elif (judgement := chooser.settled(asked, number)) is None:
                fresh.append(number)
            elif judgement.takes == "nothing":
                outcome = outcome.plus(outcome_of(judgement))
            else:
                outcome = outcome.plus(PullOutcome(known=1))
        # A study that can't be had stands in the way of no other.
        fresh.sort(key=lambda number: self._failed.get(asked.digest(number), 0))
        return fresh, outcome


def outcome_of(judgement: Judgement) -> PullOutcome:
    """What one study adds to the outcome of a run."""
    return PullOutcome(
        fetched=judgement.takes != "nothing",
        in_part=judgement.takes == "in-part",
        unserved=judgement.takes == "nothing",
        why=dict(Counter(one.reason for one in judgement.series)),
    )
