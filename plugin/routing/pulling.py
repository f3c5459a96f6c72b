# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fetches studies that the applications are made for from other archives, on a schedule.

Orthanc itself asks (C-FIND, QIDO-RS) and fetches (C-MOVE, WADO-RS), by its own lists of archives.
The anatomy is told by the tags of what arrives: a query answers Body Part Examined rarely, and
wrongly often enough. So a pull asks by modality and Study Date, and what then fits is decided as
for every other study.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from plugin.archive import ArchiveError
from plugin.configuration.application_table import ApplicationTable, Pull
from plugin.dispatch.ledger import Ledger
from plugin.exact_search import is_exact
from plugin.gate import InferenceRefusedError, InferenceUnavailableError
from plugin.routing.exchange import FoundStudies
from plugin.routing.pull_report import (
    PullOutcome,
    is_open,
    last_run,
    local_time,
    modalities,
    remember_outcome,
    remember_run,
)

_MOST_FAILURES = 3
"""In one query; then the other archive is taken to be away."""

LOGGER = logging.getLogger(__name__)


class Exchange(Protocol):
    """What is needed of Orthanc."""

    def found(self, pull: Pull, query: Mapping[str, str], /) -> FoundStudies:
        """What the archive of a pull answers."""

    def find(
        self, level: str, query: Mapping[str, str], /, *, expand: bool = True, limit: int = 0
    ) -> list[Any]:
        """Search what Orthanc holds."""


@dataclass
class Puller:
    """Carries out the pulls of a table when their time has come.

    Args:
        exchange: Orthanc.
        table: with the pulls, and with the applications whose modalities they ask for.
        ledger: remembers what was fetched, and when each pull ran.
        installed: modalities of the installed bundles; asked for where a pull names no application.
        now: local time.
    """

    exchange: Exchange
    table: ApplicationTable
    ledger: Ledger
    now: Callable[[], datetime] = field(default=local_time)
    installed: Callable[[], Sequence[str]] = tuple
    _failed: dict[str, int] = field(default_factory=dict)

    def step(self) -> int:
        """Carry out what is due; how many studies were fetched.

        Raises:
            QueueError: the file of what was fetched can't be read or written.
        """
        return sum(self._run(pull) for pull in self.table.pulls if self._is_due(pull))

    def _is_due(self, pull: Pull) -> bool:
        now = self.now()
        if not is_open(pull, now.hour):
            return False
        last = last_run(self.ledger, pull)
        return last is None or now.timestamp() - last >= pull.every_minutes * 60.0

    def _run(self, pull: Pull) -> int:
        remember_run(self.ledger, pull, self.now())
        whole = PullOutcome()
        for modality in self._modalities(pull):
            try:
                whole = whole.plus(
                    self._fetch(pull, modality, pull.maximum_studies - whole.fetched)
                )
            except ArchiveError as error:
                LOGGER.warning("pull %s: %s", pull.name, error)
                whole = whole.plus(PullOutcome(trouble=str(error)))
                break
            whole = whole.model_copy(update={"modalities": (*whole.modalities, modality)})
        remember_outcome(self.ledger, pull, whole)
        if whole.fetched:
            LOGGER.warning("pull %s: %d studies fetched", pull.name, whole.fetched)
        if whole.left:
            LOGGER.warning("pull %s: %d studies wait for the next time", pull.name, whole.left)
        return whole.fetched

    def _modalities(self, pull: Pull) -> list[str]:
        named = modalities(self.table, pull)
        if pull.applications:
            return named
        try:
            return list(dict.fromkeys((*named, *self.installed())))
        except (InferenceUnavailableError, InferenceRefusedError) as error:
            LOGGER.warning("pull %s: installed models are not known: %s", pull.name, error)
            return named

    def _fetch(self, pull: Pull, modality: str, most: int) -> PullOutcome:
        """Fetch studies until there are enough, or too many could not be had."""
        found = self.exchange.found(pull, self._query(pull, modality))
        try:
            return self._fetch_all(pull, found, most)
        finally:
            found.close()

    def _fetch_all(self, pull: Pull, found: FoundStudies, most: int) -> PullOutcome:
        fetched = failed = 0
        wanted = self._wanted(pull, found.uids)
        for number, digest in wanted:
            if fetched >= most or failed == _MOST_FAILURES:
                break
            try:
                found.fetch(number)
            except ArchiveError as error:
                LOGGER.warning("pull %s: %s", pull.name, error)
                self._failed[digest] = self._failed.get(digest, 0) + 1
                failed += 1
                continue
            # After: what was cut off is fetched again, and Orthanc keeps what it has.
            self.ledger.pulled(digest)
            fetched += 1
        return PullOutcome(
            found=len(found.uids),
            known=len(found.uids) - len(wanted),
            fetched=fetched,
            failed=failed,
            left=len(wanted) - fetched - failed,
        )

    def _wanted(self, pull: Pull, uids: Sequence[str]) -> list[tuple[int, str]]:
        """Numbers of the studies to fetch, each with a digest of it."""
        found = []
        for number, uid in enumerate(uids):
            digest = hashlib.sha256(f"{pull.source} {uid}".encode()).hexdigest()
            if is_exact(uid) and self._is_wanted(uid, digest):
                found.append((number, digest))
        # A study that can't be had stands in the way of no other.
        return sorted(found, key=lambda one: self._failed.get(one[1], 0))

    def _query(self, pull: Pull, modality: str) -> dict[str, str]:
        today = self.now().date()
        first = today - timedelta(days=pull.days_back)
        return {
            "StudyDate": f"{first:%Y%m%d}-{today:%Y%m%d}",
            "ModalitiesInStudy": modality,
            "StudyInstanceUID": "",
        }

    def _is_wanted(self, uid: str, digest: str) -> bool:
        """Whether a study was never fetched and isn't here: what was deleted here stays away."""
        if not self.ledger.is_new(digest):
            return False
        return not self.exchange.find("Study", {"StudyInstanceUID": uid}, expand=False)
