# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a pull did the last time, kept in the ledger, and what the table says of every pull."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plugin.configuration.application_table import ApplicationTable, Pull
from plugin.dispatch.ledger import Ledger
from plugin.routing.choosing import judgement_digest, prior_pull
from plugin.routing.served import Judgement, modalities_of, wanted_by_table


class PullOutcome(BaseModel):
    """Counts of one run; a study that two modalities are asked for in counts for each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: int = Field(default=0, description="studies that the other archive answered")
    known: int = Field(default=0, description="of these, those that are here, or were fetched once")
    fetched: int = 0
    in_part: int = Field(default=0, description="of the fetched, those with some series only")
    unserved: int = Field(default=0, description="left there: no application takes them")
    failed: int = Field(default=0, description="could not be had; asked for the next time")
    left: int = Field(default=0, description="for the next time: there were too many, or failures")
    why: dict[str, int] = Field(
        default_factory=dict, description="reasons by number of series, of studies just judged"
    )
    modalities: tuple[str, ...] = Field(default=(), description="that were asked for")
    trouble: str = Field(default="", description="why the other archive could not be asked")
    failure: str = Field(default="", description="why the last of the failed could not be had")

    def plus(self, other: PullOutcome) -> PullOutcome:
        """Both together."""
        return PullOutcome(
            found=self.found + other.found,
            known=self.known + other.known,
            fetched=self.fetched + other.fetched,
            in_part=self.in_part + other.in_part,
            unserved=self.unserved + other.unserved,
            why=dict(Counter(self.why) + Counter(other.why)),
            failed=self.failed + other.failed,
            left=self.left + other.left,
            modalities=self.modalities + other.modalities,
            trouble=other.trouble or self.trouble,
            failure=other.failure or self.failure,
        )


def local_time() -> datetime:
    """The time that the hours of a pull mean."""
    return datetime.now().astimezone()


def last_run(ledger: Ledger, pull: Pull) -> float | None:
    """When a pull ran last, in seconds since the epoch; None: never."""
    known = ledger.fact(f"pull-{pull.name}")
    return None if known is None else float(known)


def remember_run(ledger: Ledger, pull: Pull, moment: datetime) -> None:
    """A pull begins now."""
    ledger.remember(f"pull-{pull.name}", str(moment.timestamp()))


def remember_outcome(ledger: Ledger, pull: Pull, outcome: PullOutcome) -> None:
    """A pull ended so."""
    ledger.remember(f"outcome-of-pull-{pull.name}", outcome.model_dump_json())


def is_open(pull: Pull, hour: int) -> bool:
    """Whether a pull may run in this hour of the day; always where it ends when it begins."""
    if pull.from_hour < pull.until_hour:
        return pull.from_hour <= hour < pull.until_hour
    return hour >= pull.from_hour or hour < pull.until_hour


@dataclass(frozen=True)
class PullReport:
    """Tells of the pulls of a table; asks no other archive."""

    table: ApplicationTable
    ledger: Ledger
    now: Callable[[], datetime] = local_time

    def pulls(self) -> list[dict[str, Any]]:
        """Every pull: what it asks for, when, and what it did the last time.

        Raises:
            QueueError: the ledger can't be read.
        """
        return [self._told(pull) for pull in self.table.pulls]

    def of_study(self, uid: str) -> list[dict[str, Any]]:
        """What each pull did about a study that its archive answered, and why.

        Args:
            uid: Study Instance UID; the study may be here or not.

        Raises:
            QueueError: the ledger can't be read.
        """
        found = []
        asking = [*self.table.pulls, *(prior_pull(one) for one in self.table.pulls if one.priors)]
        for pull in asking:
            kept = self.ledger.judgement(judgement_digest(pull, uid))
            judgement = _judgement(kept[1]) if kept else None
            if judgement is not None:
                said = judgement.model_dump(mode="json")
                found.append({"pull": pull.name, "source": pull.source, **said})
        return found

    def _told(self, pull: Pull) -> dict[str, Any]:
        now, last = self.now(), last_run(self.ledger, pull)
        waits = 0.0 if last is None else last + pull.every_minutes * 60.0 - now.timestamp()
        outcome = self._outcome(pull)
        return {
            "pull": pull.name,
            "source": pull.source,
            "applications": list(pull.applications or (a.name for a in self.table.applications)),
            "modalities": modalities_of(wanted_by_table(self.table, pull)),
            "takes": pull.takes,
            "unsure": pull.unsure,
            "sure_from": pull.sure_from,
            "days_back": pull.days_back,
            "hours": [pull.from_hour, pull.until_hour],
            "every_minutes": pull.every_minutes,
            "maximum_studies": pull.maximum_studies,
            "priors": pull.priors,
            "state": _state(pull, now.hour, waits),
            "last_run": _moment(last) if last is not None else "",
            "outcome": outcome.model_dump(mode="json") if outcome else None,
        }

    def _outcome(self, pull: Pull) -> PullOutcome | None:
        text = self.ledger.fact(f"outcome-of-pull-{pull.name}")
        try:
            return PullOutcome.model_validate_json(text) if text else None
        except ValidationError:
            return None  # another version wrote it


def _judgement(text: str) -> Judgement | None:
    try:
        return Judgement.model_validate_json(text)
    except ValidationError:
        return None  # another version wrote it


def _state(pull: Pull, hour: int, waits: float) -> str:
    if not is_open(pull, hour):
        return "outside-its-hours"
    return "waits" if waits > 0 else "due"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
