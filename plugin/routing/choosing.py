# SPDX-License-Identifier: AGPL-3.0-or-later
"""Chooses what a pull fetches of each study that another archive answers, and keeps why.

- A study that was never fetched and is not here is new. One whose fetching was begun is in part
  here, whether it was cut off or only some of its series were wanted.
- What came with fewer images than the archive counts is fetched again, and after some attempts that
  bring no more taken as it is: an archive may count what it does not send.
- A judgement holds while the archive answers the same number of images, and as long as the same is
  wanted; where it answers no number, for a day.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from inference.contract import AnatomyAnswer
from plugin.archive import ArchiveError
from plugin.configuration.application_table import Pull
from plugin.dispatch.ledger import Ledger
from plugin.results.private import MANUFACTURER
from plugin.routing.exchange import FoundSeries, FoundStudies
from plugin.routing.served import JudgedSeries, Judgement, Wanted, judged

LOGGER = logging.getLogger(__name__)

_UID = re.compile(r"[0-9.]{1,64}")
"""PS3.5 section 9.1; it becomes a part of addresses."""
_MODALITY = re.compile(r"[A-Z0-9_ ]{1,16}")
"""A code string (PS3.5 section 6.2); it is told to people, and other text could name somebody."""
_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds until what was fetched is looked for again."""
_MOST_SHORT = 3
"""Attempts in a row that bring no more images of a study or series than the one before."""
_COUNT = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,11}")


class ShortArrivalError(ArchiveError):
    """Fewer images came than the archive counts; ``held`` of them are here."""

    def __init__(self, source: str, held: int, counted: int) -> None:
        super().__init__(f"{source}: {held} of {counted} images came")
        self.held = held


class Here(Protocol):
    """What is needed of this Orthanc."""

    def find(
        self, level: str, query: Mapping[str, str], /, *, expand: bool = True, limit: int = 0
    ) -> list[Any]:
        """Search what Orthanc holds."""


@dataclass(frozen=True)
class Arrival:
    """Whether what was fetched has come: an archive may call a move done that moved nothing.

    Attributes:
        under_its_uids: False where Orthanc stores under other UIDs than came; then nobody can tell.
        wait: so many seconds; an archive may answer before it sends.
    """

    under_its_uids: bool = True
    wait: Callable[[float], object] = time.sleep

    def require(self, here: Here, pull: Pull, level: str, uid: str, counted: int = 0) -> None:
        """Look for a study or series, for a while.

        Args:
            counted: images that the archive says it has of it; 0 where it says nothing.

        Raises:
            ShortArrivalError: fewer are here.
            ArchiveError: nothing of it is here.
        """
        if not self.under_its_uids or pull.target:
            return
        held = 0
        for seconds in (*_WAITS, None):
            held = _held(here, level, uid, counted)
            if held >= max(counted, 1):
                return
            if seconds is not None:
                self.wait(seconds)
        if held:
            raise ShortArrivalError(pull.source, held, counted)
        raise ArchiveError(
            f"{pull.source} says that it sent a {level.lower()}, and nothing of it is here: does "
            "it know the AE title, host and port of this Orthanc, and does Orthanc take it?"
        )


def _held(here: Here, level: str, uid: str, counted: int) -> int:
    """Images of a study or series that are here, or where nobody counts whether any are."""
    query = {f"{level}InstanceUID": uid}
    if not counted:
        return len(here.find(level, query, expand=False))
    return sum(
        len(one.get("Instances", ()))
        for one in here.find("Series", query)
        # Results of the first images that came are not of the archive.
        if one.get("MainDicomTags", {}).get("Manufacturer") != MANUFACTURER
    )


def _counted(told: Mapping[str, str], keyword: str) -> int:
    """A number of images that an archive answers; 0 where it says none."""
    text = told.get(keyword, "")
    return int(text) if _COUNT.fullmatch(text) else 0


@dataclass(frozen=True)
class Asked:
    """One query of one run: what is served, what was answered, and for which modality."""

    pull: Pull
    wanted: Sequence[Wanted]
    modality: str
    found: FoundStudies
    today: date

    def digest(self, number: int) -> str:
        """Of a study, whatever pull asks."""
        return _digest(f"{self.pull.source} {self.found.uids[number]}")

    def series_digest(self, number: int, series: str) -> str:
        """Of one series of a study, whatever pull asks."""
        return _digest(f"{self.pull.source} {self.found.uids[number]} {series}")

    def state(self, number: int) -> str:
        """What a judgement of this study holds for."""
        images = self.found.told[number].get("NumberOfStudyRelatedInstances", "")
        pull = self.pull.model_dump_json(include={"takes", "sure_from", "unsure"})
        wanted = sorted(map(repr, self.wanted))
        return _digest(f"{images or self.today} {pull} {wanted}")


def judgement_digest(pull: Pull, uid: str) -> str:
    """Under which the judgement of a study by a pull is kept."""
    return _digest(f"{pull.name} {pull.source} {uid}")


def prior_pull(pull: Pull) -> Pull:
    """A pull as it asks for priors: what it wants of a study is another thing than by itself."""
    return pull.model_copy(update={"name": f"{pull.name} (priors)"})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Chooser:
    """Fetches of one study after the other what is wanted of it.

    Args:
        here: this Orthanc.
        ledger: remembers what was fetched, and why what was not.
        anatomy: of a series by what an archive says of it; None where it can't be told.
        arrival: how it is told whether what was fetched has come.
    """

    here: Here
    ledger: Ledger
    anatomy: Callable[[Mapping[str, str]], AnatomyAnswer | None]
    arrival: Arrival = field(default_factory=Arrival)

    def is_candidate(self, asked: Asked, number: int) -> bool:
        """Whether something of a study may be wanted: what was deleted here stays away."""
        uid, digest = asked.found.uids[number], asked.digest(number)
        if not _UID.fullmatch(uid) or not self.ledger.is_new(digest):
            return False
        if self.ledger.is_begun(digest):
            return True
        return not self.here.find("Study", {"StudyInstanceUID": uid}, expand=False)

    def settled(self, asked: Asked, number: int) -> Judgement | None:
        """The judgement of a study that still holds and has been carried out."""
        kept = self.ledger.judgement(self._place(asked, number))
        if kept is None or kept[0] != asked.state(number):
            return None
        judgement = Judgement.model_validate_json(kept[1])
        return judgement if judgement.is_about(asked.modality) else None

    def fetch(self, asked: Asked, number: int) -> Judgement:
        """Fetch of a study what is wanted, and keep why.

        Raises:
            ArchiveError: something can't be had; it is fetched again the next time.
            plugin.gate.InferenceUnavailableError: no anatomy can be recognized now.
        """
        if asked.pull.takes == "everything":
            judgement = Judgement(takes="whole", reason="the pull takes everything")
            self._fetch_whole(asked, number)
        else:
            judgement = self._fetch_wanted(asked, number)
        state = asked.state(number) if judgement.lasts else ""
        self.ledger.judge(self._place(asked, number), state, judgement.model_dump_json())
        return judgement

    def _fetch_wanted(self, asked: Asked, number: int) -> Judgement:
        series = self._series(asked, number)
        if series is None:
            judgement = self._of_study(asked, number)
            if judgement.takes != "nothing":
                self._fetch_whole(asked, number)
            return judgement
        try:
            verdicts = [self._judged(asked, number, told) for told in series.told]
            judgement = Judgement.of(verdicts, asked.pull)
            if judgement.takes == "whole":
                self._fetch_whole(asked, number)
            elif judgement.takes == "in-part":
                self._fetch_part(asked, number, series, verdicts)
        finally:
            series.close()
        return judgement

    def _series(self, asked: Asked, number: int) -> FoundSeries | None:
        """The series of a study; None where the archive tells nothing of them."""
        try:
            series = asked.found.series(number)
        except ArchiveError as error:
            LOGGER.warning("pull %s: not asked at series level: %s", asked.pull.name, error)
            return None
        if series.told and all(one.get("SeriesInstanceUID") for one in series.told):
            return series
        series.close()
        return None

    def _of_study(self, asked: Asked, number: int) -> Judgement:
        """By what is said at study level, as if it were one series."""
        told = {"Modality": asked.modality}
        one = self._judged(asked, number, told)
        return Judgement.of([one], asked.pull, series_asked=False)

    def _judged(self, asked: Asked, number: int, told: Mapping[str, str]) -> JudgedSeries:
        whole = {**asked.found.told[number], **told}
        modality = told.get("Modality", "").upper()
        if not _MODALITY.fullmatch(modality):
            modality = ""
        known = self.anatomy(whole) if modality else None
        verdict = judged(asked.pull, asked.wanted, modality, known)
        series = told.get("SeriesNumber", "")
        return verdict.model_copy(update={"number": series if _NUMBER.fullmatch(series) else ""})

    def _fetch_whole(self, asked: Asked, number: int) -> None:
        digest = asked.digest(number)
        self.ledger.begin(digest)
        asked.found.fetch(number)
        counted = _counted(asked.found.told[number], "NumberOfStudyRelatedInstances")
        self._require(asked.pull, "Study", asked.found.uids[number], counted, digest)
        # After: what was cut off is fetched again, and Orthanc keeps what it has.
        self.ledger.pulled(digest)

    def _fetch_part(
        self, asked: Asked, number: int, series: FoundSeries, verdicts: Sequence[JudgedSeries]
    ) -> None:
        self.ledger.begin(asked.digest(number))
        short: ShortArrivalError | None = None
        for at, (told, verdict) in enumerate(zip(series.told, verdicts, strict=True)):
            digest = asked.series_digest(number, told["SeriesInstanceUID"])
            if verdict.taken and self.ledger.is_new(digest):
                series.fetch(at)
                uid = told["SeriesInstanceUID"]
                counted = _counted(told, "NumberOfSeriesRelatedInstances")
                try:
                    self._require(asked.pull, "Series", uid, counted, digest)
                except ShortArrivalError as error:
                    short = error  # the other series are fetched all the same
                else:
                    self.ledger.pulled(digest)
        if short is not None:
            raise short

    def _require(self, pull: Pull, level: str, uid: str, counted: int, digest: str) -> None:
        """Look for what was fetched; what stays short is taken as it is in the end."""
        try:
            self.arrival.require(self.here, pull, level, uid, counted)
        except ShortArrivalError as error:
            if self._may_bring_more(digest, error.held):
                raise
            LOGGER.warning("pull %s: %s, at each attempt: taken as it is", pull.name, error)

    def _may_bring_more(self, digest: str, held: int) -> bool:
        """Whether another attempt is worth it, by what the ones before have brought."""
        place = _digest(f"short {digest}")
        kept = self.ledger.judgement(place)
        attempts = int(kept[1]) + 1 if kept and held <= int(kept[0]) else 1
        self.ledger.judge(place, str(held), str(attempts))
        return attempts < _MOST_SHORT

    def _place(self, asked: Asked, number: int) -> str:
        return judgement_digest(asked.pull, asked.found.uids[number])
