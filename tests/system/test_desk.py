# SPDX-License-Identifier: AGPL-3.0-or-later
"""Worklist, labels, plan and standard headers on real Orthancs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from plugin.demo.server import OrthancServer
from plugin.results import is_own_object
from plugin.states import Metadata
from tests.system.pacs import finished, server_for, store
from tests.system.test_main_line import fresh


def labels(server: OrthancServer, path: str) -> set[str]:
    """The labels of a resource, or, before Orthanc 1.12, what stands for them."""
    if server.client.get("/system").json().get("HasLabels"):
        return set(server.client.get(f"{path}/labels").json())
    return set(metadata(server, path, Metadata.LABELS).split(",")) - {""}


def metadata(server: OrthancServer, path: str, name: Metadata) -> str:
    answer = server.client.get(f"{path}/metadata/{int(name)}")
    return answer.text if answer.status_code == 200 else ""


def eventually(check: Callable[[], Any], wanted: Any, seconds: float = 15.0) -> None:
    """What follows from a state is there a moment after it."""
    import time

    deadline = time.monotonic() + seconds
    while (found := check()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


@pytest.fixture(scope="module")
def positive(server: OrthancServer, phantoms: list[Path]) -> dict[str, Any]:
    for phantom in phantoms:
        stored = store(server, fresh(phantom))
        answer = finished(server, stored["ParentStudy"])
        if answer["scans"][0]["status"] == "findings":
            return {"stored": stored, "answer": answer}
    pytest.fail("the model found nothing on any of the phantoms")


def test_what_was_found_is_a_label_on_study_series_and_image(
    server: OrthancServer, positive: dict[str, Any]
) -> None:
    stored = positive["stored"]
    for path in (
        f"/studies/{stored['ParentStudy']}",
        f"/series/{stored['ParentSeries']}",
        f"/instances/{stored['ID']}",
    ):
        eventually(lambda path=path: labels(server, path), {"sidelight-positive"})


def test_another_result_replaces_the_label_and_leaves_others_alone(
    server: OrthancServer, phantoms: list[Path]
) -> None:
    if not server.client.get("/system").json().get("HasLabels"):
        pytest.skip("this Orthanc has no labels")
    stored = store(server, fresh(phantoms[0], BurnedInAnnotation="YES"))
    study = f"/studies/{stored['ParentStudy']}"
    finished(server, stored["ParentStudy"])
    eventually(lambda: labels(server, study), {"sidelight-failed"})
    for label in ("teaching", "sidelight-negative"):
        assert server.client.put(f"{study}/labels/{label}", content=b"").status_code == 200
    good = pydicom.dcmread(io.BytesIO(server.client.get(f"/instances/{stored['ID']}/file").content))
    good.BurnedInAnnotation = "NO"
    buffer = io.BytesIO()
    good.save_as(buffer)
    server.client.delete(f"/instances/{stored['ID']}")
    stored = store(server, buffer.getvalue())
    finished(server, stored["ParentStudy"])
    # The reports of the refused image kept the study alive, and its labels with it.
    eventually(lambda: "sidelight-failed" in labels(server, study), False)
    assert {"teaching", "sidelight-negative"} <= labels(server, study)


def test_the_priority_of_a_study_is_metadata_that_any_script_can_read(
    server: OrthancServer, positive: dict[str, Any]
) -> None:
    answer, study = positive["answer"], positive["stored"]["ParentStudy"]
    assert answer["priority_reason"]
    path = f"/studies/{study}"
    eventually(lambda: metadata(server, path, Metadata.PRIORITY), str(answer["priority"]))
    listed = server.client.get("/sidelight/worklist?limit=500").json()["studies"]
    order = [entry["priority"] for entry in listed]
    assert order == sorted(order, reverse=True)
    assert next(e for e in listed if e["study"] == study)["priority_reason"]


def test_the_plan_of_an_analysed_scan_agrees_with_what_was_done(
    server: OrthancServer, positive: dict[str, Any]
) -> None:
    stored, done = positive["stored"], positive["answer"]["scans"][0]
    answer = server.client.get("/sidelight/plan", params={"study": stored["ParentStudy"]})
    assert answer.status_code == 200, answer.text
    (study,) = answer.json()["studies"]
    (scan,) = study["scans"]
    assert scan["would_end"] == "analysis"
    assert scan["anatomy"] == done["anatomy"]
    assert scan["did"]["model"] == done["model"]
    runs = [a for a in scan["applications"] if a["verdict"] == "runs"]
    assert [a["model"] for a in runs] == [done["model"]]


def test_the_plan_of_a_ct_head_says_why_nothing_ran(server: OrthancServer) -> None:
    head = fresh(str(get_testdata_file("CT_small.dcm")), BodyPartExamined="HEAD")
    stored = store(server, head)
    finished(server, stored["ParentStudy"])
    answer = server.client.get("/sidelight/plan", params={"series": stored["ParentSeries"]})
    (scan,) = answer.json()["studies"][0]["scans"]
    assert scan["would_end"] == "no-application"
    assert scan["reason"] == scan["did"]["reason"]
    assert {a["verdict"] for a in scan["applications"]} == {"does-not-fit"}


def test_a_reviewer_decides_what_runs_next(server: OrthancServer) -> None:
    head = fresh(str(get_testdata_file("CT_small.dcm")), BodyPartExamined="HEAD")
    stored = store(server, head)
    study, series = stored["ParentStudy"], stored["ParentSeries"]
    finished(server, study)
    path, found = f"/series/{series}/sidelight/anatomy", "/sidelight/series?region=NECK&modality=CT"
    word = {"regions": ["neck"], "reason": "planned as a neck", "user": "reader", "analyse": True}
    answer = server.client.post(path, json=word)
    assert answer.status_code == 201, answer.text
    assert series in {one["series"] for one in server.client.get(found).json()["series"]}
    # Analysed anew, as a neck; what was recognized is not forgotten.
    eventually(
        lambda: finished(server, study)["scans"][0]["anatomy"]["regions"], ["neck"], seconds=60.0
    )
    plan = server.client.get("/sidelight/plan", params={"series": series}).json()
    assert plan["studies"][0]["scans"][0]["anatomy"]["regions"] == ["neck"]
    said = server.client.get(path).json()
    assert said["overrides"][0]["reason"] == "planned as a neck"
    assert said["recognized"]["regions"] != ["neck"]
    assert json.loads(metadata(server, f"/studies/{study}", Metadata.ANATOMY))["regions"] == [
        "neck"
    ]


def test_a_plan_changes_nothing(server: OrthancServer, positive: dict[str, Any]) -> None:
    study = positive["stored"]["ParentStudy"]
    before = server.client.get("/changes?last").json()["Last"]
    queue = server.status()["queue"]
    server.client.get("/sidelight/plan", params={"study": study})
    changes = server.client.get("/changes", params={"since": before}).json()["Changes"]
    # Orthanc itself still calls resources of earlier tests stable.
    assert {
        one["ChangeType"] for one in changes if not one["ChangeType"].startswith("Stable")
    } == set()
    assert server.status()["queue"] == queue


# -- an Orthanc of one's own, with another configuration ------------------------------------------


@pytest.fixture(params=["debian", "trixie"])
def standardizing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Any:  # an OrthancServer that is stopped afterwards
    section = {
        "Environment": str(Path(__file__).resolve().parents[2] / ".venv"),
        "Standardization": {
            "Mode": "copy",
            "CopiedAttributes": [
                "BodyPartExamined", "SeriesDescription", "RequestedProcedurePriority",
            ],
        },
        "Applications": {"Modes": {}},
    }  # fmt: skip
    with server_for(
        request.param, tmp_path / "orthanc", {"StableAge": 1, "Sidelight": section}
    ) as server:
        server.wait_ready()
        yield server


def test_a_copy_with_a_standard_header_lies_beside_an_unchanged_original(
    standardizing: OrthancServer, phantoms: list[Path], tmp_path: Path
) -> None:
    server = standardizing
    content = fresh(phantoms[0], BodyPartExamined="Thorax ap", SeriesDescription="thx pa")
    stored = store(server, content)
    finished(server, stored["ParentStudy"])
    path = f"/instances/{stored['ID']}"
    eventually(lambda: bool(metadata(server, path, Metadata.STANDARD_HEADER)), True)
    header = json.loads(metadata(server, path, Metadata.STANDARD_HEADER))
    assert {e["keyword"]: e["standard"] for e in header["entries"]}["BodyPartExamined"] == "CHEST"
    (copy_id,) = header["copies"]
    copy = pydicom.dcmread(io.BytesIO(server.client.get(f"/instances/{copy_id}/file").content))
    original = pydicom.dcmread(io.BytesIO(content))
    assert server.client.get(f"{path}/file").content == content
    assert (copy.BodyPartExamined, copy.SeriesDescription) == ("CHEST", "DX CHEST PA")
    assert copy.StudyInstanceUID == original.StudyInstanceUID
    assert copy.SOPInstanceUID != original.SOPInstanceUID
    assert copy.PixelData == original.PixelData
    assert is_own_object(copy)
    (item,) = copy.OriginalAttributesSequence
    assert item.ModifiedAttributesSequence[0].SeriesDescription == "thx pa"
    assert item.NonconformingModifiedAttributesSequence[0].SelectorAttribute == 0x00180015
    assert copy.RequestedProcedurePriority in ("LOW", "ROUTINE", "HIGH", "STAT")
    # The copy is ours: never analysed, never copied in turn; a second run makes no second copy.
    count = server.client.get("/statistics").json()["CountInstances"]
    server.client.post(f"/studies/{stored['ParentStudy']}/sidelight/analyse", content=b"")
    finished(server, stored["ParentStudy"])
    assert server.client.get("/statistics").json()["CountInstances"] == count
    assert server.client.get(f"/instances/{copy_id}").status_code == 200


def test_a_whole_series_without_application_is_copied_once_it_is_complete(
    standardizing: OrthancServer,
) -> None:
    server = standardizing
    source = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    source.StudyInstanceUID, source.SeriesInstanceUID = "2.25.71", "2.25.72"
    source.BodyPartExamined, source.StudyDescription = "SKULL BASE", "CT head"
    for number in (1, 2, 3):
        source.SOPInstanceUID = f"2.25.73{number}"
        source.file_meta.MediaStorageSOPInstanceUID = source.SOPInstanceUID
        buffer = io.BytesIO()
        source.save_as(buffer)
        stored = store(server, buffer.getvalue())
    path = f"/series/{stored['ParentSeries']}"

    def copies() -> int:
        text = metadata(server, path, Metadata.STANDARD_HEADER)
        return len(json.loads(text)["copies"]) if text else 0

    eventually(copies, 3, seconds=30)
    series = server.client.get(f"/studies/{stored['ParentStudy']}/series").json()
    assert sorted(len(one["Instances"]) for one in series) == [3, 3]
    parts = {one["MainDicomTags"]["BodyPartExamined"] for one in series}
    assert parts == {"SKULL BASE", "HEAD"}


def test_an_admin_looks_at_the_plan_and_then_enables_the_model(
    own_server: Callable[..., OrthancServer], phantoms: list[Path]
) -> None:
    environment = str(Path(__file__).resolve().parents[2] / ".venv")
    dry = {"Environment": environment, "Applications": {"Default": "dry-run"}}
    server = own_server(StableAge=1, Sidelight=dry)
    server.start()
    server.wait_ready()
    stored = store(server, fresh(phantoms[0]))
    answer = finished(server, stored["ParentStudy"])
    assert answer["scans"][0]["status"] == "no-application"
    assert "in dry run: chest-phantom" in answer["scans"][0]["reason"]
    plan = server.client.get("/sidelight/plan", params={"instance": stored["ID"]}).json()
    assert plan["studies"][0]["scans"][0]["applications"][0]["verdict"] == "dry-run"
    server.stop()
    server.changes["Sidelight"] = {"Environment": environment}
    server.start()
    server.wait_ready()
    server.client.post(f"/studies/{stored['ParentStudy']}/sidelight/analyse", content=b"")
    answer = finished(server, stored["ParentStudy"])
    assert answer["scans"][0]["model"] == "chest-phantom"


def test_a_mistake_in_a_table_is_said_by_the_status(
    own_server: Callable[..., OrthancServer], tmp_path: Path
) -> None:
    table = tmp_path / "mine.toml"
    table.write_text('[[rule]]\nname = "a"\npriority = "soon"\nreason = "because"\n')
    environment = str(Path(__file__).resolve().parents[2] / ".venv")
    section = {"Environment": environment, "Worklist": {"PriorityTable": str(table)}}
    server = own_server(Sidelight=section)
    server.start()
    answer = server.client.get("/sidelight/status")
    assert answer.status_code == 503
    assert "mine.toml: rule a: priority" in answer.json()["message"]
