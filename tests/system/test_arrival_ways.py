# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ways into an archive that no door of the benchmark takes: none leads past its entrance.

Each is tried in good health, where it stores without identifiers, and with an Orthanc whose
received-instance callback fails, where only the guard of the storage is left.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks.arrival_memory import without_callback
from benchmarks.arrival_site import (
    Files,
    Site,
    alone,
    instances_stored,
    originals_stored,
    running,
    section,
)
from plugin.demo.server import OrthancServer

FILES = Files()
OPEN = {"ExecuteLuaEnabled": True, "RestApiWriteToFileSystemEnabled": True}
SOURCE = "source"

Way = Callable[[OrthancServer, OrthancServer], httpx.Response]


@pytest.fixture(scope="module", params=["debian", "trixie"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def source(site: Site) -> Iterator[OrthancServer]:
    """Another Orthanc, which has originals."""
    with running(site.server(SOURCE, alone(Arrival={"Mode": "off"}))) as server:
        yield server


@pytest.fixture(scope="module")
def archive(site: Site, source: OrthancServer) -> Iterator[OrthancServer]:
    """An archive in arrival mode in good health."""
    with running(site.server("archive", section(), **OPEN, **knowing(source))) as server:
        site.wait_for_arrival(server)
        server.client.post("/instances", content=FILES.make()[0]).raise_for_status()
        yield server


@pytest.fixture(scope="module")
def failing(site: Site, source: OrthancServer) -> Iterator[OrthancServer]:
    """An Orthanc whose callback fails, with one instance that was de-identified before."""
    with running(site.server("failing", section())) as server:
        site.wait_for_arrival(server)
        server.client.post("/instances", content=FILES.make()[0]).raise_for_status()
    made = without_callback(site, "the callback gets no memory", section())
    made.folder = server.folder
    made.changes |= {
        "StorageDirectory": str(server.folder / "db"),
        "IndexDirectory": str(server.folder / "db"),
        **OPEN,
        **knowing(source),
    }
    with running(made):
        site.wait_for_arrival(made)
        assert instances_stored(made) == 1
        yield made


def knowing(source: OrthancServer) -> dict[str, Any]:
    """Configuration of an Orthanc that may ask the other one over DICOMweb."""
    known = [f"{source.url}/dicom-web/", source.user, source.password]
    return {"DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": {SOURCE: known}}}


def original(source: OrthancServer) -> tuple[str, str]:
    """Study Instance UID and Orthanc's identifier of an original in the other Orthanc."""
    stored = source.client.post("/instances", content=FILES.make()[0]).json()
    tags = source.client.get(f"/instances/{stored['ID']}/simplified-tags").json()
    return tags["StudyInstanceUID"], stored["ID"]


def dicomweb_retrieve(archive: OrthancServer, source: OrthancServer) -> httpx.Response:
    study, _ = original(source)
    body = {"Resources": [{"Study": study}], "Synchronous": True}
    return archive.client.post(f"/dicom-web/servers/{SOURCE}/retrieve", json=body)


def peer_push(archive: OrthancServer, source: OrthancServer) -> httpx.Response:
    _, instance = original(source)
    peer = {"Url": archive.url, "Username": archive.user, "Password": archive.password}
    source.client.put("/peers/archive", json=peer).raise_for_status()
    return source.client.post("/peers/archive/store", content=instance)


def compressed_post(archive: OrthancServer, _source: OrthancServer) -> httpx.Response:
    content = gzip.compress(FILES.make()[0])
    return archive.client.post("/instances", content=content, headers={"Content-Encoding": "gzip"})


def lua_script(archive: OrthancServer, _source: OrthancServer) -> httpx.Response:
    tags = {"PatientID": FILES.word("lua"), "PatientName": FILES.word("lua"), "Modality": "OT"}
    body = json.dumps({"Tags": {**tags, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}})
    script = f"print(RestApiPost('/tools/create-dicom', '{body}', true))"
    return archive.client.post("/tools/execute-script", content=script)


def bulk_modify(archive: OrthancServer, _source: OrthancServer) -> httpx.Response:
    study = archive.client.get("/studies").json()[0]
    replaced = {"InstitutionName": FILES.word("bulk"), "OperatorsName": FILES.word("bulk")}
    body = {"Resources": [study], "Replace": replaced, "KeepSource": True, "Synchronous": True}
    return archive.client.post("/tools/bulk-modify", json=body)


def split(archive: OrthancServer, _source: OrthancServer) -> httpx.Response:
    study = archive.client.get("/studies").json()[0]
    (series,) = archive.client.get(f"/studies/{study}").json()["Series"][:1]
    body = {
        "Series": [series], "Replace": {"StudyDescription": FILES.word("split")},
        "KeepSource": True, "Synchronous": True,
    }  # fmt: skip
    return archive.client.post(f"/studies/{study}/split", json=body)


WAYS: dict[str, Way] = {
    "Orthanc retrieves over DICOMweb": dicomweb_retrieve,
    "another Orthanc pushes as peer": peer_push,
    "a compressed POST": compressed_post,
    "a Lua script creates": lua_script,
    "Orthanc modifies in bulk": bulk_modify,
    "Orthanc splits": split,
}


@pytest.mark.parametrize("way", WAYS)
def test_by_every_way_an_instance_is_stored_without_identifiers(
    archive: OrthancServer, source: OrthancServer, way: str
) -> None:
    before = instances_stored(archive)
    answer = WAYS[way](archive, source)
    assert instances_stored(archive) == before + 1, answer.text
    assert originals_stored(archive) == set()


@pytest.mark.parametrize("way", WAYS)
def test_by_no_way_an_instance_is_stored_when_the_callback_fails(
    failing: OrthancServer, source: OrthancServer, way: str
) -> None:
    WAYS[way](failing, source)
    assert instances_stored(failing) == 1
    assert originals_stored(failing) == set()


@pytest.mark.parametrize("name", ["dicom", "dicom-until-pixel-data", "dicom-as-json"])
def test_nobody_can_put_an_original_in_place_of_an_attachment(
    archive: OrthancServer, name: str
) -> None:
    instance = archive.client.get("/instances").json()[0]
    answer = archive.client.put(
        f"/instances/{instance}/attachments/{name}", content=FILES.make()[0]
    )
    assert answer.status_code == 403, answer.text
    assert originals_stored(archive) == set()
