# SPDX-License-Identifier: AGPL-3.0-or-later
"""An archive whose answers may be cut short is asked by smaller windows, and not without end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest

from plugin.routing.exchange import FoundStudies
from plugin.routing.windows import Window, found_in

FIRST, LAST = date(2021, 11, 30), date(2026, 11, 29)


@dataclass
class Cabinet:
    """An archive with a study every hundred days, of 10:10:10."""

    matched: tuple[str, ...]
    cap: int = 1000
    asked: list[Mapping[str, str]] = field(default_factory=list)
    open: int = 0

    def holds(self) -> list[dict[str, str]]:
        days = [LAST - timedelta(days=100 * one) for one in range(19)]
        return [
            {"StudyInstanceUID": f"1.2.{n}", "StudyDate": f"{day:%Y%m%d}", "StudyTime": "101010"}
            for n, day in enumerate(days)
        ]

    def ask(self, query: Mapping[str, str]) -> FoundStudies:
        self.asked.append(query)
        self.open += 1
        told = [one for one in self.holds() if self._fits(one, query)][: self.cap]
        return FoundStudies(told, lambda _: None, lambda _: None, self._close)  # type: ignore[arg-type, return-value]

    def _fits(self, study: Mapping[str, str], query: Mapping[str, str]) -> bool:
        for key in self.matched:
            first, last = query.get(key, "0-9").split("-")
            if not first <= study[key] <= last:
                return False
        return True

    def _close(self) -> None:
        self.open -= 1


@pytest.mark.parametrize("days", [2, 365, 1825])
def test_an_archive_that_ignores_dates_and_times_is_asked_a_few_times(days: int) -> None:
    cabinet = Cabinet(())
    found = found_in(cabinet.ask, Window(LAST - timedelta(days=days - 1), LAST), lambda: True)
    assert len(found.told) == 19
    assert len(cabinet.asked) <= 40
    found.close()
    assert cabinet.open == 0


def test_an_archive_that_ignores_times_alone_is_asked_by_days() -> None:
    cabinet = Cabinet(("StudyDate",), cap=10)
    found = found_in(cabinet.ask, Window(FIRST, LAST), lambda: True)
    assert len(found.told) == 19
