# SPDX-License-Identifier: AGPL-3.0-or-later
"""Studies for the applications are fetched from a second Orthanc, by its table's hours and days."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import generate_uid

from benchmarks.receivers import wait_for
from plugin.demo.server import OrthancServer
from tests.deid.made_scans import ct, file_of
from tests.system.neighbour import routing, sent
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

PATIENT = {"PatientID": "PULLED-4711", "PatientName": "Pulled^Paul"}

TABLE = """
[[application]]
name = "chest"
scan = {{ modalities = ["DX"], regions = ["chest"] }}
destination = {{ kind = "local", bundle = "chest-phantom" }}

[[application]]
name = "heads"
scan = {{ modalities = ["CT"], regions = ["head"] }}
destination = {{ kind = "node", modality = "node", zone = "phi" }}

[[pull]]
name = "at-other-hours"
{source} = "node"
applications = ["heads"]
days_back = 30
every_minutes = 1
from_hour = {closed_from}
until_hour = {closed_until}

[[pull]]
name = "now"
{source} = "node"
applications = ["chest"]
days_back = 3
every_minutes = 1
from_hour = {open_from}
until_hour = {open_until}
"""


def hours(now: datetime) -> dict[str, int]:
    """Two hours that are over for today, and the others, which go over midnight if need be."""
    first, last = (now.hour + 20) % 24, (now.hour + 22) % 24
    return {
        "closed_from": first, "closed_until": last or 24,
        "open_from": last, "open_until": first or 24,
    }  # fmt: skip


def uids(server: OrthancServer) -> set[str]:
    studies = server.client.get("/studies", params={"expand": ""}).json()
    return {one["MainDicomTags"]["StudyInstanceUID"] for one in studies}


SERVED = """
[[application]]
name = "chests"
scan = {{ modalities = ["CT"], regions = ["chest"] }}
destination = {{ kind = "node", modality = "node", zone = "phi" }}

[[pull]]
name = "chests-only"
{source} = "node"
applications = ["chests"]
days_back = 3
every_minutes = 1
"""


def head_ct(day: str) -> bytes:
    return some_ct(day, BodyPartExamined="HEAD")


def some_ct(day: str, **tags: str) -> bytes:
    pixels = {
        "Rows": 8, "Columns": 8, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11,
        "PixelRepresentation": 0, "SamplesPerPixel": 1, "PixelData": bytes(128),
        "PhotometricInterpretation": "MONOCHROME2",
    }  # fmt: skip
    named = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    words = {"StudyDescription": "", "SeriesDescription": "", "BodyPartExamined": "", **named}
    known = {**pixels, **PATIENT, **words, **tags}
    return file_of(ct(SOPInstanceUID=generate_uid(), StudyDate=day, **known))


def pulls_of(server: OrthancServer) -> dict[str, Any]:
    """What is said of each pull, by its name."""
    return {one["pull"]: one for one in server.client.get("/sidelight/pulls").json()["pulls"]}


@pytest.mark.parametrize("source", ["modality", "server"])
def test_within_its_hours_what_is_new_enough_is_fetched_and_analysed_once(
    routed: Callable[[str], OrthancServer],
    node: OrthancServer,
    phantoms: list[Path],
    source: str,
) -> None:
    now = datetime.now().astimezone()
    yesterday, before = f"{now - timedelta(days=1):%Y%m%d}", f"{now - timedelta(days=9):%Y%m%d}"
    wanted = fresh(phantoms[0], StudyDate=yesterday, **PATIENT)
    store(node, wanted)
    store(node, fresh(phantoms[1], StudyDate=before, **PATIENT))
    store(node, head_ct(yesterday))
    server = routed(TABLE.format(source=source, **hours(now)))
    server.start()
    server.wait_ready(200.0)
    wait_for(lambda: bool(uids(server)), 90.0)
    (study,) = server.client.get("/studies").json()
    (scan,) = finished(server, study, seconds=120)["scans"]
    assert scan["status"] in ("findings", "no-findings")
    assert uids(server) == {pydicom.dcmread(io.BytesIO(wanted)).StudyInstanceUID}

    # What was fetched is analysed while the run that fetched it still waits for the rest.
    wait_for(lambda: pulls_of(server)["now"]["outcome"]["found"] == 1, 90.0)
    told = pulls_of(server)
    assert (told["at-other-hours"]["state"], told["at-other-hours"]["last_run"]) == (
        "outside-its-hours", "",
    )  # fmt: skip
    outcome = told["now"]["outcome"]
    # On a busy machine it has run a second time by now, and knows the study.
    had = outcome["fetched"] + outcome["known"]
    assert (outcome["found"], had, outcome["trouble"]) == (1, 1, "")
    assert outcome["modalities"] == ["DX"]

    # What the site deletes stays away; what is new to the other archive comes the next time.
    server.client.delete(f"/studies/{study}").raise_for_status()
    new = fresh(phantoms[2], StudyDate=yesterday, **PATIENT)
    store(node, new)
    server.kill()
    ledger = server.folder / "db/sidelight/routing.sqlite"
    forget_when(ledger, "now")
    server.start()
    wait_for(lambda: bool(uids(server)), 90.0)
    assert uids(server) == {pydicom.dcmread(io.BytesIO(new)).StudyInstanceUID}


@pytest.mark.parametrize("source", ["modality", "server"])
def test_of_what_the_other_archive_holds_only_the_series_that_are_served_come(
    routed: Callable[[str], OrthancServer], node: OrthancServer, source: str
) -> None:
    day = f"{datetime.now().astimezone():%Y%m%d}"
    mixed, head, silent = (generate_uid() for _ in range(3))
    for study, words in (
        (mixed, {"SeriesDescription": "Thorax nativ", "SeriesNumber": "2"}),
        (mixed, {"SeriesDescription": "Schaedel nativ", "SeriesNumber": "3"}),
        (head, {"StudyDescription": "CT HEAD", "BodyPartExamined": "HEAD"}),
        (silent, {"SeriesDescription": "1.25 mm"}),
    ):
        store(node, some_ct(day, StudyInstanceUID=study, **words))
    server = routed(SERVED.format(source=source))
    server.start()
    server.wait_ready(200.0)
    wait_for(lambda: uids(server) == {mixed, silent}, 90.0)
    series = server.client.get("/series", params={"expand": ""}).json()
    words = {one["MainDicomTags"].get("SeriesDescription") for one in series}
    assert words == {"Thorax nativ", "1.25 mm"}

    def told() -> dict[str, Any]:
        (pull,) = server.client.get("/sidelight/pulls").json()["pulls"]
        return dict(pull["outcome"] or {})

    wait_for(lambda: told().get("unserved") == 1, 30.0)
    assert told()["trouble"] == ""
    assert told()["why"]["CT of head: no application takes it"] >= 1
    plan = server.client.get("/sidelight/plan", params={"StudyInstanceUID": mixed}).json()
    (pulled,) = plan["studies"][0]["pulls"]
    assert pulled["takes"] == "in-part"
    fates = {tuple(one["regions"]): one["fate"] for one in pulled["series"]}
    assert fates == {("chest",): "served", ("head",): "unserved"}
    plan = server.client.get("/sidelight/plan", params={"StudyInstanceUID": head}).json()
    assert plan["studies"] == []
    assert plan["not_here"][0]["reason"] == "CT of head: no application takes it"


PRIORS = """
[[application]]
name = "chests"
scan = {{ modalities = ["CT"], regions = ["chest"] }}
needs = {{ priors = 1 }}
destination = {{ kind = "node", modality = "node", zone = "phi" }}

[[pull]]
name = "priors"
{source} = "node"
days_back = 0
every_minutes = 10000
priors = true
"""


@pytest.mark.parametrize("source", ["modality", "server"])
def test_a_study_that_arrives_is_handed_over_with_its_prior_of_another_archive(
    routed: Callable[[str], OrthancServer], node: OrthancServer, source: str
) -> None:
    chest = {"StudyDescription": "CT Chest", "SeriesDescription": "CT Chest"}
    chest |= {"BodyPartExamined": "CHEST", "PatientBirthDate": "19500101"}
    theirs, others = generate_uid(), generate_uid()
    store(node, some_ct("20260301", StudyInstanceUID=theirs, **chest))
    store(node, some_ct("20260302", BodyPartExamined="HEAD", StudyDescription="CT Head"))
    other = {**chest, "PatientID": PATIENT["PatientID"] + "0", "PatientBirthDate": "19900505"}
    store(node, some_ct("20260303", StudyInstanceUID=others, **other))
    server = routed(PRIORS.format(source=source))
    server.start()
    server.wait_ready(200.0)
    study = store(server, some_ct("20260601", **chest))["ParentStudy"]
    wait_for(lambda: sent(server, study, "chests"), 120.0)
    told = routing(server, study)["chests"]
    assert [one["role"] for one in told["set"]] == ["current", "prior"]
    assert len(told["deliveries"]) == 1
    held_here = {
        one["MainDicomTags"]["StudyInstanceUID"]: one["ID"]
        for one in server.client.get("/studies", params={"expand": ""}).json()
    }
    assert len(held_here) == 2
    prior = routing(server, held_here[theirs])["chests"]
    assert (prior["handover"], prior["deliveries"]) == ("only-as-prior", [])


def forget_when(ledger: Path, pull: str) -> None:
    """As if the time until the next run had passed."""
    from plugin.dispatch.ledger import Ledger

    Ledger(ledger).remember(f"pull-{pull}", "0")
