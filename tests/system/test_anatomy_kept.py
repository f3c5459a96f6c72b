# SPDX-License-Identifier: AGPL-3.0-or-later
"""Anatomy as a real Orthanc keeps it: series of single images, and words that outlast a series."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from plugin.demo.server import OrthancServer
from tests.deid.made_scans import ct, file_of
from tests.system.pacs import ROOT, server_for, store

RADIOGRAPH = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",
    "Modality": "DX",
    "PatientID": "4711",
    "StudyDescription": "",
}
WORD = {"regions": ["abdomen"], "reason": "looked at it", "user": "reader"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OrthancServer]:
    section = {
        "Environment": str(ROOT / ".venv"),
        "DataDirectory": str(tmp_path / "data"),
        "Workers": {"Scheduling": "normal", "Nice": 0},
    }
    changes = {"Sidelight": section, "StableAge": 1, "OverwriteInstances": True}
    with server_for("debian", tmp_path / "orthanc", changes) as made:
        made.wait_ready()
        yield made


def eventually(check: Callable[[], Any], wanted: Any, seconds: float = 60.0) -> None:
    """What is kept is there a moment after an image is stored."""
    deadline = time.monotonic() + seconds
    while (found := check()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def radiograph(server: OrthancServer, described: str, **tags: Any) -> dict[str, Any]:
    uids = {"SOPInstanceUID": generate_uid()}
    made = ct(**(uids | RADIOGRAPH | {"SeriesDescription": described} | tags))
    return store(server, file_of(made))


def anatomy(server: OrthancServer, series: str) -> dict[str, Any]:
    """What is said of a series; empty while nobody has looked."""
    answer = server.client.get(f"/series/{series}/sidelight/anatomy")
    return answer.json() if answer.status_code == 200 else {}


def shown(server: OrthancServer, series: str) -> list[str]:
    said: list[str] = anatomy(server, series).get("anatomy", {}).get("regions", [])
    return said


def test_a_series_of_radiographs_shows_what_each_of_them_shows(server: OrthancServer) -> None:
    together = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    for _ in range(3):
        for described in ("Thorax pa", "Knie ap", "Schulter ap"):
            stored = radiograph(server, described, **together)
    series = stored["ParentSeries"]
    every = ["chest", "upper limb", "lower limb"]
    eventually(lambda: shown(server, series), every)
    assert anatomy(server, series)["history"] == []
    for region in ("CHEST", "LOWERLIMB"):
        found = server.client.get("/sidelight/series", params={"region": region}).json()
        assert [one["series"] for one in found["series"]] == [series]
    path = f"/studies/{stored['ParentStudy']}/metadata/5401"
    eventually(lambda: server.client.get(path).json()["regions"], every)


def test_a_word_outlasts_the_only_image_of_a_series_that_is_sent_again(
    server: OrthancServer,
) -> None:
    names = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    same = {name: generate_uid() for name in names}
    series = radiograph(server, "Thorax pa", **same)["ParentSeries"]
    eventually(lambda: shown(server, series), ["chest"])
    said = server.client.post(f"/series/{series}/sidelight/anatomy", json=WORD)
    assert said.status_code == 201, said.text
    stored = radiograph(server, "Thorax pa, corrected", **same)
    assert stored["ParentSeries"] == series
    eventually(lambda: shown(server, series), ["abdomen"])
    assert len(anatomy(server, series)["overrides"]) == 1
    path = f"/instances/{stored['ID']}/metadata/5402"
    eventually(lambda: server.client.get(path).status_code, 200)
    assert server.client.get(path).json()["anatomy"]["regions"] == ["abdomen"]
