# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fetches priors from the archives of pulls, for studies that an application with priors gets.

When such a study is here and quiet, its archive is asked for the patient's earlier studies: by
Patient ID, back to ``within_days``, the latest first. What it answers of another patient is left
there, whether it ignores keys or issues its numbers itself. Each study is asked about once.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from inference.contract import AnatomyAnswer
from plugin.anatomy.persons import Person, person_of
from plugin.anatomy.priors import study_date
from plugin.archive import ArchiveError, NotFoundError
from plugin.configuration.application_table import Application, Pull
from plugin.dispatch.ledger import Ledger
from plugin.exact_search import is_exact
from plugin.gate import InferenceUnavailableError
from plugin.queue_file import QueueError
from plugin.routing.choosing import Arrival, Asked, Chooser, prior_pull
from plugin.routing.exchange import PERSON_KEYS, STUDY_KEYS, FoundStudies
from plugin.routing.matching import Matcher
from plugin.routing.pull_report import is_open, local_time
from plugin.routing.pulling import Exchange
from plugin.routing.records import Decision
from plugin.routing.served import Wanted, modalities_of
from plugin.routing.windows import Window, found_in

LOGGER = logging.getLogger(__name__)

_REMEMBERED = 10_000
"""Studies whose archives were asked; one that is forgotten is asked about again."""
_MOST_ASKED = 20
"""Earlier studies of one patient and modality whose series are asked for."""
_MOST_FAILURES = 3
_AGAIN_SECONDS = (60.0, 300.0, 900.0, 3600.0)
"""After these an archive is asked again that could not be, or of which a study could not be had."""
_SPARE = 2
"""So many times what is wanted is fetched: by its header a study may not fit."""


class Archive(Protocol):
    """What is needed of this Orthanc."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one study."""

    def children(self, level: Any, identifier: str, /) -> list[Any]:
        """Orthanc's JSON of all series of a study."""

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword, without pixel data."""


@dataclass(frozen=True)
class Wish:
    """Priors that an application wants of a study.

    Attributes:
        wanted: under the application's name.
        days: before the study; older ones would not come into the set.
        number: how many.
    """

    wanted: Wanted
    days: int
    number: int


@dataclass(frozen=True)
class Current:
    """A study whose priors are looked for."""

    number: str
    taken: date
    person: Person


@dataclass
class _Question:
    """Whether archives have answered about a study, or when they are asked."""

    due: float = 0.0
    attempts: int = 0
    done: bool = False


@dataclass(frozen=True)
class _Tally:
    """How many studies were fetched, and whether something could not be asked or had."""

    fetched: int = 0
    failed: bool = False

    def plus(self, other: _Tally) -> _Tally:
        return _Tally(self.fetched + other.fetched, self.failed or other.failed)


@dataclass
class PriorPuller:
    """Asks about each study that is quiet; the dispatcher waits for the first answer.

    Args:
        archive: this Orthanc.
        matcher: decides which applications get a study.
        exchange: asks and fetches.
        ledger: remembers what was fetched, and that it was fetched as a prior.
        anatomy: of a series by what an archive says of it; None where it can't be told.
        ready: whether inference answers.
        now: local time.
        arrival: how it is told whether what was fetched has come.
    """

    archive: Archive
    matcher: Matcher
    exchange: Exchange
    ledger: Ledger
    anatomy: Callable[[Mapping[str, str]], AnatomyAnswer | None]
    ready: Callable[[], bool] = lambda: True
    now: Callable[[], datetime] = local_time
    arrival: Arrival = field(default_factory=Arrival)
    _asked: OrderedDict[str, _Question] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def awaits(self, study: str) -> bool:
        """Whether archives are still to be asked about a study; they are, soon after."""
        with self._lock:
            question = self._asked.setdefault(study, _Question())
            while len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
            return not question.done and not question.attempts

    def step(self) -> int:
        """Ask about the studies that wait for it; how many earlier ones were fetched.

        Raises:
            QueueError: the ledger can't be read or written.
        """
        now = self.now().timestamp()
        with self._lock:
            every = list(self._asked.items())
        waiting = [(study, one) for study, one in every if not one.done and one.due <= now]
        if not waiting or not self.ready():
            return 0
        fetched = 0
        for study, question in waiting:
            tally = self._answered(study)
            if tally is None:
                LOGGER.warning("priors wait: inference does not answer")
                break
            fetched += tally.fetched
            if tally.failed and question.attempts < len(_AGAIN_SECONDS):
                question.due = now + _AGAIN_SECONDS[question.attempts]
                question.attempts += 1
            else:
                question.done = True
        return fetched

    def _answered(self, study: str) -> _Tally | None:
        """What became of a study's question; None where nobody's can be answered now.

        Whatever is wrong with one study holds up no other: it is asked about again later.
        """
        try:
            return self._of_study(study)
        except NotFoundError:
            LOGGER.info("a study was deleted before its priors were looked for")
            return _Tally()
        except InferenceUnavailableError:
            if not self.ready():
                return None
            LOGGER.warning("priors of a study wait: inference fails at what an archive says")
        except ArchiveError as error:
            LOGGER.warning("priors of a study wait: %s", error)
        except QueueError:
            raise  # a file of all studies
        except Exception as error:  # noqa: BLE001
            # An error of ours, whose text may quote a header.
            LOGGER.error("priors of a study wait: %s", type(error).__name__)  # noqa: TRY400
        return _Tally(failed=True)

    def _of_study(self, study: str) -> _Tally:
        hour = self.now().hour
        pulls = [one for one in self.matcher.table.pulls if one.priors and is_open(one, hour)]
        found = self.archive.study(study)
        uid = str(found.get("MainDicomTags", {}).get("StudyInstanceUID", ""))
        if not pulls or self.ledger.is_prior(uid):
            return _Tally()
        current = self._current(found)
        wishes = self._wishes(study) if current else []
        whole = _Tally()
        for pull in pulls:
            names = pull.applications
            served = [one for one in wishes if not names or one.wanted.name in names]
            for modality in _modalities(served):
                of_it = [one for one in served if modality in (one.wanted.modalities or ("",))]
                if current:
                    whole = whole.plus(self._ask(prior_pull(pull), current, of_it, modality))
        return whole

    def _current(self, study: dict[str, Any]) -> Current | None:
        """Whose earlier studies are asked for; None where that can't be asked exactly."""
        number = str(study.get("PatientMainDicomTags", {}).get("PatientID", "")).strip()
        taken = study_date(study)
        series = self.archive.children("study", str(study["ID"]))
        images = [str(one["Instances"][0]) for one in series if one.get("Instances")]
        person = person_of(self.archive, images)
        if not is_exact(number) or taken is None or person is None:
            return None
        return Current(number, taken, person)

    def _wishes(self, study: str) -> list[Wish]:
        decisions = {one.application: one for one in self.matcher.decide(study).decisions}
        wishes = (_wish(one, decisions[one.name]) for one in self.matcher.table.handovers)
        return [one for one in wishes if one is not None]

    def _ask(self, pull: Pull, current: Current, wishes: Sequence[Wish], modality: str) -> _Tally:
        """Fetch earlier studies with a modality (empty: any) from one archive."""
        days = min(max(one.days for one in wishes), (current.taken - date.min).days)
        if not days:
            return _Tally()  # 0001-01-01 stands for no date
        window = Window(current.taken - timedelta(days=days), current.taken - timedelta(days=1))
        keys = dict.fromkeys((*STUDY_KEYS, *PERSON_KEYS), "") | {"PatientID": current.number}
        if modality:
            keys["ModalitiesInStudy"] = modality
        try:
            found = found_in(
                lambda dates: self.exchange.found(pull, {**keys, **dates}),
                window,
                lambda: self.exchange.answers(pull),
            )
        except ArchiveError as error:
            LOGGER.warning("pull %s: %s", pull.name, error)
            return _Tally(failed=True)
        try:
            theirs = _theirs(found, current, window)
            wanted = [one.wanted for one in wishes]
            asked = Asked(pull, wanted, modality, theirs.found, self.now().date())
            most = _SPARE * max(one.number for one in wishes)
            return self._fetch(asked, theirs.days, most)
        finally:
            found.close()

    def _fetch(self, asked: Asked, days: Sequence[date], most: int) -> _Tally:
        chooser = Chooser(self.exchange, self.ledger, self.anatomy, self.arrival)
        fetched = failed = 0
        for number, day in enumerate(days):
            if fetched == most or failed == _MOST_FAILURES:
                break
            if not chooser.is_candidate(asked, number) or chooser.settled(asked, number):
                continue
            try:
                fetched += self._fetch_one(chooser, asked, number, day)
            except ArchiveError as error:
                LOGGER.warning("pull %s: %s", asked.pull.name, error)
                failed += 1
        if fetched:
            LOGGER.warning("pull %s: %d earlier studies fetched", asked.pull.name, fetched)
        return _Tally(fetched, bool(failed))

    def _fetch_one(self, chooser: Chooser, asked: Asked, number: int, day: date) -> bool:
        """Whether something of a study was fetched.

        It is handed over as a prior alone, unless a pull asks for studies of its day anyway.
        """
        uid = asked.found.uids[number]
        recent = max(one.days_back for one in self.matcher.table.pulls)
        is_old = day < asked.today - timedelta(days=recent)
        new = is_old and not self.ledger.is_begun(asked.digest(number))
        if new:
            self.ledger.remember_prior(uid)  # before: it is decided about as soon as it is here
        taken = False
        try:
            taken = chooser.fetch(asked, number).takes != "nothing"
        finally:
            if new and not taken and not self.ledger.is_begun(asked.digest(number)):
                self.ledger.forget_prior(uid)
        return taken


@dataclass(frozen=True)
class Theirs:
    """Answers about one patient, the latest study first, each with its day."""

    found: FoundStudies
    days: tuple[date, ...]


def _theirs(found: FoundStudies, current: Current, window: Window) -> Theirs:
    """The earlier studies of this patient among what an archive answers, without identity."""
    dated = [(study_date({"MainDicomTags": told}), n) for n, told in enumerate(found.told)]
    order = sorted(
        (
            (day, n)
            for day, n in dated
            if day is not None
            and window.first <= day <= window.last
            and found.told[n].get("PatientID") == current.number
            and current.person.can_be(Person.of(found.told[n]))
        ),
        reverse=True,
    )[:_MOST_ASKED]
    told = [
        {name: value for name, value in found.told[n].items() if name in STUDY_KEYS}
        for _, n in order
    ]
    studies = FoundStudies(
        told,
        lambda at: found.fetch(order[at][1]),
        lambda at: found.series(order[at][1]),
        found.close,
    )
    return Theirs(studies, tuple(day for day, _ in order))


def _wish(application: Application, decision: Decision) -> Wish | None:
    """What an application misses; None where it gets no set, or none could be later."""
    needs = application.needs
    if not needs.priors or decision.decision != "matched":
        return None
    shown = {r for part in decision.parts if part.role == "current" for r in part.regions}
    held = {part.number: part.days_before for part in decision.parts if part.role == "prior"}
    days = max(held.values()) - 1 if len(held) == needs.priors else needs.within_days
    if days < 1:
        return None
    modalities = application.scan.modalities if needs.prior_series == "same-category" else ()
    confidence = application.scan.minimum_confidence
    wanted = Wanted(application.name, modalities, tuple(sorted(shown)), confidence)
    return Wish(wanted, days, needs.priors)


def _modalities(wishes: Sequence[Wish]) -> list[str]:
    """Those that are asked for; an empty one asks for all."""
    found = modalities_of(one.wanted for one in wishes)
    return [*found, *([""] if any(not one.wanted.modalities for one in wishes) else [])]
