# SPDX-License-Identifier: AGPL-3.0-or-later
"""Matched study sets leave a real Orthanc for a second one, and come from it over DICOMweb."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt

from benchmarks.receivers import HttpReceiver, wait_for
from plugin.demo.server import OrthancServer, free_port
from plugin.dispatch.outward import sent_by_orthanc
from plugin.doors.errors import RefusedError, UnreachableError
from plugin.routing.exchange import Exchange
from tests.plugin.routing.stow_server import parts
from tests.system.neighbour import authorization_file, held, routing, sent
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

PATIENT = {"PatientID": "ROUTED-4711", "PatientName": "Routed^Rita"}
RITA = {**PATIENT, "PatientBirthDate": "19500101", "PatientSex": "F"}

APPLICATIONS = """
[[application]]
name = "follow-up"
scan = {{ modalities = ["DX"], regions = ["chest"] }}
needs = {{ priors = 1 }}
destination = {{ kind = "node", modality = "node" }}

[[application]]
name = "endpoint"
scan = {{ modalities = ["DX"], regions = ["chest"] }}
destination = {{ kind = "http", url = "{url}/in" }}

[[application]]
name = "heads"
scan = {{ modalities = ["CT"], regions = ["head"] }}
destination = {{ kind = "node", modality = "node", zone = "phi" }}
"""

WEB = """
[[application]]
name = "web"
scan = {{ modalities = ["DX"], regions = ["chest"] }}
destination = {{ kind = "dicomweb", url = "{url}", authorization_file = "{secret}" }}

[[application]]
name = "server"
scan = {{ modalities = ["DX"], regions = ["chest"] }}
destination = {{ kind = "dicomweb", server = "node", zone = "phi" }}

[[application]]
name = "originals"
scan = {{ modalities = ["DX"], regions = ["chest"] }}
destination = {{ kind = "node", modality = "node", zone = "phi" }}

[[pull]]
name = "web"
server = "node"
days_back = 3
every_minutes = 1
"""


def test_current_study_and_prior_reach_their_destinations_de_identified_and_once(
    routed: Callable[[str], OrthancServer], node: OrthancServer, phantoms: list[Path]
) -> None:
    with HttpReceiver() as endpoint:
        server = routed(APPLICATIONS.format(url=endpoint.url))
        server.start()
        server.wait_ready(200.0)
        prior = store(server, fresh(phantoms[0], StudyDate="20260901", **RITA))["ParentStudy"]
        wait_for(lambda: sent(server, prior, "follow-up"), 90.0)
        # What is received while the node is away waits, also when every process is killed.
        node.stop()
        study = store(server, fresh(phantoms[1], StudyDate="20261001", **RITA))["ParentStudy"]
        finished(server, study, seconds=120)
        wait_for(lambda: sent(server, study, "endpoint"), 90.0)
        wait_for(lambda: routing(server, study)["follow-up"]["deliveries"][0]["attempts"] > 0, 90.0)
        server.kill()
        server.start()
        node.start()
        server.wait_ready(200.0)
        wait_for(lambda: sent(server, study, "follow-up"), 90.0)

        plan = routing(server, study)
        assert [(p["role"], p["study"], p["days_before"]) for p in plan["follow-up"]["set"]] == [
            ("current", study, 0),
            ("prior", prior, 30),
        ]
        assert plan["heads"]["decision"] == "no-series-fits"
        assert "modality is DX, wanted: CT" in plan["heads"]["reason"]
        handed_over = server.client.get(f"/studies/{study}/sidelight").json()["handed_over"]
        told = {one["application"]: one["status"] for one in handed_over}
        assert told == {"follow-up": "sent", "endpoint": "sent"}
        hung = server.client.get(f"/studies/{study}/sidelight/hanging").json()
        shown = [(box["prior"], box["study"]) for box in hung["boxes"] if box["instance"]]
        assert (hung["hanging"], shown) == ("chest-film", [(0, study), (1, prior)])
        received = held(node)
        assert len(received) == 2
        assert len({one.StudyInstanceUID for one in received}) == 2
        assert len({one.PatientID for one in received}) == 1, "sets of one patient belong together"
        for one in received:
            assert one.PatientIdentityRemoved == "YES"
            assert PATIENT["PatientID"] not in str(one)
        assert len(endpoint.posted) == 2
        last = endpoint.posted[-1]
        manifest = json.loads(parts(last.headers["content-type"], last.body)[0][1])
        assert [one["role"] for one in manifest["series"]] == ["current"]
        texts = [posted.body.decode("latin-1") for posted in endpoint.posted]
        texts.append(server.log.read_text(encoding="utf-8", errors="replace"))
        assert not any(value in text for text in texts for value in PATIENT.values())


def test_a_study_comes_and_goes_over_dicomweb(
    routed: Callable[[str], OrthancServer],
    node: OrthancServer,
    phantoms: list[Path],
    tmp_path: Path,
) -> None:
    today = f"{datetime.now(UTC):%Y%m%d}"
    original = fresh(phantoms[0], StudyDate=today, **PATIENT)
    store(node, original)
    secret = authorization_file(node, tmp_path)
    server = routed(WEB.format(url=f"{node.url}/dicom-web", secret=secret))
    server.start()
    server.wait_ready(200.0)
    wait_for(lambda: bool(server.client.get("/studies").json()), 90.0)
    (study,) = server.client.get("/studies").json()
    finished(server, study, seconds=120)
    for application in ("web", "server", "originals"):
        wait_for(partial(sent, server, study, application), 90.0)
    received = held(node)
    uid = pydicom.dcmread(io.BytesIO(original)).SOPInstanceUID
    assert sorted(one.SOPInstanceUID == uid for one in received) == [False, True]
    (other,) = [one for one in received if one.SOPInstanceUID != uid]
    assert other.PatientIdentityRemoved == "YES"
    assert PATIENT["PatientID"] not in str(other)


@pytest.mark.parametrize(
    ("status", "error"),
    [(0x0124, RefusedError), (0xC000, RefusedError), (0xA700, UnreachableError)],
)
def test_a_node_that_refuses_is_told_from_one_that_is_full(
    server: OrthancServer, phantoms: list[Path], status: int, error: type[Exception]
) -> None:
    node = AE(ae_title="REFUSER")
    node.supported_contexts = AllStoragePresentationContexts
    port = free_port()
    handlers = [(evt.EVT_C_STORE, lambda _: status)]
    listening = node.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    known = ["REFUSER", "127.0.0.1", port]
    server.client.put("/modalities/refuser", json=known).raise_for_status()
    exchange = _exchange(server)
    try:
        with pytest.raises(error):
            sent_by_orthanc(partial(exchange.send_file, "refuser", fresh(phantoms[0])))
    finally:
        server.client.delete("/modalities/refuser").raise_for_status()
        exchange._client.close()
        listening.shutdown()


def test_a_node_that_is_away_does_not_refuse(server: OrthancServer, phantoms: list[Path]) -> None:
    known = ["AWAY", "127.0.0.1", free_port()]
    server.client.put("/modalities/away", json=known).raise_for_status()
    exchange = _exchange(server)
    try:
        with pytest.raises(UnreachableError):
            sent_by_orthanc(partial(exchange.send_file, "away", fresh(phantoms[0])))
    finally:
        server.client.delete("/modalities/away").raise_for_status()
        exchange._client.close()


def _exchange(server: OrthancServer) -> Exchange:
    pair = f"{server.user}:{server.password}".encode()
    return Exchange(server.url, f"Basic {base64.b64encode(pair).decode()}")
