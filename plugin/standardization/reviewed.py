# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a reviewer says of a series, told to who makes the headers of its next images standard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deid import DeidentificationError
from deid.pseudonyms import Pseudonyms
from plugin.anatomy import AnatomyBook, SeriesAnatomy, UnreadableAnatomyError
from plugin.handover import Handover
from plugin.queue import QueueError
from plugin.standardization.settled import SettledHeaders

LOGGER = logging.getLogger(__name__)

_NO_SHIFT = (1, 1)
"""Days by which dates would be moved; no date is here."""


@dataclass(frozen=True)
class ReviewedSeries:
    """Keeps what the arrival process is to leave alone.

    Args:
        settled: the file that the arrival process reads.
        pseudonym: of a stored Series Instance UID, the one that the arrival process knows it by.
    """

    settled: SettledHeaders
    pseudonym: Callable[[str], str]

    @classmethod
    def of(cls, handover: Handover) -> ReviewedSeries:
        """Those of this node."""
        return cls(SettledHeaders.beside(handover.queue_file), lambda uid: _arrived(uid, handover))

    def note(self, series: Mapping[str, Any], known: SeriesAnatomy) -> None:
        """Keep whether a reviewer contradicts what was recognized in a series.

        Never an error: the word itself is kept already; what is lost goes to the log.

        Args:
            series: Orthanc's JSON.
            known: with the reviewer's word.
        """
        try:
            self.keep(series, known)
        except (DeidentificationError, QueueError, OSError, KeyError) as error:
            LOGGER.error(  # noqa: TRY400 - no trace: it is foreseen
                "the next images of a reviewed series get standard headers as before (%s)",
                type(error).__name__,
            )

    def keep(self, series: Mapping[str, Any], known: SeriesAnatomy) -> None:
        """As ``note``.

        Raises:
            QueueError: the file can't be read or written.
            OSError: who remembers what was settled can't be told.
            KeyError: Orthanc names no Series Instance UID.
            DeidentificationError: the key can't be used.
        """
        said = known.log.in_force
        contradicted = said is not None and set(said.regions or ()) != set(known.recognized.regions)
        uid = self.pseudonym(str(series["MainDicomTags"]["SeriesInstanceUID"]))
        self.settled.leave(uid, contradicted)


@dataclass(frozen=True)
class EarlierReviews:
    """Takes the words that reviewers gave before headers were made standard at arrival.

    Args:
        reviewed: keeps them.
        book: says what is known of a series now.
    """

    reviewed: ReviewedSeries
    book: AnatomyBook

    def reached(self) -> str:
        """The study that was looked at last."""
        return self.reviewed.settled.reached()

    def reach(self, study: str) -> None:
        """Keep how far it is."""
        self.reviewed.settled.reach(study)

    def take(self, series: Mapping[str, Any], _log: str) -> None:
        """Keep what is said of a series now.

        Raises:
            QueueError: the file or the key can't be used now.
        """
        try:
            known = self.book.series(str(series["ID"]))
            if known is not None and known.log.in_force is not None:
                self.reviewed.keep(series, known)
        except (UnreadableAnatomyError, KeyError) as error:
            LOGGER.warning("an earlier word of a reviewer is left out: %s", type(error).__name__)
        except QueueError:
            raise
        except (DeidentificationError, OSError) as error:
            raise QueueError(str(error)) from error


def _arrived(stored: str, handover: Handover) -> str:
    if handover.configuration.arrival.mode == "deidentify":
        return stored.strip(" \0")  # it is a pseudonym already
    return Pseudonyms(handover.site_key.read(), _NO_SHIFT).uid(stored)
