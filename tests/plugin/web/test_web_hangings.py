# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of the hanging."""

from __future__ import annotations

import io
import json
from typing import Any

import jsonschema_rs
import pydicom
import pytest

from plugin.web import description
from tests.plugin.web.small_site import Site


def content(site: Site, path: str, schema: str = "") -> dict[str, Any]:
    answer = site.get(path)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    if schema:
        components = json.loads(description.document())["components"]
        reference = {"$ref": f"#/components/schemas/{schema}", "components": components}
        jsonschema_rs.validate(reference, read)
    return read


def test_a_study_hangs_in_its_boxes(site: Site) -> None:
    hung = content(site, f"/studies/{site.chest_study}/sidelight/hanging", "HungStudy")
    assert (hung["hanging"], hung["rows"], hung["columns"]) == ("chest-film", 2, 2)
    first, *others = hung["boxes"]
    assert (first["row"], first["column"], first["instance"]) == (1, 1, site.chest)
    assert first["shows"] == "CR/DX chest PA/AP, current"
    assert {one["series"] for one in others} == {""}


def test_the_same_is_a_protocol_of_ohif_that_names_the_series(site: Site) -> None:
    path = f"/studies/{site.chest_study}/sidelight/hanging/ohif"
    made = content(site, path, "OhifProtocol")
    assert list(made["displaySetSelectors"]) == ["box-1"]


def test_the_rules_are_listed_and_each_is_a_dicom_object(site: Site) -> None:
    listed = content(site, "/sidelight/hangings", "Hangings")["hangings"]
    assert {"mammography", "ct-body"} <= {one["name"] for one in listed}
    for one in listed:
        answer = site.get(one["links"]["dicom"])
        assert answer.headers["content-type"] == "application/dicom"
        assert pydicom.dcmread(io.BytesIO(answer.content)).HangingProtocolName == one["name"]
    protocols = content(site, "/sidelight/hangings/ohif")["protocols"]
    assert [one["name"] for one in protocols] == [one["name"] for one in listed]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/sidelight/hangings/none/dicom", "unknown-hanging"),
        ("/studies/nonsense/sidelight/hanging", "unknown-study"),
        ("/studies/{new}/sidelight/hanging", "no-hanging"),
        ("/studies/{new}/sidelight/hanging/ohif", "no-hanging"),
    ],
)
def test_what_does_not_hang_says_why(site: Site, path: str, code: str) -> None:
    answer = site.get(path.format(new=site.new_study))
    assert (answer.status_code, answer.json()["code"]) == (404, code)
