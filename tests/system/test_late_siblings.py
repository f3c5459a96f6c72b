# SPDX-License-Identifier: AGPL-3.0-or-later
"""A series that says nothing gets its anatomy from series of its study that arrive after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydicom.uid import MRImageStorage, generate_uid

from benchmarks.receivers import wait_for
from plugin.demo.server import OrthancServer
from tests.system.pacs import store
from tests.system.test_pulls import some_ct

DAY = "20261103"


def anatomy(server: OrthancServer, series: str) -> dict[str, Any]:
    answer = server.client.get(f"/series/{series}/sidelight/anatomy")
    return dict(answer.json()) if answer.status_code == 200 else {}


@pytest.fixture
def server(own_server: Callable[..., OrthancServer]) -> OrthancServer:
    """An Orthanc that waits no longer than a second for the rest of a series."""
    started = own_server(StableAge=1)
    started.start()
    started.wait_ready(200.0)
    return started


@pytest.mark.parametrize("description", ["", "1.25 mm"])
def test_a_series_that_came_first_and_says_nothing_is_answered_by_those_that_follow(
    description: str,
    server: OrthancServer,
) -> None:
    study = generate_uid()
    silent = some_ct(DAY, StudyInstanceUID=study, SeriesDescription=description)
    first = store(server, silent)["ParentSeries"]
    wait_for(lambda: bool(anatomy(server, first).get("agreement")), 60.0)
    wait_for(lambda: not anatomy(server, first)["agreement"]["pending"], 60.0)
    guess = anatomy(server, first)["anatomy"]
    assert guess["confidence"] < 0.5

    store(server, some_ct(DAY, StudyInstanceUID=study, SeriesDescription="CT Abdomen portal"))
    wait_for(lambda: anatomy(server, first)["anatomy"]["regions"] == ["abdomen"], 60.0)
    told = anatomy(server, first)
    assert told["agreement"]["names_heard"] == 1
    siblings = next(one for one in told["agreement"]["witnesses"] if one["name"] == "siblings")
    assert siblings["regions"] == ["abdomen"]
    assert [one["regions"] for one in told["history"]] == [guess["regions"]]
    found = server.client.get("/sidelight/series", params={"region": "ABDOMEN"}).json()
    assert first in [one["series"] for one in found["series"]]


NAMES = ("localizer", "pd_tse_fs_sag", "t1_tse_cor", "t2_tse_tra_fs")


def test_series_that_are_named_by_their_settings_alone_are_told_by_each_others_names(
    server: OrthancServer,
) -> None:
    study = generate_uid()
    as_mr = {"Modality": "MR", "SOPClassUID": MRImageStorage, "StudyDescription": ""}
    series = [
        store(server, some_ct(DAY, StudyInstanceUID=study, SeriesDescription=name, **as_mr))[
            "ParentSeries"
        ]
        for name in NAMES
    ]
    first = series[0]
    wait_for(lambda: anatomy(server, first).get("anatomy", {}).get("regions") == ["lower limb"], 60)
    told = anatomy(server, first)
    assert told["agreement"]["names_heard"] >= 1
    assert "study" in [vote["attribute"] for vote in told["anatomy"]["votes"]]
