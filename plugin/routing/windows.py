# SPDX-License-Identifier: AGPL-3.0-or-later
"""Questions to archives that end their answers early, by smaller windows of Study Date and Time.

An archive may cap what it answers. Over DICOM it then most often refuses (status A700 or FE00),
and Orthanc keeps none of it; over DICOMweb the rest is just missing. So a question that is refused
is asked again in halves, and so is one with many answers: where the halves say more than the whole,
it was cut short.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from plugin.archive import ArchiveError, ArchiveUnavailableError
from plugin.routing.exchange import FoundSeries, FoundStudies

LOGGER = logging.getLogger(__name__)

FEWEST_CAPPED = 10
"""No archive is taken to end its answers before so many."""
_HOURS = 24

Ask = Callable[[Mapping[str, str]], FoundStudies]


@dataclass(frozen=True)
class Window:
    """Days from ``first`` to ``last``; of one day, hours from ``since`` until before ``until``."""

    first: date
    last: date
    since: int = 0
    until: int = _HOURS

    def query(self) -> dict[str, str]:
        """The keys that match it (PS3.4 C.2.2.2.5)."""
        days = {"StudyDate": f"{self.first:%Y%m%d}-{self.last:%Y%m%d}"}
        if (self.since, self.until) == (0, _HOURS):
            return days
        return days | {"StudyTime": f"{self.since:02}0000-{self.until - 1:02}5959"}

    def halves(self) -> list[Window]:
        """Both, the later one first; none of an hour."""
        days = (self.last - self.first).days
        if days:
            middle = self.first + timedelta(days=days // 2)
            return [Window(middle + timedelta(days=1), self.last), Window(self.first, middle)]
        middle_hour = (self.since + self.until) // 2
        if middle_hour == self.since:
            return []
        return [
            Window(self.first, self.last, middle_hour, self.until),
            Window(self.first, self.last, self.since, middle_hour),
        ]


def found_in(ask: Ask, window: Window, answers: Callable[[], bool]) -> FoundStudies:
    """All studies of a window; to be closed.

    Args:
        ask: the archive for what matches these keys.
        answers: whether the archive is there at all, asked where it refuses.

    Raises:
        ArchiveError: it can't be asked, or refuses also the smallest window.
    """
    whole = _asked(ask, window, answers)
    if whole is not None:
        return _completed(ask, window, whole)
    parts: list[FoundStudies] = []
    with _closed_on_error(parts):
        parts.extend(found_in(ask, half, answers) for half in window.halves())
    return _joined(parts)


def _completed(ask: Ask, window: Window, whole: FoundStudies) -> FoundStudies:
    """The answers to a window, and what its halves answer beyond them."""
    if len(whole.told) < FEWEST_CAPPED:
        return whole
    parts = [whole]
    later: set[str] | None = None  # what the later half holds
    with _closed_on_error(parts):
        for half in window.halves():
            try:
                found = ask(half.query())
            except ArchiveUnavailableError:
                raise
            except ArchiveError:
                continue  # it takes no such question: what it answered to the whole counts
            is_more = bool(set(found.uids) - set(whole.uids))
            if is_more:
                LOGGER.warning("an archive ends its answers early: asked by smaller windows")
            # As many as the whole: the half may be cut short at the same number.
            again = is_more or len(found.told) >= len(whole.told)
            # No study lies in both: where they hold the same, the archive ignores the key.
            is_ignored, later = set(found.uids) == later, set(found.uids)
            again = again and not is_ignored
            parts.append(_completed(ask, half, found) if again else found)
    return _joined(parts)


@contextmanager
def _closed_on_error(parts: Sequence[FoundStudies]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _close(parts)
        raise


def _asked(ask: Ask, window: Window, answers: Callable[[], bool]) -> FoundStudies | None:
    """What a window holds; None where the archive refuses it, and a smaller one may go."""
    try:
        return ask(window.query())
    except ArchiveUnavailableError:
        raise
    except ArchiveError:
        if not window.halves() or not answers():
            raise
        return None


def _joined(parts: Sequence[FoundStudies]) -> FoundStudies:
    """All of them as one; each study once."""
    places: dict[str, tuple[FoundStudies, int]] = {}
    for part in parts:
        for number, uid in enumerate(part.uids):
            places.setdefault(uid, (part, number))
    order = list(places.values())

    def fetch(number: int) -> None:
        part, at = order[number]
        part.fetch(at)

    def series(number: int) -> FoundSeries:
        part, at = order[number]
        return part.series(at)

    told = [part.told[at] for part, at in order]
    return FoundStudies(told, fetch, series, lambda: _close(parts))


def _close(parts: Sequence[FoundStudies]) -> None:
    for part in parts:
        part.close()
