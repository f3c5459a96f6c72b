# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of applications as the dispatcher asks it.

The decision is kept on the study before its deliveries are noted, so that whoever delivers finds
which set is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import NewDelivery, Outbox
from plugin.routing.matching import Archive, Matcher
from plugin.routing.records import APPLICATION_DOOR, Decision, RoutingRecord, kept
from plugin.states import Metadata


class OnlyPriors:
    """Which studies were fetched as a prior of another one, and are handed over with it alone."""

    def __init__(self, archive: Archive, ledger: Ledger) -> None:
        self._archive, self._ledger = archive, ledger

    def __call__(self, study: str) -> bool:
        """Whether a study, by its Orthanc identifier, is one.

        Raises:
            NotFoundError: it is gone.
            QueueError: the ledger can't be read.
        """
        tags = self._archive.study(study).get("MainDicomTags", {})
        return self._ledger.is_prior(str(tags.get("StudyInstanceUID", "")))


def never(_: str) -> bool:
    """Of no study."""
    return False


def _none(_: str) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True)
class RoutingDecider:
    """Decides about whole studies that this node's workers have worked on.

    Args:
        archive: Orthanc.
        matcher: the table's.
        handed_over: digests of the sets of a study that were sent.
        only_prior: whether a study was fetched as a prior, and is handed over as such alone.
    """

    archive: Archive
    matcher: Matcher
    handed_over: Callable[[str], Collection[str]] = _none
    only_prior: Callable[[str], bool] = never

    awaits_workers: ClassVar[bool] = True
    takes_strangers: ClassVar[bool] = False

    def of_study(self, study: str) -> Sequence[NewDelivery]:
        """Keep the decision; one delivery per application that is handed a set."""
        if self.only_prior(study):
            return ()
        record = self._unless_less(study, self.matcher.decide(study))
        text = record.as_text()
        if self.archive.metadata("study", study, Metadata.ROUTING) != text:
            self.archive.put_metadata("study", study, Metadata.ROUTING, text)
        return [_delivery(study, one) for one in record.decisions if one.digest]

    def _unless_less(self, study: str, record: RoutingRecord) -> RoutingRecord:
        """With the set that an application has, where all that is new is that priors are gone."""
        sent = self.handed_over(study)
        if not sent:
            return record
        try:
            before = kept(self.archive, study)
        except ValueError:
            return record  # another version wrote it: it is written anew
        every = before.decisions if before else ()
        last = {one.application: _last_sent(one, sent) for one in every}
        decisions = (_after(one, last.get(one.application)) for one in record.decisions)
        return RoutingRecord(decisions=tuple(decisions))

    def of_instance(self, _instance: str) -> Sequence[NewDelivery]:
        """Nothing: an application is handed whole studies."""
        return ()


def door_of(application: str) -> str:
    """Name of an application's door in the outbox."""
    return APPLICATION_DOOR + application


def handed_over_by(outbox: Outbox) -> Callable[[str], Collection[str]]:
    """Digests of the sets of a study that an outbox has sent."""

    def sets(study: str) -> Collection[str]:
        every = outbox.deliveries_of(study, "study")
        return {str(one["result"]) for one in every if one["status"] == "sent"}

    return sets


def _last_sent(before: Decision, sent: Collection[str]) -> Decision | None:
    """The decision whose set was sent last, of the one that was kept last."""
    if before.digest in sent:
        return before.model_copy(update={"last_sent": None})
    known = before.last_sent
    return known if known is not None and known.digest in sent else None


def _after(now: Decision, last: Decision | None) -> Decision:
    """The decision to keep, with the set that the application has."""
    if last is None or now.digest == last.digest:
        return now
    return last if _is_less(now, last) else now.model_copy(update={"last_sent": last})


def _is_less(now: Decision, before: Decision) -> bool:
    """Whether a set is another one of the same destination, without some of its priors."""
    if not now.digest:
        return False
    if (now.kind, now.target, now.zone) != (before.kind, before.target, before.zone):
        return False
    same = _instances(now, "current") == _instances(before, "current")
    return same and _instances(now, "prior") < _instances(before, "prior")


def _instances(decision: Decision, role: str) -> set[str]:
    return {one for part in decision.parts if part.role == role for one in part.instances}


def _delivery(study: str, decision: Decision) -> NewDelivery:
    return NewDelivery(
        result=decision.digest,
        event="study",
        door=door_of(decision.application),
        level="study",
        resource=study,
        study=study,
        target=decision.target,
    )
