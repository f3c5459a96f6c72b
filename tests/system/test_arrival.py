# SPDX-License-Identifier: AGPL-3.0-or-later
"""An archive in arrival mode: arrivals are de-identified before they are stored, or not stored."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.arrival_doors import DOORS, c_get
from benchmarks.arrival_site import (
    Files,
    Site,
    arrival_process,
    instances_stored,
    originals_stored,
    running,
    section,
)
from plugin.demo.server import OrthancServer
from tests.system.pacs import ROOT, finished
from tests.system.test_main_line import fresh

FAILURES = {"C-STORE": "0xA700", "POST": "400", "POST ZIP": "", "STOW-RS": "stored 0"}
FILES = Files()


@pytest.fixture(scope="module", params=["debian", "trixie"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def archive(site: Site) -> Iterator[OrthancServer]:
    """An archive in arrival mode in good health, without a model."""
    with running(site.server("archive", section(Arrival={"TimeoutSeconds": 5.0}))) as server:
        site.wait_for_arrival(server)
        yield server


@pytest.mark.parametrize("door", DOORS)
def test_through_every_door_instances_are_stored_without_identifiers(
    site: Site, archive: OrthancServer, door: str
) -> None:
    before = instances_stored(archive)
    DOORS[door](archive, FILES.make(2))
    assert site.settled(archive, before + 2) == before + 2
    assert originals_stored(archive) == set()


def test_what_orthanc_gets_from_another_archive_is_stored_without_identifiers(
    archive: OrthancServer,
) -> None:
    if archive.installation.name == "debian":
        pytest.skip("this Orthanc asks nobody by C-GET (since 1.12.7)")
    before = instances_stored(archive)
    assert c_get(archive, FILES.make(2)) == "200"
    assert instances_stored(archive) == before + 2
    assert originals_stored(archive) == set()


@pytest.mark.parametrize(("door", "failure"), FAILURES.items())
def test_while_the_arrival_process_does_not_answer_nothing_is_stored_and_the_sender_is_told(
    archive: OrthancServer, door: str, failure: str
) -> None:
    before = instances_stored(archive)
    os.kill(arrival_process(archive), signal.SIGSTOP)
    try:
        answer = DOORS[door](archive, FILES.make())
    finally:
        os.kill(arrival_process(archive), signal.SIGCONT)
    assert instances_stored(archive) == before
    assert originals_stored(archive) == set()
    assert failure in answer
    assert "Success" not in answer


def test_after_the_arrival_process_was_killed_instances_are_stored_again(
    site: Site, archive: OrthancServer
) -> None:
    before = instances_stored(archive)
    os.kill(arrival_process(archive), signal.SIGKILL)
    DOORS["C-STORE"](archive, FILES.make())
    site.wait_for_arrival(archive)
    assert DOORS["C-STORE"](archive, FILES.make()) == "0x0000"
    assert instances_stored(archive) == before + 1
    assert originals_stored(archive) == set()


def test_what_comes_out_of_the_archive_and_back_stays_what_it_is(archive: OrthancServer) -> None:
    (file,) = FILES.make()
    first = archive.client.post("/instances", content=file).json()
    out = archive.client.get(f"/instances/{first['ID']}/file").content
    for again in (file, out):
        assert archive.client.post("/instances", content=again).json()["ID"] == first["ID"]
    before = instances_stored(archive)
    assert DOORS["C-STORE"](archive, [out]) == "0x0000"
    assert instances_stored(archive) == before


def test_an_archive_whose_configuration_is_wrong_stores_nothing(site: Site) -> None:
    with running(site.server("wrong", section(Workers={"Cuont": 1}))) as server:
        for door, failure in FAILURES.items():
            answer = DOORS[door](server, FILES.make())
            assert failure in answer
        assert server.client.get("/system").status_code == 200
        assert instances_stored(server) == 0
        assert "nothing is stored" in server.log.read_text(encoding="utf-8")


def test_results_of_the_models_are_stored_beside_the_deidentified_scan(
    site: Site, phantoms: list[Path]
) -> None:
    whole = {"Environment": section()["Environment"], "Arrival": {"Mode": "deidentify"}}
    with running(site.server("models", whole)) as server:
        server.wait_ready()
        site.wait_for_arrival(server)
        number = {"PatientName": FILES.word("name"), "PatientID": FILES.word("number")}
        for phantom in phantoms[:2]:
            answer = server.client.post("/instances", content=fresh(phantom, **number)).json()
            study = server.client.get(f"/instances/{answer['ID']}/study").json()["ID"]
            (scan,) = finished(server, study, seconds=90)["scans"]
            assert scan["status"] in ("findings", "no-findings")
            assert "SR" in {one["kind"] for one in scan["objects"]}
        assert server.status()["arrival"]["refused"] == 0
        assert server.status()["arrival"]["own_objects"] >= 2
        assert originals_stored(server) == set()


def arrivals(server: OrthancServer, *words: str) -> list[str]:
    """Lines that ``sidelight arrivals`` says."""
    credentials = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
    done = subprocess.run(
        [sys.executable, "-m", "plugin.arrival.commands", *words, "--data",
         str(server.folder / "db/sidelight")],
        check=True, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "SIDELIGHT_ORTHANC_AUTHORIZATION": f"Basic {credentials}"},
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_refused_arrival_waits_encrypted_until_an_admin_sends_it_again(site: Site) -> None:
    kept = {"Quarantine": "encrypted", "TimeoutSeconds": 20.0}
    unseen = {"PixelText": "leave"}
    server = site.server("kept", section(Arrival=kept, Deidentification=unseen))
    with running(server):
        site.wait_for_arrival(server)
        assert DOORS["C-STORE"](server, FILES.make(BurnedInAnnotation="YES")) == "0xA700"
        assert instances_stored(server) == 0
        assert originals_stored(server) == set()
        (line,) = arrivals(server, "list")
        assert line.endswith("BurnedInAnnotationError")
    allowed = unseen | {"BurnedInAnnotation": "allow"}
    server = site.server("kept", section(Arrival=kept, Deidentification=allowed))
    with running(server):
        site.wait_for_arrival(server)
        assert arrivals(server, "release", line.split("\t")[0], "--url", server.url) == []
        assert instances_stored(server) == 1
        assert originals_stored(server) == set()
        assert arrivals(server, "list") == []
