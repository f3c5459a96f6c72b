# SPDX-License-Identifier: AGPL-3.0-or-later
"""Follows Orthanc for one table, and notes in the outbox what the table wants delivered.

A study is decided about when Orthanc calls it stable and no scan of it waits for a worker, if the
table cares for what workers find. Where the table puts studies together, an earlier one that is
still arriving is waited for, and a later one is decided about again. How far Orthanc's changes were
read, and that a study is decided about, is kept after all that follows: a process that ends in
between does the same again, and the outbox takes each delivery once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from plugin.archive import ArchiveError, NotFoundError
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import NewDelivery, Outbox
from plugin.queue_file import QueueError

LOGGER = logging.getLogger(__name__)

UNSETTLED_SECONDS = 1.0
AWAY_SECONDS = 10.0
LONGEST_TROUBLE_SECONDS = 3600.0
"""A study that an error of ours keeps from being decided waits twice as long each time, up to so
long."""
LONGEST_WAIT_SECONDS = 300.0
"""For earlier studies: what is urgent goes without them, and again with them."""
LATE_SECONDS = 7 * 86400.0
"""So long after a study was noted an earlier one that comes or changes has it decided again."""
_LAST_CHANGE = "last-change"
_MOST_TRIES = 5
"""Of an instance that an error of ours keeps from being decided about; then it is left."""
_PAGES = 50
"""Pages of Orthanc's changes read at a time: 50 000 changes."""


class Archive(Protocol):
    """What is needed of Orthanc."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one study."""

    def changes(self, since: int, limit: int = 1000, /) -> dict[str, Any]:
        """Orthanc's list of changes."""

    def last_change(self) -> int:
        """Sequence number of the latest change."""


class Decider(Protocol):
    """A table with its matcher.

    Every method raises ``NotFoundError`` where what it is asked about is gone.
    """

    @property
    def awaits_workers(self) -> bool:
        """Whether what the workers find decides: a study then waits until they are done with it."""

    @property
    def takes_strangers(self) -> bool:
        """Whether studies count that this node's workers never noted, as those of other nodes."""

    def of_study(self, study: str, /) -> Sequence[NewDelivery]:
        """What is to be delivered of a quiet study."""

    def of_instance(self, instance: str, /) -> Sequence[NewDelivery]:
        """What is to be delivered as soon as an instance is there."""


class Relatives(Protocol):
    """Which studies are put together with one.

    Every method raises ``NotFoundError`` where what it is asked about is gone.
    """

    def awaits(self, study: str, /) -> bool:
        """Whether studies that can go along with one may be on their way from elsewhere."""

    def earlier(self, study: str, /) -> Sequence[Mapping[str, Any]]:
        """Orthanc's JSON of the studies that can go along with one."""

    def later(self, study: str, /) -> Sequence[str]:
        """Studies that one can go along with, the latest first."""


@dataclass(frozen=True)
class Dispatcher:
    """Turns quiet studies and new instances into deliveries.

    Args:
        archive: Orthanc.
        decider: the table.
        ledger: the table's.
        outbox: where deliveries are noted.
        pending: how many scans of these Orthanc identifiers still wait for a worker.
        relatives: None where the table takes each study by itself.
        clock: seconds that never go back.
    """

    archive: Archive
    decider: Decider
    ledger: Ledger
    outbox: Outbox
    pending: Callable[[Iterable[str]], int]
    relatives: Relatives | None = None
    clock: Callable[[], float] = time.monotonic
    _waiting: dict[str, float] = field(default_factory=dict)
    _troubled: dict[str, float] = field(default_factory=dict)
    _tried: dict[str, int] = field(default_factory=dict)

    def step(self) -> int:
        """Read new changes and look at all studies that are due; how many were decided.

        Raises:
            QueueError: a file can't be read or written.
            ArchiveError: Orthanc can't be asked for its changes.
        """
        self._read_changes()
        return sum(self._look_at(study, version) for study, version in self.ledger.due())

    def is_quiet(self, study: str) -> bool:
        """Whether a study can be decided about.

        Raises:
            NotFoundError: it is gone.
        """
        return self._are_quiet([self.archive.study(study)])

    def _are_quiet(self, studies: Sequence[Mapping[str, Any]]) -> bool:
        if not all(one.get("IsStable", True) for one in studies):
            return False
        asked = [str(one) for study in studies for one in (study["ID"], *study["Series"])]
        return not (self.decider.awaits_workers and asked and self.pending(asked))

    def _waits(self, study: str) -> bool:
        """Whether a study that is quiet itself waits for an earlier one."""
        known = self.relatives
        if known is None or (not known.awaits(study) and self._are_quiet(known.earlier(study))):
            return False
        now = self.clock()
        if now - self._waiting.setdefault(study, now) < LONGEST_WAIT_SECONDS:
            return True
        LOGGER.warning("a study waits no longer for an earlier one that is still arriving")
        return False

    def _look_at(self, study: str, version: int) -> bool:
        try:
            if not self.is_quiet(study) or self._waits(study):
                self.ledger.later(study, version, UNSETTLED_SECONDS)
                return False
            self._note(self.decider.of_study(study))
            # One that is due for an earlier study's sake is no news to those after it.
            if self.relatives is not None and not self.ledger.is_revisit(study, version):
                since = time.time() - LATE_SECONDS
                self.ledger.revisit(self.relatives.later(study), since)
        except NotFoundError:
            LOGGER.info("a study was deleted before it was decided about")
        except ArchiveError as error:
            LOGGER.warning("a study waits to be decided about: %s", error)
            self.ledger.later(study, version, AWAY_SECONDS)
            return False
        except QueueError:
            raise  # a file of all studies
        except Exception as error:  # noqa: BLE001
            # An error of ours, whose text may quote a header; the other studies go on.
            self._put_off(study, version, type(error).__name__)
            return False
        self._waiting.pop(study, None)
        self._troubled.pop(study, None)
        self.ledger.decided(study, version)
        return True

    def _put_off(self, study: str, version: int, error: str) -> None:
        seconds = self._troubled.get(study, AWAY_SECONDS)
        self._troubled[study] = min(2 * seconds, LONGEST_TROUBLE_SECONDS)
        LOGGER.error("a study can't be decided about: %s, tried again in %.0f s", error, seconds)
        self.ledger.later(study, version, seconds)

    def _read_changes(self) -> None:
        known = self.ledger.fact(_LAST_CHANGE)
        if known is None:
            # What was stored before the table was there stays where it is.
            self.ledger.remember(_LAST_CHANGE, str(self.archive.last_change()))
            return
        since = int(known)
        for _ in range(_PAGES):
            page = self.archive.changes(since)
            self._follow(page["Changes"])
            if int(page["Last"]) != since:
                since = int(page["Last"])
                self.ledger.remember(_LAST_CHANGE, str(since))
            if page["Done"]:
                return

    def _follow(self, changes: Sequence[Mapping[str, Any]]) -> None:
        stable = [str(one["ID"]) for one in changes if one["ChangeType"] == "StableStudy"]
        if stable and self.decider.takes_strangers:
            self.ledger.stable(stable)
        elif stable:
            self.ledger.stable_again(stable)
        for one in changes:
            if one["ChangeType"] == "NewInstance":
                self._new_instance(str(one["ID"]))

    def _new_instance(self, instance: str) -> None:
        try:
            self._note(self.decider.of_instance(instance))
        except NotFoundError:
            LOGGER.info("an instance was deleted before it was decided about")
        except (ArchiveError, QueueError):
            raise  # the changes are read again
        except Exception as error:
            # An error of ours. What comes after it is followed all the same, after a while.
            tried = self._tried[instance] = self._tried.get(instance, 0) + 1
            if tried < _MOST_TRIES:
                raise
            LOGGER.error("an instance is left: %s", type(error).__name__)  # noqa: TRY400
        self._tried.pop(instance, None)

    def _note(self, deliveries: Sequence[NewDelivery]) -> None:
        if deliveries:
            self.outbox.note(deliveries)
            # A set that shrank and has grown back is the one that another took the place of.
            self.outbox.revive(deliveries)
