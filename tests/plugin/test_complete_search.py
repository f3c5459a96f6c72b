# SPDX-License-Identifier: AGPL-3.0-or-later
"""Searches that Orthanc cuts short are completed, as each release lets them be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from plugin.complete_search import IncompleteSearchError, Searching


class Orthanc:
    """Answers ``/tools/find`` as Orthanc was measured to: with extended find and without."""

    def __init__(self, count: int, limit: int, *, extended: bool) -> None:
        self.series = [
            {"ID": f"s{at:04}", "MainDicomTags": {"Modality": "SR" if at % 2 else "ct"}}
            for at in range(count)
        ]
        self.limit, self.is_extended, self.asked = limit, extended, 0

    def ask(self, question: Mapping[str, Any]) -> list[Any]:
        self.asked += 1
        wanted = question["Query"].get("Modality")
        found = [s for s in self.series if not wanted or s["MainDicomTags"]["Modality"] == wanted]
        most = self.limit if self.is_extended else self.limit + 1
        since = question.get("Since", 0)
        if self.is_extended:
            found = found[since : since + (most if self.limit else len(found))]
        elif self.limit:
            found = found[:most][since:]
        return found if question["Expand"] else [one["ID"] for one in found]

    def page(self, level: str, since: int, limit: int) -> list[dict[str, Any]]:
        assert level == "Series"
        return self.series[since : since + limit]

    def search(self, known: int | None, query: Mapping[str, str], *, expand: bool) -> list[Any]:
        searching = Searching(self.ask, self.page, lambda: self.is_extended, known)
        return searching.all_of({"Level": "Series", "Query": dict(query), "Expand": expand})


@pytest.mark.parametrize("expand", [True, False])
@pytest.mark.parametrize("extended", [True, False])
@pytest.mark.parametrize("count", [0, 2, 3, 4, 1203])
def test_all_is_found_whatever_the_limit(count: int, extended: bool, expand: bool) -> None:
    orthanc = Orthanc(count, 3, extended=extended)
    found = orthanc.search(3, {}, expand=expand)
    assert found == (orthanc.series if expand else [one["ID"] for one in orthanc.series])


@pytest.mark.parametrize("extended", [True, False])
def test_only_what_matches_is_found_beyond_the_limit(extended: bool) -> None:
    orthanc = Orthanc(40, 3, extended=extended)
    found = orthanc.search(3, {"Modality": "SR"}, expand=False)
    assert found == [one["ID"] for one in orthanc.series[1::2]]


def test_a_listing_is_searched_without_case_and_with_wildcards() -> None:
    orthanc = Orthanc(40, 3, extended=False)
    assert len(orthanc.search(3, {"Modality": ""}, expand=False)) == 0
    orthanc.ask = lambda _: ["s0000"] * 4  # type: ignore[method-assign]
    for wanted, count in {"CT": 20, "C?": 20, "*": 40, r"CT\SR": 40, "C": 0, "[CT]": 0}.items():
        assert len(orthanc.search(3, {"Modality": wanted}, expand=False)) == count


def test_one_question_is_enough_where_nothing_is_limited() -> None:
    orthanc = Orthanc(40, 0, extended=True)
    assert len(orthanc.search(0, {}, expand=False)) == 40
    assert orthanc.asked == 1


def test_one_uid_finds_one_and_a_list_of_them_may_be_cut_short() -> None:
    for uids, questions in (("1.2", 1), (r"1.2\1.3", 11)):
        orthanc = Orthanc(30, 3, extended=True)
        orthanc.search(3, {"SeriesInstanceUID": uids}, expand=False)
        assert orthanc.asked == questions


def test_an_unknown_limit_is_asked_past_with_extended_find() -> None:
    assert len(Orthanc(40, 3, extended=True).search(None, {}, expand=False)) == 40


def test_a_search_that_cannot_be_completed_is_an_error_that_says_what_to_do() -> None:
    orthanc = Orthanc(40, 3, extended=False)
    orthanc.ask = lambda _: ["s0000"] * 4  # type: ignore[method-assign]
    with pytest.raises(IncompleteSearchError, match="LimitFindResults"):
        orthanc.search(3, {"StationName": "CT1"}, expand=False)
