# SPDX-License-Identifier: AGPL-3.0-or-later
"""Results leave a real Orthanc: the same numbers at every door, whoever is away or killed."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from benchmarks import conformance_doors
from benchmarks.door_numbers import differing, of_hl7, of_json, of_report
from benchmarks.receivers import MllpListener, wait_for
from plugin.demo.server import OrthancServer, free_port
from tests.system.hospital import Hospital, hospital
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh


def process(server: OrthancServer, name: str) -> int:
    return next(int(c["pid"]) for c in server.status()["processes"] if c["name"] == name)


def accession(number: int) -> str:
    return f"DOORS{number}"


def analyse(server: OrthancServer, phantom: Path, number: int) -> dict[str, Any]:
    dicom = fresh(phantom, AccessionNumber=accession(number))
    study = store(server, dicom)["ParentStudy"]
    scan: dict[str, Any] = finished(server, study, seconds=90)["scans"][0]
    return {**scan, "study": study}


def test_all_doors_tell_the_same_numbers_whatever_the_outcome(tmp_path: Path) -> None:
    figures: dict[str, float] = {}
    details: dict[str, Any] = {}
    conformance_doors.measure(tmp_path, quick=True, figures=figures, details=details)
    assert set(details["doors_outcomes"]) == conformance_doors.OUTCOMES
    assert details["doors_compared"] > 100
    assert (figures["doors_differ"], details["doors_differing"]) == (0, [])


@pytest.fixture(scope="module")
def opened(
    tmp_path_factory: pytest.TempPathFactory, phantoms: list[Path]
) -> Iterator[tuple[Hospital, dict[str, Any]]]:
    """A hospital with one analysed scan, all told."""
    with hospital(tmp_path_factory.mktemp("hospital")) as place:
        place.server.wait_ready()
        scan = analyse(place.server, phantoms[0], 1)
        wait_for(place.settled)
        yield place, scan


def test_a_number_that_is_changed_on_its_way_is_noticed(
    opened: tuple[Hospital, dict[str, Any]],
) -> None:
    place, scan = opened
    report = next(one["instance"] for one in scan["objects"] if one["kind"] == "SR")
    expected = of_report(place.server.client.get(f"/instances/{report}/file").content)
    message = place.listener.messages[0]
    assert differing(expected, of_hl7(message)) == []
    fields = message.decode("utf-8").split("\r")
    index = next(n for n, line in enumerate(fields) if line.split("|")[2:3] == ["NM"])
    parts = fields[index].split("|")
    parts[5] = str(float(parts[5]) + 0.0001)
    fields[index] = "|".join(parts)
    assert differing(expected, of_hl7("\r".join(fields).encode())) == ["finding 1 probability"]
    content = json.loads(place.receiver.posted[0].body)["results"][0]
    del content["findings"][-1]
    assert len(differing(expected, of_json(content))) >= 4


def test_an_analysis_that_is_repeated_is_told_once(
    opened: tuple[Hospital, dict[str, Any]],
) -> None:
    place, scan = opened
    told = len(place.listener.messages), len(place.receiver.posted)
    client = place.server.client
    assert client.post(f"/studies/{scan['study']}/sidelight/analyse").status_code == 202
    (again,) = finished(place.server, scan["study"])["scans"]
    assert again["finished_at"] > scan["finished_at"]
    time.sleep(1.0)
    assert (len(place.listener.messages), len(place.receiver.posted)) == told


def test_the_status_counts_deliveries_and_no_text_names_the_patient(
    opened: tuple[Hospital, dict[str, Any]],
) -> None:
    place, scan = opened
    counts = place.server.status()["service"]["deliveries"]
    assert counts["sent"] >= 2
    original = place.server.client.get(f"/instances/{scan['resource']}/file").content
    source = pydicom.dcmread(io.BytesIO(original), stop_before_pixels=True)
    texts = (
        place.server.log.read_text(encoding="utf-8", errors="replace"),
        json.dumps(place.deliveries()),
        (place.server.folder / "db" / "sidelight" / "outbox.sqlite").read_bytes().decode("latin-1"),
    )
    for text in texts:
        for value in (source.PatientID, source.PatientName, source.StudyInstanceUID):
            assert str(value) not in text
        assert accession(1) not in text


def test_a_listener_that_hangs_delays_no_analysis(tmp_path: Path, phantoms: list[Path]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with hospital(tmp_path, silent.getsockname()[1]) as place:
            place.server.wait_ready()
            for number in range(3):
                scan = analyse(place.server, phantoms[number], number)
                assert scan["status"] in ("findings", "no-findings")
            # The other doors are open all the while.
            wait_for(lambda: len(place.receiver.posted) >= 3)
            waiting = place.deliveries("queued")
            assert {one["door"] for one in waiting} == {"hl7"}


def test_nothing_is_lost_when_every_process_is_killed_while_the_listener_is_away(
    tmp_path: Path, phantoms: list[Path]
) -> None:
    port = free_port()
    with hospital(tmp_path, port) as place:
        server = place.server
        server.wait_ready()
        studies = []
        for number, phantom in enumerate(phantoms[:4]):
            dicom = fresh(phantom, AccessionNumber=accession(number))
            studies.append(store(server, dicom)["ParentStudy"])
            if number == 1:
                os.kill(process(server, "worker-0"), signal.SIGKILL)
        os.kill(process(server, "doors"), signal.SIGKILL)
        for study in studies:
            finished(server, study, seconds=90)
        server.kill()
        server.start()
        server.wait_ready()
        with MllpListener(port) as listener:
            wait_for(place.settled, 60.0)
            told = [of_hl7(message)["accession number"] for message in listener.messages]
        assert sorted(told) == [accession(number) for number in range(4)]
        assert all(one["status"] == "sent" for one in place.deliveries())


def test_a_dead_letter_goes_out_again_when_it_is_asked_for(
    opened: tuple[Hospital, dict[str, Any]], phantoms: list[Path]
) -> None:
    place, _ = opened
    told = len(place.listener.messages)
    place.listener.answers = ["AR"] * 5
    analyse(place.server, phantoms[1], 2)
    wait_for(lambda: bool(place.deliveries("dead")), 60.0)
    (dead,) = place.deliveries("dead")
    assert "AR: application reject" in dead["reason"]
    assert place.server.client.post(dead["links"]["retry"]).status_code == 202
    wait_for(place.settled)
    assert place.deliveries("dead") == []
    assert len(place.listener.messages) == told + 6


def test_no_process_of_doors_runs_where_none_is_configured(server: OrthancServer) -> None:
    assert "doors" not in {child["name"] for child in server.status()["processes"]}
    assert server.client.get("/sidelight/deliveries").json()["deliveries"] == []
