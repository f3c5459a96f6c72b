# SPDX-License-Identifier: AGPL-3.0-or-later
"""A series that listened to its study is asked again when the study has more to say.

Series of a study come in any order, and several workers look at them at once. A series whose tags
say too little hears what its siblings show, or are called, at that moment; those that come later,
or are answered by their pixels later, would have told it. So whoever notes an anatomy looks whether
a series of the study listened and would hear something else now, and has it analysed again. Its
former answer goes into its history, as always.

Work is bounded: a series is asked again once for the same regions and three times in all for
regions, and once for each step of how many names there are; and who leant on its siblings is no
sibling to others, so that no answer goes in circles.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, get_args

from inference.contract import LEARNED_VOTE, STUDY_VOTE
from plugin.anatomy import AnatomyBook, SeriesAnatomy
from plugin.anatomy.agreement import WitnessName
from plugin.anatomy.book import Shelf
from plugin.anatomy.ledger import AnatomyLedger
from plugin.anatomy.siblings import SURE_FROM, regions_among
from plugin.archive import NotFoundError
from plugin.worker.scan import Scan
from plugin.worker.study_names import names_of_others

MOST_TIMES = 3
NAMED = "names"
_NO_ATTRIBUTES = frozenset((LEARNED_VOTE, STUDY_VOTE, *get_args(WitnessName)))
NAMES = (1, 4, 13)
"""Different names of other series that make it worth hearing them again."""

LOGGER = logging.getLogger(__name__)


class Archive(Shelf, Protocol):
    """What is needed of Orthanc."""

    def series(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one series."""


class Queue(Protocol):
    """What is needed of the queue."""

    def put_all(self, instances: Iterable[tuple[str, str]], /, *, forced: bool = False) -> int:
        """Have instances analysed, whether they were before or not."""


@dataclass(frozen=True)
class LateSiblings:
    """Looks at the study of every series whose anatomy is noted."""

    archive: Archive
    queue: Queue
    ledger: AnatomyLedger

    def noted(self, scan: Scan, known: SeriesAnatomy) -> None:
        """The anatomy of a series was noted: ask those again who would hear it now.

        Raises:
            plugin.queue.QueueError: queue or ledger can't be written.
        """
        # Who listened in vain looks itself: a sibling may have been noted in the same moment.
        if scan.job.study and (known.changed or _listened(known)):
            self._look(scan.job.study)

    def _look(self, study: str) -> None:
        found = AnatomyBook(self.archive).many([study])
        known = [(str(one["ID"]), anatomy) for one, anatomy in found]
        for series, anatomy in known:
            if not _listened(anatomy):
                continue
            modality = anatomy.recognized.modality
            regions = regions_among(known, series, modality)
            if regions and frozenset(regions) != _heard(anatomy):
                self._ask_again(series, anatomy, " ".join(regions))
            elif names := _more_names(anatomy, series, [one for one, _ in found]):
                self._ask_again(series, anatomy, str(names), NAMED)

    def _ask_again(self, series: str, anatomy: SeriesAnatomy, told: str, kind: str = "") -> None:
        """Ask once for what is told, and a few times in all for a kind.

        Names are a kind of their own: they leave those times to what siblings show.
        """
        key = f"{series} {kind}".rstrip()
        if not self.ledger.may_hear(key, told, MOST_TIMES):
            return
        try:
            instance = self._instance(series, anatomy)
        except NotFoundError:
            return
        LOGGER.info("a series is asked again: its study shows more now")
        # The order costs a second look after a crash, and never loses the first.
        self.queue.put_all([(instance, "")], forced=True)
        self.ledger.hears(key, told)

    def _instance(self, series: str, anatomy: SeriesAnatomy) -> str:
        """The image that was looked at; any one of a series that was looked at as a whole."""
        agreement = anatomy.recognized.agreement
        looked_at = agreement.resource if agreement else ""
        if looked_at and looked_at != series:
            return looked_at
        instances: list[str] = self.archive.series(series)["Instances"]
        if not instances:
            raise NotFoundError("the series has no image any more")
        return instances[0]


def _listened(one: SeriesAnatomy) -> bool:
    """Whether siblings were asked about a series that is settled otherwise, by models alone."""
    agreement = one.recognized.agreement
    return (
        agreement is not None
        and not agreement.pending
        and one.log.in_force is None
        and agreement.witness("siblings") is not None
    )


def _more_names(one: SeriesAnatomy, series: str, study: Iterable[Mapping[str, Any]]) -> int:
    """How many names there are by now, in steps, where fewer were told and they matter; else 0."""
    if one.recognized.confidence >= SURE_FROM or _names_a_region(one):
        return 0
    names = len(names_of_others(study, series, one.recognized.modality))
    step = max((step for step in NAMES if step <= names), default=0)
    agreement = one.recognized.agreement
    return step if agreement is not None and step > agreement.names_told else 0


def _names_a_region(one: SeriesAnatomy) -> bool:
    """Whether an attribute of its own speaks: such a series does not listen to names."""
    return any(vote.attribute not in _NO_ATTRIBUTES for vote in one.recognized.votes)


def _heard(one: SeriesAnatomy) -> frozenset[str]:
    agreement = one.recognized.agreement
    witness = agreement.witness("siblings") if agreement else None
    return frozenset(witness.regions) if witness else frozenset()
