# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tags and pixels come to one answer in a real Orthanc, by the rules that an admin wrote."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugin.anatomy.ledger import FILE_NAME, AnatomyLedger
from plugin.anatomy.lessons import write_table
from plugin.demo.server import OrthancServer
from tests.inference.anatomy.body_files import body_files
from tests.system.pacs import ROOT, server_for, store

RULES = """
[[rule]]
name = "always-look"
reason = "every series is looked at"
metadata_below = 1.0
do = ["ask-pixels"]

[[rule]]
name = "believe-pixels"
reason = "the pixels show another anatomy than the tags"
regions = "disjoint"
do = ["prefer-pixels", "flag-for-review", "retrain-metadata"]
"""
WORD = {"regions": ["pelvis"], "reason": "looked at it", "user": "reader"}


@pytest.fixture(params=["debian", "trixie"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OrthancServer]:
    """An Orthanc with these rules; the newer one searches by metadata."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    section = {
        "Environment": str(ROOT / ".venv"),
        "DataDirectory": str(tmp_path / "data"),
        "Anatomy": {"Rules": str(rules)},
        "Workers": {"Scheduling": "normal", "Nice": 0},
    }
    changes = {"Sidelight": section, "StableAge": 1}
    with server_for(request.param, tmp_path / "orthanc", changes) as made:
        made.wait_ready()
        yield made


def agreed(server: OrthancServer, series: str, seconds: float = 90.0) -> dict[str, Any]:
    """The anatomy of a series once the pixels were asked."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = server.client.get(f"/series/{series}/sidelight/anatomy")
        if answer.status_code == 200:
            read: dict[str, Any] = answer.json()
            if read["agreement"] and not read["agreement"]["pending"]:
                return read
        time.sleep(0.2)
    raise AssertionError("the pixels were not asked")


def for_review(server: OrthancServer) -> list[str]:
    found = server.client.get("/sidelight/series", params={"review": "true"}).json()
    return [one["series"] for one in found["series"]]


def counted(server: OrthancServer) -> dict[str, Any]:
    said: dict[str, Any] = server.status()["service"]["anatomy"]
    return said


def test_pixels_correct_a_wrong_tag_and_a_person_is_asked_until_one_has_decided(
    server: OrthancServer, tmp_path: Path
) -> None:
    removed = {"PatientIdentityRemoved": None, "BodyPartExamined": "PELVIS"}
    for content in body_files("chest", **removed):
        series = store(server, content)["ParentSeries"]

    said = agreed(server, series)
    assert said["anatomy"]["regions"] == ["chest"]
    assert said["agreement"]["decided_by"] == "believe-pixels"
    heard = {one["name"]: one["regions"] for one in said["agreement"]["witnesses"]}
    assert heard == {"metadata": ["pelvis"], "pixels": ["chest"]}
    assert said["review"] == "the pixels show another anatomy than the tags"
    assert for_review(server) == [series]
    assert server.client.get(f"/series/{series}/metadata/5417").text == "1"
    assert counted(server) == {"review": 1, "retraining": {"metadata": 1, "pixels": 0}}

    (study,) = server.client.get("/sidelight/plan", params={"series": series}).json()["studies"]
    (scan,) = study["scans"]
    assert scan["agreement"]["rules"] == ["always-look", "believe-pixels"]
    assert "pixels preferred by rule believe-pixels" in scan["did"]["anatomy_reason"]

    answer = server.client.post(f"/series/{series}/sidelight/anatomy", json=WORD)
    assert answer.status_code == 201, answer.text
    assert answer.json()["review"] is None
    assert for_review(server) == []
    assert server.client.get(f"/series/{series}/metadata/5417").status_code == 404
    assert counted(server)["review"] == 0

    stream = io.StringIO()
    write_table(AnatomyLedger(tmp_path / "data" / FILE_NAME).lessons("metadata"), stream)
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    said_by = (row["regions"], row["label_source"], row["weight"])
    assert said_by == ("pelvis", "reviewer", "1.0")
    assert (row["BodyPartExamined"], row["Modality"]) == ("PELVIS", "CT")
    assert "Phantom" not in stream.getvalue()

    server.client.delete(f"/series/{series}").raise_for_status()
    assert counted(server)["review"] == 0
    assert AnatomyLedger(tmp_path / "data" / FILE_NAME).flagged(10) == []


def test_a_single_image_says_that_the_pixels_can_not_tell(server: OrthancServer) -> None:
    (content, *_) = body_files("chest", Modality="DX", SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1")
    said = agreed(server, store(server, content)["ParentSeries"])
    pixels = next(one for one in said["agreement"]["witnesses"] if one["name"] == "pixels")
    assert pixels["regions"] == []
    # A slice that claims to be a radiograph is asked of the model of radiographs.
    assert "like none that the model knows" in pixels["reason"]
