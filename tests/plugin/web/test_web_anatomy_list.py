# SPDX-License-Identifier: AGPL-3.0-or-later
"""The list of series for review in an archive of thousands: found without reading all of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from plugin.anatomy import Agreement, AnatomyBook, Witness
from plugin.anatomy.ledger import AnatomyLedger
from plugin.states import Metadata
from plugin.web import create_app
from plugin.web.flagged_series import FlaggedSeries
from plugin.web.services import Services
from tests.plugin.web.fake_archive import HEAD, FakeArchive, FakeQueue

SERIES = 4000
FLAGGED = 3
DISPUTED = Agreement(
    witnesses=(Witness(name="metadata", regions=("head",), confidence=0.6),),
    rules=("nobody-confirms",),
    review="tags and pixels name regions that have nothing in common",
)


class Big:
    """An archive of thousands of series, three of them flagged by a worker of this node."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.ledger = FakeArchive(), AnatomyLedger(folder / "anatomy.sqlite")
        study = self.archive.add_study("big")
        self.series = [self.archive.add_series(study, "CT") for _ in range(SERIES)]
        for one in self.series[FLAGGED:]:
            self.archive.set_anatomy(one, HEAD)
        self.flagged = sorted(self.series[:FLAGGED])
        self.app = create_app(
            self.archive,
            FakeQueue(),
            status=dict,
            models=list,
            services=Services(flagged=FlaggedSeries(self.archive, self.ledger)),
        )
        for one in self.flagged:
            self.note(one, DISPUTED)
            self.ledger.flag(one)

    def note(self, series: str, agreement: Agreement | None) -> None:
        AnatomyBook(self.archive).note(series, "", HEAD, agreement)

    def asked(self, query: str = "review=true") -> tuple[list[str], int]:
        """Series found, and how many questions for metadata that took."""
        self.archive.bulk_requests = 0
        answer = TestClient(self.app).get(f"/sidelight/series?{query}")
        assert answer.status_code == 200, answer.text
        return [one["series"] for one in answer.json()["series"]], self.archive.bulk_requests


@pytest.fixture
def big(tmp_path: Path) -> Big:
    return Big(tmp_path)


def test_where_orthanc_searches_metadata_one_question_is_enough(big: Big) -> None:
    big.archive.searches_metadata = True
    assert big.asked() == (big.flagged, 1)
    assert big.asked("review=true&modality=MR") == ([], 1)
    assert big.asked("review=true&modality=CT")[0] == big.flagged


def test_a_flag_of_another_node_is_found_where_orthanc_searches_metadata(big: Big) -> None:
    big.archive.searches_metadata = True
    other = big.series[-1]
    big.note(other, DISPUTED)
    assert big.asked()[0] == sorted([*big.flagged, other])


def test_elsewhere_all_series_are_looked_through_once_and_never_again(big: Big) -> None:
    other = big.series[-1]
    big.note(other, DISPUTED)  # by an earlier release, before there was a list
    found, questions = big.asked()
    assert found == sorted([*big.flagged, other])
    assert questions == SERIES // 500 + 1
    assert big.asked() == (found, 1)
    assert AnatomyLedger(big.ledger._file._path).swept() is not None


def test_where_nodes_share_a_database_they_are_looked_through_once_a_day(
    big: Big, monkeypatch: pytest.MonkeyPatch
) -> None:
    big.archive.database_server = True
    big.asked()
    other = big.series[-1]
    big.note(other, DISPUTED)
    assert big.asked() == (big.flagged, 1)
    later = time.time() + 86_401
    monkeypatch.setattr(time, "time", lambda: later)
    assert big.asked()[0] == sorted([*big.flagged, other])


def test_a_doubt_that_is_gone_leaves_list_and_metadata(big: Big) -> None:
    big.asked()
    gone, deleted, left = big.flagged
    big.note(gone, None)
    del big.archive.serieses[deleted]
    assert big.archive.metadata("series", gone, Metadata.FOR_REVIEW) is None
    assert big.asked()[0] == [left]
    assert big.ledger.flagged(10) == [left]
    big.archive.searches_metadata = True
    assert big.asked()[0] == [left]


def test_a_decided_series_comes_back_when_the_word_is_withdrawn(big: Big) -> None:
    path = f"/series/{big.flagged[0]}/sidelight/anatomy"
    word = {"regions": ["neck"], "reason": "looked at it", "user": "reader"}
    for searches in (True, False):
        big.archive.searches_metadata = searches
        assert TestClient(big.app).post(path, json=word).status_code == 201
        assert big.asked()[0] == big.flagged[1:]
        assert TestClient(big.app).post(path, json=word | {"regions": None}).status_code == 201
        assert big.asked()[0] == big.flagged


def test_without_review_every_series_is_looked_through_as_before(big: Big) -> None:
    _, questions = big.asked("confidence-below=0.1")
    assert questions == SERIES // 500


def test_one_search_reads_so_many_series_and_says_how_to_go_on(
    big: Big, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.web.anatomies.MOST_LOOKED_AT", 1000)
    rare = sorted(big.series)[2500]
    big.archive.set_anatomy(rare, HEAD.model_copy(update={"regions": ("neck",)}))
    client, found, query, answers = TestClient(big.app), [], "region=neck", 0
    while True:
        big.archive.bulk_requests = 0
        page = client.get(f"/sidelight/series?{query}").json()
        assert big.archive.bulk_requests <= 2
        answers += 1
        found += [one["series"] for one in page["series"]]
        if not page["more"]:
            break
        query = f"region=neck&after={page['after']}"
    assert (found, answers, page["after"]) == ([rare], SERIES // 1000, None)


def test_after_goes_through_every_series_once(big: Big, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugin.web.anatomies.MOST_LOOKED_AT", 1300)
    client, found, after = TestClient(big.app), [], ""
    while after is not None:
        page = client.get(f"/sidelight/series?limit=700{after and '&after='}{after}").json()
        assert len(page["series"]) <= 700
        found += [one["series"] for one in page["series"]]
        after = page["after"]
    assert found == sorted(big.series)


def test_a_place_to_go_on_after_is_a_series(big: Big) -> None:
    client = TestClient(big.app)
    for value in ("", "x", "*", sorted(big.series)[0][:-1]):
        answer = client.get("/sidelight/series", params={"after": value})
        assert (answer.status_code, answer.json()["parameter"]) == (400, "after")
    gone = "00000000" + big.series[0][8:]
    assert len(client.get(f"/sidelight/series?after={gone}").json()["series"]) == 100


def test_the_list_for_review_is_bounded_too(big: Big, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugin.web.anatomies.MOST_LOOKED_AT", 2)
    big.archive.searches_metadata = True
    assert big.asked()[0] == big.flagged[:2]
    assert big.asked(f"review=true&after={big.flagged[1]}")[0] == big.flagged[2:]


def test_a_search_that_takes_long_ends_and_says_how_to_go_on(
    big: Big, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.web.anatomies.SEARCH_SECONDS", -1.0)
    page = TestClient(big.app).get("/sidelight/series?region=neck").json()
    assert page == {"series": [], "more": True, "after": sorted(big.series)[499]}
