# SPDX-License-Identifier: Apache-2.0
"""Heat maps and reviews on a real Orthanc: bit by bit its own image, and both versions kept."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image

from plugin.demo.server import OrthancServer
from plugin.results import ResultObject, ResultOptions, is_own_object, validate
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh


@pytest.fixture
def scan(server: OrthancServer, phantoms: list[Path]) -> dict[str, Any]:
    """The answer about one image that has findings."""
    for phantom in phantoms:
        stored = store(server, fresh(phantom))
        answer = finished(server, stored["ParentStudy"])
        if answer["scans"][0]["status"] == "findings":
            return dict(answer["scans"][0])
    raise AssertionError("no phantom has findings")


def base(scan: dict[str, Any]) -> str:
    return f"/instances/{scan['resource']}/sidelight"


def picture(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))


def test_opacity_zero_is_bit_by_bit_what_orthanc_renders(
    server: OrthancServer, scan: dict[str, Any]
) -> None:
    own = picture(server.client.get(f"/instances/{scan['resource']}/rendered"))
    key = scan["probabilities"][0]["key"]
    for path in (f"heatmaps/{key}?overlay=true&opacity=0", "composite?opacity=0"):
        assert (picture(server.client.get(f"{base(scan)}/{path}")) == own).all()
    drawn = picture(server.client.get(f"{base(scan)}/heatmaps/{key}?overlay=true&opacity=1"))
    assert (drawn != own).any()


def test_the_regions_are_those_of_the_structured_report(
    server: OrthancServer, scan: dict[str, Any]
) -> None:
    regions = server.client.get(f"{base(scan)}/regions").json()
    (report,) = (o for o in scan["objects"] if o["kind"] == "SR")
    sr = read(server, report["instance"])
    outlines = graphic_data(sr)
    for region in regions["regions"]:
        flat = np.array(region["contour"], np.float32).ravel()
        assert any(len(o) == len(flat) and np.allclose(o, flat) for o in outlines)
    assert regions["regions"]
    assert regions["spacing"]["plane"] in ("patient", "detector")
    assert regions["regions"][0]["area_mm2"] > 0


def graphic_data(dataset: pydicom.Dataset) -> list[Any]:
    found: list[Any] = []

    def look(_: pydicom.Dataset, element: pydicom.DataElement) -> None:
        if element.keyword == "GraphicData":
            found.append(np.array(element.value, np.float32))

    dataset.walk(look)
    return found


def read(server: OrthancServer, instance: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(server.client.get(f"/instances/{instance}/file").content))


def test_the_display_route_leads_to_the_stored_values(
    server: OrthancServer, scan: dict[str, Any]
) -> None:
    display = server.client.get(f"{base(scan)}/display").json()
    accept = {"Accept": "image/x-portable-arbitrarymap"}
    answer = server.client.get(display["links"]["pixels"], headers=accept)
    _, _, body = answer.content.partition(b"ENDHDR\n")
    stored = np.frombuffer(body, ">u2").reshape(display["rows"], display["columns"])
    original = read(server, scan["resource"])
    assert (stored == original.pixel_array).all()
    assert display["windows"][0]["width"] == float(original.WindowWidth)


def test_a_review_adds_valid_objects_that_are_not_analysed_and_keeps_the_models_own(
    server: OrthancServer, scan: dict[str, Any]
) -> None:
    key = scan["probabilities"][0]["key"]
    body = {
        "reason": "motion artefact",
        "verdicts": [{"finding": key, "verdict": "absent"}],
        "marks": [
            {"finding": scan["probabilities"][-1]["key"], "level": 8, "cells": [[2, 2], [2, 3]],
             "verdict": "too-low"}
        ],
    }  # fmt: skip
    before = server.client.get(f"/studies/{study_of(server, scan)}/sidelight").json()
    answer = server.client.post(f"{base(scan)}/reviews", json=body)
    assert answer.status_code == 201, answer.text
    review = answer.json()["review"]
    # Orthanc's authenticated user, whom the request did not name.
    assert (review["account"], review["quarantined"]) == (server.user, {})
    assert review["objects"][0]["kind"] == "SR"
    for made in review["objects"]:
        dataset = read(server, made["instance"])
        assert is_own_object(dataset)
        assert validate(ResultObject(made["kind"], dataset), ResultOptions()) == []
    study = study_of(server, scan)
    assert (
        server.client.get(f"/instances/{review['objects'][0]['instance']}/study").json()["ID"]
        == study
    )
    after = finished(server, study)
    assert after["scans"] == before["scans"]
    for kept in scan["objects"]:
        assert server.client.get(f"/instances/{kept['instance']}").status_code == 200
    index = server.client.get(f"{base(scan)}/heatmaps?version=latest").json()
    assert not next(i for i in index["heatmaps"] if i["key"] == key)["present"]
    status = server.client.get("/sidelight/status").json()
    assert status["service"]["remediations"] == []


def study_of(server: OrthancServer, scan: dict[str, Any]) -> str:
    return str(server.client.get(f"/instances/{scan['resource']}/study").json()["ID"])


def test_dciodvfy_finds_no_error_in_corrected_objects(
    server: OrthancServer, scan: dict[str, Any], tmp_path: Path
) -> None:
    body = {"reason": "x", "verdicts": [{"finding": scan["probabilities"][-1]["key"],
            "verdict": "present"}]}  # fmt: skip
    review = server.client.post(f"{base(scan)}/reviews", json=body).json()["review"]
    for made in review["objects"]:
        file = tmp_path / f"{made['kind']}.dcm"
        file.write_bytes(server.client.get(f"/instances/{made['instance']}/file").content)
        checked = subprocess.run(["dciodvfy", file], capture_output=True, text=True, check=False)
        errors = [line for line in checked.stderr.splitlines() if line.startswith("Error")]
        assert errors == [], made["kind"]
