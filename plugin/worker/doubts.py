# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps what follows from doubts about anatomy: the list for review, and rows to train with."""

from __future__ import annotations

from dataclasses import dataclass

from plugin.anatomy.agreement import Taught
from plugin.anatomy.book import SeriesAnatomy
from plugin.anatomy.ledger import AnatomyLedger, Lesson
from plugin.anatomy.lessons import corrected, lessons
from plugin.worker.scan import Scan

_MODELS: tuple[Taught, ...] = ("metadata", "pixels")


@dataclass(frozen=True)
class Doubts:
    """Writes the ledger of this node."""

    ledger: AnatomyLedger

    def keep(self, scan: Scan, known: SeriesAnatomy) -> None:
        """Note or forget a series, by what counts of it now.

        Raises:
            plugin.queue.QueueError: the ledger can't be written.
        """
        series = scan.job.series
        if known.review:
            self.ledger.flag(series)
        else:
            self.ledger.clear(series)
        told = scan.told or scan.passes
        if told is None or scan.agreement is None or scan.agreement.pending:
            return
        found = lessons(told, scan.agreement)
        said = known.log.in_force
        label = corrected(said.regions) if said and said.regions else {}
        for lesson in found:
            self.ledger.learn(series, Lesson(lesson.teaches, {**lesson.row, **label}))
        for model in _MODELS:
            if model not in [lesson.teaches for lesson in found]:
                self.ledger.forget(series, model)
