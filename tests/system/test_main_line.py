# SPDX-License-Identifier: AGPL-3.0-or-later
"""A scan arrives; its results are in the same study and behind REST."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from plugin.archive import Archive
from plugin.demo.server import OrthancServer
from tests.system.pacs import finished, send, store


def fresh(path: str | Path, **changes: Any) -> bytes:
    """The file's content as a new study, with some attributes changed."""
    dataset = pydicom.dcmread(path)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def size(picture: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture)) as opened:
        return opened.size


@pytest.fixture(scope="module")
def analysed(server: OrthancServer, phantoms: list[Path]) -> dict[str, Any]:
    """A phantom with findings, its study's answer, and Orthanc's identifiers."""
    for phantom in phantoms:
        stored = store(server, fresh(phantom))
        answer = finished(server, stored["ParentStudy"])
        if answer["scans"][0]["status"] == "findings":
            return {"stored": stored, "answer": answer, "scan": answer["scans"][0]}
    pytest.fail("the model found nothing on any of the phantoms")


def test_findings_come_back_as_sr_seg_and_pr_in_the_same_study(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    series = server.client.get(f"/studies/{analysed['stored']['ParentStudy']}/series").json()
    tags = [one["MainDicomTags"] for one in series]
    assert sorted(t["Modality"] for t in tags) == ["DX", "PR", "SEG", "SR"]
    assert {o["kind"] for o in analysed["scan"]["objects"]} == {"SR", "SEG", "PR"}
    assert all(9100 <= int(t["SeriesNumber"]) < 10000 for t in tags if t["Modality"] != "DX"), (
        "reserved series numbers"
    )


def test_stored_objects_pass_the_external_validators(
    server: OrthancServer, analysed: dict[str, Any], tmp_path: Path
) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    for item in analysed["scan"]["objects"]:
        path = tmp_path / f"{item['kind']}.dcm"
        path.write_bytes(server.client.get(f"/instances/{item['instance']}/file").content)
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        assert errors == [], item["kind"]


def test_every_object_says_that_it_is_not_for_clinical_use(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    for item in analysed["scan"]["objects"]:
        content = server.client.get(f"/instances/{item['instance']}/file").content
        assert b"not for clinical use" in content, item["kind"]


def test_results_carry_the_original_patient_and_study(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    original = server.client.get(f"/instances/{analysed['stored']['ID']}/file").content
    source = pydicom.dcmread(io.BytesIO(original))
    for item in analysed["scan"]["objects"]:
        content = server.client.get(f"/instances/{item['instance']}/file").content
        result = pydicom.dcmread(io.BytesIO(content))
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "AccessionNumber"):
            assert result.get(keyword) == source.get(keyword), keyword


def test_a_scan_that_is_sent_again_changes_nothing(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    stored = analysed["stored"]
    count = server.client.get("/statistics").json()["CountInstances"]
    content = server.client.get(f"/instances/{stored['ID']}/file").content
    assert store(server, content)["Status"] == "AlreadyStored"
    finished(server, stored["ParentStudy"])
    assert server.client.get("/statistics").json()["CountInstances"] == count


def test_a_study_that_is_analysed_again_has_its_results_once(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    study = analysed["stored"]["ParentStudy"]
    before = server.client.get(f"/studies/{study}/instances").json()
    answer = server.client.post(f"/studies/{study}/sidelight/analyse", content=b"")
    assert answer.status_code == 202
    again = finished(server, study)
    assert again["scans"][0]["finished_at"] > analysed["scan"]["finished_at"]
    assert len(server.client.get(f"/studies/{study}/instances").json()) == len(before)


def test_probabilities_and_ranked_heat_maps_are_behind_rest(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    base = f"/instances/{analysed['stored']['ID']}/sidelight"
    probabilities = server.client.get(f"{base}/probabilities")
    assert probabilities.status_code == 200
    index = server.client.get(f"{base}/heatmaps").json()
    ranked = [entry["probability"] for entry in index["heatmaps"]]
    assert ranked == sorted(ranked, reverse=True)
    assert len(ranked) == 5


def test_a_heat_map_has_the_size_of_the_rendered_image(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    instance = analysed["stored"]["ID"]
    first = analysed["scan"]["probabilities"][0]["key"]
    address = f"/instances/{instance}/sidelight/heatmaps/{first}"
    picture = server.client.get(address, params={"overlay": "true"})
    assert picture.headers["content-type"].startswith("image/png")
    rendered = server.client.get(f"/instances/{instance}/rendered")
    assert size(picture.content) == size(rendered.content)
    again = server.client.get(
        address, params={"overlay": "true"}, headers={"If-None-Match": picture.headers["etag"]}
    )
    assert again.status_code == 304


def test_the_matrix_is_the_same_as_json_and_as_numpy(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    first = analysed["scan"]["probabilities"][0]["key"]
    address = f"/instances/{analysed['stored']['ID']}/sidelight/heatmaps/{first}/matrix"
    as_json = server.client.get(address, headers={"Accept": "application/json"}).json()
    as_numpy = server.client.get(address, headers={"Accept": "application/x-npy"})
    array = np.load(io.BytesIO(as_numpy.content))
    assert array.shape == (64, 64)
    values = as_json.get("values", as_json.get("matrix"))
    assert np.allclose(array, np.array(values), atol=1e-6)


def test_a_ris_finds_the_study_by_its_accession_number(
    server: OrthancServer, phantoms: list[Path]
) -> None:
    number = generate_uid()[-12:].replace(".", "0")
    stored = store(server, fresh(phantoms[0], AccessionNumber=number))
    finished(server, stored["ParentStudy"])
    found = server.client.get("/sidelight/studies", params={"AccessionNumber": number}).json()
    assert [study["study"] for study in found["studies"]] == [stored["ParentStudy"]]


def test_anatomy_is_kept_on_the_series(server: OrthancServer, analysed: dict[str, Any]) -> None:
    series = analysed["stored"]["ParentSeries"]
    anatomy = server.client.get(f"/series/{series}/sidelight/anatomy").json()
    assert anatomy["anatomy"]["regions"] == ["chest"] or anatomy.get("regions") == ["chest"]


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        ("CT_small.dcm", {"BodyPartExamined": "HEAD"}, "no application for CT HEAD"),
        ("MR_small.dcm", {"BodyPartExamined": "SHOULDER"}, "no application for MR SHOULDER"),
    ],
)
def test_a_scan_that_no_model_fits_says_so(
    server: OrthancServer, file: str, changes: dict[str, str], words: str
) -> None:
    stored = store(server, fresh(str(get_testdata_file(file)), **changes))
    (scan,) = finished(server, stored["ParentStudy"], seconds=20)["scans"]
    assert (scan["status"], scan["reason"]) == ("no-application", words)


def test_scans_arrive_over_c_store_too(server: OrthancServer, tmp_path: Path) -> None:
    path = tmp_path / "scan.dcm"
    path.write_bytes(fresh(str(get_testdata_file("CT_small.dcm")), BodyPartExamined="CHEST"))
    send(server, [path])
    uid = str(pydicom.dcmread(path).StudyInstanceUID)
    study = server.client.post("/tools/lookup", content=uid).json()[0]["ID"]
    (scan,) = finished(server, study, seconds=20)["scans"]
    assert scan["reason"] == "no application for CT CHEST"


def test_an_object_that_is_stored_again_with_other_content_replaces_the_first(
    server: OrthancServer, phantoms: list[Path]
) -> None:
    credentials = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
    archive = Archive(server.url, f"Basic {credentials}")
    path = str(get_testdata_file("CT_small.dcm"))
    first = fresh(path, PatientID="REPLACE", ImageComments="first")
    dataset = pydicom.dcmread(io.BytesIO(first))
    dataset.ImageComments = "second"
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    identifier = archive.store(first)
    assert archive.store(buffer.getvalue()) == identifier
    assert archive.file(identifier) == buffer.getvalue()


def test_no_route_answers_without_a_password(
    server: OrthancServer, analysed: dict[str, Any]
) -> None:
    import httpx

    from plugin.routes import ROUTES

    stored = analysed["stored"]
    identifiers = {
        "studies": stored["ParentStudy"], "series": stored["ParentSeries"],
        "instances": stored["ID"],
    }  # fmt: skip
    for route in ROUTES:
        path = route.path.replace("{finding}", "nodule").replace("{path:path}", "index.html")
        path = path.replace("{id}", identifiers.get(path.split("/")[1], ""))
        answer = httpx.request(route.methods[0], server.url + path, trust_env=False)
        assert answer.status_code == 401, path


def test_unknown_identifiers_are_404_with_a_stable_code(server: OrthancServer) -> None:
    for path, code in (
        ("/studies/no-such/sidelight", "unknown-study"),
        ("/series/no-such/sidelight/anatomy", "unknown-series"),
        ("/instances/no-such/sidelight/heatmaps", "unknown-instance"),
    ):
        answer = server.client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.json()["code"] == code


def test_the_page_is_served(server: OrthancServer) -> None:
    for address in ("/sidelight/ui", "/sidelight/ui/", "/sidelight/ui/index.html"):
        page = server.client.get(address, follow_redirects=True)
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert page.url.path == "/sidelight/ui/index.html"


def test_no_log_line_names_the_patient(server: OrthancServer, analysed: dict[str, Any]) -> None:
    log = server.log.read_text(encoding="utf-8", errors="replace")
    original = server.client.get(f"/instances/{analysed['stored']['ID']}/file").content
    source = pydicom.dcmread(io.BytesIO(original))
    assert str(source.PatientID) not in log
    assert str(source.PatientName) not in log
    assert str(source.StudyInstanceUID) not in log


def test_a_study_that_was_deleted_and_is_sent_again_has_results_again(
    server: OrthancServer, phantoms: list[Path]
) -> None:
    content = fresh(phantoms[0])
    for _ in range(2):
        stored = store(server, content)
        answer = finished(server, stored["ParentStudy"])
        assert answer["scans"][0]["status"] in ("findings", "no-findings")
        series = server.client.get(f"/studies/{stored['ParentStudy']}/series").json()
        assert "SR" in [one["MainDicomTags"]["Modality"] for one in series]
        server.client.delete(f"/studies/{stored['ParentStudy']}").raise_for_status()
