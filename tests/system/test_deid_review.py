# SPDX-License-Identifier: AGPL-3.0-or-later
"""A refused image on a real Orthanc: looked at, corrected, accepted or kept out, and never lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont

from plugin.demo.server import OrthancServer
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

Make = Callable[..., OrthancServer]
NAME = "FENWICK^MARIGOLD"
ANALYSED = ("findings", "no-findings", "abstained")


def with_name(path: Path) -> bytes:
    """A phantom with a name in its pixels, whose header says so."""
    dataset = pydicom.dcmread(BytesIO(fresh(path)))
    stored = dataset.pixel_array.copy()
    picture = Image.new("L", (stored.shape[1], stored.shape[0]))
    ImageDraw.Draw(picture).text((12, 12), NAME, fill=255, font=ImageFont.load_default(26))
    stored[np.asarray(picture) > 120] = stored.max()
    dataset.PixelData = stored.tobytes()
    dataset.BurnedInAnnotation = "YES"
    dataset.PatientName = "Fenwick^Marigold"
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def scan_of(server: OrthancServer, study: str) -> dict[str, Any]:
    scan: dict[str, Any] = finished(server, study, seconds=120)["scans"][0]
    return scan


def analysed(server: OrthancServer, study: str) -> dict[str, Any]:
    """The scan once it is no longer refused."""
    deadline = time.monotonic() + 120
    while (scan := scan_of(server, study))["status"] == "refused":
        assert time.monotonic() < deadline, scan["reason"]
        time.sleep(0.2)
    return scan


def waiting(server: OrthancServer) -> list[dict[str, Any]]:
    listed: dict[str, Any] = server.client.get("/sidelight/deid/reviews?state=waiting").json()
    assert listed["may_review"] is True
    items: list[dict[str, Any]] = listed["items"]
    return items


@pytest.fixture
def server(own_server: Make) -> OrthancServer:
    made = own_server(Sidelight={"DeidentificationReview": {"Reviewers": ["demo"]}})
    made.start()
    made.wait_ready()
    return made


def refused(server: OrthancServer, phantom: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """A stored image that waits for a reviewer, and its item."""
    stored = store(server, with_name(phantom))
    scan = scan_of(server, stored["ParentStudy"])
    assert (scan["status"], "waits for a reviewer" in scan["reason"]) == ("refused", True)
    return stored, next(one for one in waiting(server) if one["resource"] == stored["ID"])


def restarted(server: OrthancServer) -> None:
    """After a kill."""
    server.kill()
    server.start()
    server.wait_ready()


def test_an_accepted_image_is_analysed_though_everything_is_killed_in_between(
    server: OrthancServer, phantoms: list[Path]
) -> None:
    stored, item = refused(server, phantoms[0])
    looked_at = server.client.get(item["links"]["item"], timeout=60)
    assert looked_at.status_code == 200, looked_at.text
    boxes = looked_at.json()["draft"]["boxes"]
    assert min(box["top"] for box in boxes) < 40
    pictures = [
        np.asarray(Image.open(BytesIO(server.client.get(item["links"][which]).content)))
        for which in ("original", "result")
    ]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()

    wide = {"action": "edit", "based_on": 0, "boxes": [{**boxes[0], "left": 0, "width": 320}]}
    edited = server.client.post(item["links"]["item"], json=wide)
    assert edited.status_code == 200, edited.text
    restarted(server)
    accept = {"action": "accept", "based_on": 1}
    accepted = server.client.post(item["links"]["item"], json=accept)
    assert accepted.status_code == 200, accepted.text
    restarted(server)

    assert analysed(server, stored["ParentStudy"])["status"] in ANALYSED
    decided = server.client.get(item["links"]["item"]).json()["decisions"]
    assert [(one["action"], one["by"]) for one in decided] == [
        ("edit", "demo"),
        ("accept", "demo"),
    ]
    assert waiting(server) == []


def test_a_rejected_image_stays_out_and_nothing_of_it_is_logged_or_kept(
    server: OrthancServer, phantoms: list[Path]
) -> None:
    stored, item = refused(server, phantoms[1])
    assert server.client.get(item["links"]["item"], timeout=60).status_code == 200
    why = {"action": "reject", "based_on": 0, "reason": "identifying text can't be masked"}
    assert server.client.post(item["links"]["item"], json=why).status_code == 200
    asked = server.client.post(f"/studies/{stored['ParentStudy']}/sidelight/analyse")
    assert asked.status_code == 202, asked.text
    deadline = time.monotonic() + 60
    while "kept it out" not in (scan := scan_of(server, stored["ParentStudy"]))["reason"]:
        assert time.monotonic() < deadline, scan["reason"]
        time.sleep(0.2)
    assert scan["status"] == "refused"
    log = server.log.read_text(encoding="utf-8", errors="replace").lower()
    assert "fenwick" not in log
    data = Path(server.configuration()["StorageDirectory"]) / "sidelight"
    ledger = b"".join(path.read_bytes() for path in data.glob("deid-review.sqlite*"))
    assert item["resource"].encode() in ledger
    assert b"fenwick" not in ledger.lower()
