# SPDX-License-Identifier: AGPL-3.0-or-later
"""The guarded storage of an archive in arrival mode: closed to originals, else as any."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.arrival_attempts import Attempts
from benchmarks.arrival_doors import DOORS
from benchmarks.arrival_memory import CALLBACKS, LIMITS, take_memory, without_callback
from benchmarks.arrival_site import (
    Files,
    Site,
    alone,
    instances_stored,
    numbers,
    originals_stored,
    running,
    section,
)
from plugin.demo.server import OrthancServer

FILES = Files()
FAULT = next(iter(LIMITS))


@pytest.fixture(scope="module", params=["debian", "trixie"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compressed"])
def archive(request: pytest.FixtureRequest, site: Site) -> Iterator[OrthancServer]:
    """An archive in good health that began with an original, stored before the mode was on."""
    storage = {"StorageCompression": request.param}
    name = f"archive-{request.param}"
    with running(site.server(name, alone(Arrival={"Mode": "off"}), **storage)) as before:
        assert DOORS["POST"](before, FILES.make(study=10_000)) == "200 Success"
    with running(site.server(name, section(), **storage)) as server:
        site.wait_for_arrival(server)
        yield server


def stored(server: OrthancServer) -> str:
    """Identifier of an instance that has just been stored."""
    answer = server.client.post("/instances", content=FILES.make()[0])
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ID"])


def get(server: OrthancServer, path: str) -> Any:
    answer = server.client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.text}"
    return answer


def original(server: OrthancServer) -> str:
    """Identifier of the instance that was there before."""
    (found,) = server.client.post(
        "/tools/find", json={"Level": "Instance", "Query": {"PatientName": "QXPATIENTNAME*"}}
    ).json()
    return str(found)


def test_the_status_says_that_the_storage_is_guarded(archive: OrthancServer) -> None:
    stored(archive)
    storage = archive.status()["arrival"]["storage"]
    assert storage == {"guarded": True, "kept_out": 0, "reason": ""}
    assert "libOrthancPython" in get(archive, "/system").json()["StorageAreaPlugin"]


@pytest.mark.parametrize("before", [False, True], ids=["new", "stored before the mode"])
def test_what_is_stored_is_read_in_every_way(archive: OrthancServer, before: bool) -> None:
    one = original(archive) if before else stored(archive)
    file = get(archive, f"/instances/{one}/file").content
    assert file[128:132] == b"DICM"
    assert get(archive, f"/instances/{one}/tags").json()
    assert get(archive, f"/instances/{one}/simplified-tags").json()["Rows"] == "16"
    assert get(archive, f"/instances/{one}/preview").content
    assert len(get(archive, f"/instances/{one}/frames/0/raw").content) == 512
    assert len(get(archive, f"/instances/{one}/attachments/dicom/data").content) == len(file)


@pytest.mark.parametrize("before", [False, True], ids=["new", "stored before the mode"])
def test_orthanc_may_write_anew_what_it_has(archive: OrthancServer, before: bool) -> None:
    one = original(archive) if before else stored(archive)
    file = get(archive, f"/instances/{one}/file").content
    for what in ("compress", "uncompress"):
        for name in get(archive, f"/instances/{one}/attachments").json():
            answer = archive.client.post(f"/instances/{one}/attachments/{name}/{what}", content=b"")
            assert answer.status_code == 200, answer.text
    assert archive.client.post(f"/instances/{one}/reconstruct", content=b"{}").status_code == 200
    assert get(archive, f"/instances/{one}/file").content == file
    assert get(archive, f"/instances/{one}/tags").json()


def test_users_attachments_and_deletion_work(archive: OrthancServer) -> None:
    one = stored(archive)
    place = f"/instances/{one}/attachments/4242"
    assert archive.client.put(place, content=b"a thumbnail").status_code == 200
    assert get(archive, f"{place}/data").content == b"a thumbnail"
    before = files_in(archive)
    assert archive.client.delete(f"/instances/{one}").status_code == 200
    assert len(before - files_in(archive)) == 3


def files_in(server: OrthancServer) -> set[Path]:
    """Files in the storage folders (two letters each)."""
    return set((server.folder / "db").glob("??/??/*"))


def test_what_orthanc_makes_of_a_study_is_stored_under_new_pseudonyms(
    archive: OrthancServer,
) -> None:
    study = get(archive, f"/instances/{stored(archive)}/study").json()["ID"]
    before, found = instances_stored(archive), originals_stored(archive)
    replaced = {"Replace": {"ImageComments": FILES.word("typed")}, "KeepSource": True}
    archive.client.post(f"/studies/{study}/modify", json={**replaced, "Synchronous": True})
    assert instances_stored(archive) == before + 1
    assert originals_stored(archive) == found


def test_orthanc_without_sidelight_reads_the_archive_and_back_again(site: Site) -> None:
    with running(site.server("readable", section())) as server:
        site.wait_for_arrival(server)
        one = stored(server)
        file = get(server, f"/instances/{one}/file").content
    plain = site.server("readable", {})
    plain.with_sidelight = False
    with running(plain):
        assert get(plain, f"/instances/{one}/file").content == file
        assert get(plain, f"/instances/{one}/tags").json()
        assert get(plain, "/system").json()["StorageAreaPlugin"] is None
    with running(site.server("readable", section())) as server:
        assert get(server, f"/instances/{one}/file").content == file
        assert server.client.delete(f"/instances/{one}").status_code == 200
        assert files_in(server) == set()


@pytest.mark.parametrize("fault", CALLBACKS)
def test_without_its_callback_orthanc_stores_nothing(site: Site, fault: str) -> None:
    with running(without_callback(site, fault, section())) as server:
        site.wait_for_arrival(server)
        for door in DOORS.values():
            answer = door(server, FILES.make())
            assert "0x0000" not in answer
            assert "Success" not in answer
        assert originals_stored(server) == set()
        assert instances_stored(server) == 0
        assert server.status()["arrival"]["storage"]["kept_out"] >= len(DOORS)


def test_without_its_guard_such_an_orthanc_stores_originals(site: Site) -> None:
    # What the guard is for: if this fails, the test above proves nothing.
    fault = "the callback gets no memory"
    unguarded = alone(Arrival={"GuardStorage": "off"})
    with running(without_callback(site, fault, unguarded)) as server:
        sent = FILES.make()
        assert DOORS["C-STORE"](server, sent) == "0x0000"
        assert originals_stored(server) == numbers(sent)


def test_a_running_orthanc_that_gets_no_more_memory_stores_no_original(site: Site) -> None:
    attempts = Attempts()
    with running(site.server("limited", section(Arrival={"MaximumMegabytes": 64}))) as server:
        site.wait_for_arrival(server)
        take_memory(site, server, attempts, [FAULT])
        assert server.process is not None
        assert resource.prlimit(server.process.pid, LIMITS[FAULT][0])[0] == resource.RLIM_INFINITY
        assert DOORS["C-STORE"](server, FILES.make()) == "0x0000"
    assert len(attempts.records) == 3
    assert attempts.originals == 0
    assert attempts.false_successes == 0
