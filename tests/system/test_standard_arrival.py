# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers that a real Orthanc stores standard, by C-STORE and REST, with and without identity."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from benchmarks.arrival_doors import DOORS
from benchmarks.arrival_site import arrival_process, originals_stored, running
from plugin.collecting.plain_header import is_untold
from plugin.demo.server import OrthancServer
from tests.deid.made_scans import ct, file_of
from tests.system.pacs import ROOT, finished, server_for

WRONG = {
    "BodyPartExamined": "KNEE",
    "SeriesDescription": "Chest lung 1.0",
    "StudyDescription": "CT Thorax nativ",
    "StudyDate": "20240229",
    "PatientName": "QXNAME10001YV",
}
DOORS_TRIED = ("C-STORE", "POST", "STOW-RS")


def file(**attributes: Any) -> bytes:
    uids = {
        keyword: generate_uid()
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    }
    image = {
        "Rows": 16, "Columns": 16, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
        "PixelData": bytes(512),
    }  # fmt: skip
    return file_of(ct(**(uids | image | WRONG | attributes)))


def server_with(release: str, folder: Path, **sections: Any) -> OrthancServer:
    section = {
        "Environment": str(ROOT / ".venv"),
        "Workers": {"Scheduling": "normal", "Nice": 0},
        "Standardization": {
            "Mode": "arrival",
            "ArrivalSeconds": 5.0,
            "ArrivalAttributes": ["BodyPartExamined", "SeriesDescription", "StudyDescription"],
        },
        **sections,
    }
    changes = {"Sidelight": section, "StableAge": 1, "SaveJobs": False}
    return server_for(release, folder, {**changes, "DicomAlwaysAllowStore": True})


@pytest.fixture(scope="module", params=["debian", "trixie"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancServer]:
    with running(server_with(request.param, tmp_path_factory.mktemp(request.param))) as started:
        started.wait_ready()
        yield started


def stored(server: OrthancServer, original: bytes) -> Dataset:
    """The stored instance with the UID of an original."""
    uid = pydicom.dcmread(io.BytesIO(original)).SOPInstanceUID
    found = server.client.post("/tools/lookup", content=str(uid)).json()
    content = server.client.get(f"/instances/{found[0]['ID']}/file").content
    return pydicom.dcmread(io.BytesIO(content))


@pytest.mark.parametrize("door", DOORS_TRIED)
def test_through_every_door_the_header_is_standard_before_it_is_stored(
    server: OrthancServer, door: str
) -> None:
    original = file()
    DOORS[door](server, [original])
    header = stored(server, original)
    assert (header.BodyPartExamined, header.StudyDescription) == ("CHEST", "CT CHEST")
    assert header.PatientName == WRONG["PatientName"]
    (item,) = header.OriginalAttributesSequence
    assert item.ModifiedAttributesSequence[0].BodyPartExamined == "KNEE"
    assert item.ReasonForTheAttributeModification == "CORRECT"
    # Orthanc's own index says so too, from the first moment on.
    study = server.client.post("/tools/lookup", content=header.StudyInstanceUID).json()[0]["ID"]
    tags = server.client.get(f"/studies/{study}").json()["MainDicomTags"]
    assert tags["StudyDescription"] == "CT CHEST"


def test_what_was_changed_stands_beside_the_series_and_anatomy_is_read_from_what_came(
    server: OrthancServer,
) -> None:
    answer = server.client.post("/instances", content=file()).json()
    finished(server, answer["ParentStudy"])
    series = answer["ParentSeries"]
    kept = server.client.get(f"/series/{series}/metadata/5412").json()
    assert kept["arrival"]["keywords"] == ["BodyPartExamined", "StudyDescription"]
    assert not any(one["differs"] for one in kept["entries"])
    said = server.client.get(f"/series/{series}/sidelight/anatomy").json()["recognized"]
    votes = {one["attribute"]: one["regions"] for one in said["votes"]}
    assert votes["BodyPartExamined"] == ["lower limb"]


def test_of_implicit_vr_too_anatomy_is_read_from_what_came(server: OrthancServer) -> None:
    """Orthanc does not tell which attributes were added then; collecting reads the file."""
    came = file(BodyPartExamined=None)
    dataset = pydicom.dcmread(io.BytesIO(came))
    answer = server.client.post("/instances", content=file_of(dataset, ImplicitVRLittleEndian))
    finished(server, answer.json()["ParentStudy"])
    series = answer.json()["ParentSeries"]
    assert stored(server, came).BodyPartExamined == "CHEST"
    kept = server.client.get(f"/series/{series}/metadata/5412").json()
    assert kept["arrival"]["keywords"] == ["BodyPartExamined", "StudyDescription"]
    said = server.client.get(f"/series/{series}/sidelight/anatomy").json()["recognized"]
    assert "BodyPartExamined" not in {one["attribute"] for one in said["votes"]}
    assert is_untold(server.client.get(f"/instances/{answer.json()['ID']}/tags?short").json())


def test_after_a_reviewers_word_the_next_slice_of_a_series_is_stored_as_it_came(
    server: OrthancServer,
) -> None:
    uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID")}
    first, second, third = (file(**uids, InstanceNumber=str(number)) for number in range(3))
    answer = server.client.post("/instances", content=first).json()
    finished(server, answer["ParentStudy"])
    assert stored(server, first).BodyPartExamined == "CHEST"
    place = f"/series/{answer['ParentSeries']}/sidelight/anatomy"
    word = {"regions": ["lower limb"], "reason": "it is a knee", "user": "reader"}
    assert server.client.post(place, json=word).status_code == 201
    server.client.post("/instances", content=second)
    assert stored(server, second).BodyPartExamined == "KNEE"
    assert server.client.post(place, json=word | {"regions": None}).status_code == 201
    server.client.post("/instances", content=third)
    assert stored(server, third).BodyPartExamined == "CHEST"


def test_while_nobody_answers_scans_are_stored_as_they_came(server: OrthancServer) -> None:
    original = file()
    os.kill(arrival_process(server), signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert DOORS["C-STORE"](server, [original]) == "0x0000"
        assert time.monotonic() - began < 9.0
    finally:
        os.kill(arrival_process(server), signal.SIGCONT)
    assert stored(server, original).BodyPartExamined == "KNEE"
    said = server.status()["standardization"]
    assert said["as_they_came"] == 1
    assert "in time" in said["last_reason"]


def test_an_archive_without_originals_has_standard_headers_too(tmp_path: Path) -> None:
    server = server_with("debian", tmp_path, Arrival={"Mode": "deidentify"})
    with running(server):
        server.wait_ready()
        for door in DOORS_TRIED:
            DOORS[door](server, [file()])
        found = server.client.get("/instances").json()
        assert len(found) == len(DOORS_TRIED)
        for one in found:
            content = server.client.get(f"/instances/{one}/file").content
            header = pydicom.dcmread(io.BytesIO(content))
            assert (header.BodyPartExamined, header.PatientIdentityRemoved) == ("CHEST", "YES")
            (item,) = header.OriginalAttributesSequence
            assert item.ModifiedAttributesSequence[0].BodyPartExamined == "KNEE"
            # Sent back, its seal holds: it is what it was.
            again = server.client.post("/instances", content=content).json()
            assert again["ID"] == one
        assert originals_stored(server) == set()
        assert server.status()["arrival"]["refused"] == 0
