# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings of Orthanc's own under which its answers differ: nothing is lost and nothing fails."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ImplicitVRLittleEndian, JPEGLSLossless

from plugin.demo.server import OrthancServer
from tests.system.pacs import finished, server_for, store
from tests.system.test_main_line import fresh

SETTINGS: dict[str, dict[str, Any]] = {
    "revisions": {"CheckRevisions": True, "IngestTranscoding": JPEGLSLossless},
    # Orthanc does not start with revisions and without digests.
    "no digests": {"StoreMD5ForAttachments": False, "IngestTranscoding": ImplicitVRLittleEndian},
}
NAMES = {"ours": 5401, "state": 5402, "words": 5414}


@pytest.mark.parametrize("release", ["debian", "trixie"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_scans_are_analysed_again_and_anatomy_is_corrected(
    release: str, settings: dict[str, Any], phantoms: list[Path], tmp_path: Path
) -> None:
    changes = {"StableAge": 1, "UserMetadata": NAMES, **settings}
    with server_for(release, tmp_path / "orthanc", changes) as server:
        server.wait_ready()
        image = store(server, fresh(phantoms[0]))
        slices = store(server, fresh(get_testdata_file("CT_small.dcm"), BodyPartExamined="HEAD"))
        first = scan(server, image["ParentStudy"])
        assert scan(server, slices["ParentStudy"])["status"] == "no-application"
        asked = server.client.post(f"/studies/{image['ParentStudy']}/sidelight/analyse")
        assert asked.status_code == 202
        again = later(server, image["ParentStudy"], first["finished_at"])
        for one in (first, again):
            assert one["status"] in ("findings", "no-findings")
            assert one["objects"]
            assert not one.get("quarantined")
        assert {one["instance"] for one in again["objects"]} == {
            one["instance"] for one in first["objects"]
        }
        assert server.client.get(f"/studies/{image['ParentStudy']}/metadata/5401").json()["regions"]
        for region in ("abdomen", "pelvis"):
            place = f"/series/{image['ParentSeries']}/sidelight/anatomy"
            said = {"regions": [region], "reason": "seen", "user": "reader"}
            assert server.client.post(place, json=said).status_code == 201
            assert server.client.get(place).json()["anatomy"]["regions"] == [region]
        status = server.client.get("/sidelight/status").json()
        assert (status["status"], status["queue"]["dead"]) == ("ok", 0)


def scan(server: OrthancServer, study: str) -> dict[str, Any]:
    """The only scan of a study, worked off."""
    (found,) = finished(server, study)["scans"]
    read: dict[str, Any] = found
    return read


def later(server: OrthancServer, study: str, before: str) -> dict[str, Any]:
    """The same, once it is worked off again."""
    until = time.monotonic() + 60.0
    while (found := scan(server, study))["finished_at"] <= before:
        assert time.monotonic() < until
        time.sleep(0.1)
    return found
