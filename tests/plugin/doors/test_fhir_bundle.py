# SPDX-License-Identifier: AGPL-3.0-or-later
"""A result as FHIR R4: valid, consistent in its references, and never more than preliminary."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from inference.contract import Outcome
from plugin.doors.fhir import bundle
from plugin.doors.result import Result
from tests.plugin.results.samples import dx_header

Read = Callable[..., Result]


def resources(results: list[Result], kind: str) -> list[dict[str, Any]]:
    entries = json.loads(bundle(results)).get("entry", [])
    return [e["resource"] for e in entries if e["resource"]["resourceType"] == kind]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["reference"]] if "reference" in part else []
        return own + [found for value in part.values() for found in references(value)]
    return [found for item in part for found in references(item)] if isinstance(part, list) else []


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_a_valid_bundle(result: Read, outcome: Outcome) -> None:
    read = Bundle.model_validate_json(bundle([result(outcome)]))
    assert read.type == "collection"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_reference_leads_into_the_bundle(result: Read, outcome: Outcome) -> None:
    content = json.loads(bundle([result(outcome)]))
    there = {entry["fullUrl"] for entry in content["entry"]}
    assert there == {f"urn:uuid:{entry['resource']['id']}" for entry in content["entry"]}
    found = references(content)
    assert found
    assert set(found) <= there
    # Everything is reached from the report.
    assert there - set(found) == {content["entry"][0]["fullUrl"]}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_nothing_is_more_than_preliminary_and_all_says_that_an_ai_said_it(
    result: Read, outcome: Outcome
) -> None:
    read = result(outcome)
    for kind in ("DiagnosticReport", "Observation"):
        for resource in resources([read], kind):
            assert resource["status"] == "preliminary"
            assert resource["meta"]["security"][0]["code"] == "AIAST"
    (report,) = resources([read], "DiagnosticReport")
    assert "not for clinical use" in report["conclusion"]
    assert (read.reason in report["conclusion"]) if read.reason else True


def test_a_finding_is_an_observation_with_code_presence_and_probability(result: Read) -> None:
    outcome, first, *_ = resources([result()], "Observation")
    assert outcome["code"]["coding"][0]["code"] == "111017"
    assert first["code"]["coding"][0] == {
        "system": "http://snomed.info/sct",
        "code": "36118008",
        "display": "Pneumothorax",
    }
    assert first["interpretation"][0]["coding"][0]["code"] == "POS"
    probability, threshold, severity, region = first["component"]
    assert probability["valueQuantity"] == {
        "value": 91.3042,
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert threshold["valueQuantity"]["value"] == 45.0
    assert severity["valueInteger"] == 3
    assert region["code"]["text"] == "Pneumothorax 1"


def test_a_judgement_that_was_not_made_has_no_finding(result: Read) -> None:
    assert len(resources([result(Outcome.REFUSED)], "Observation")) == 1


def test_the_model_is_a_device_with_its_version_and_weights(result: Read) -> None:
    read = result()
    (device,) = resources([read], "Device")
    assert device["deviceName"] == [{"name": "chest-phantom", "type": "model-name"}]
    versions = {one["type"]["text"]: one["value"] for one in device["version"]}
    assert versions["model"] == "1.0"
    assert versions["bundle-sha256"] == read.model.digest


def test_order_study_and_patient_are_those_of_the_report(result: Read) -> None:
    read = result()
    (report,) = resources([read], "DiagnosticReport")
    assert report["basedOn"][0]["identifier"]["value"] == "A-1"
    assert report["subject"]["identifier"]["value"] == "P-1"
    (study,) = resources([read], "ImagingStudy")
    assert study["identifier"][0]["value"] == f"urn:oid:{read.study.study_instance_uid}"
    assert study["series"][0]["instance"][0]["uid"] == read.image.sop_instance_uid
    assert study["started"] == "2026-03-04"


def test_a_study_without_patient_date_or_order_is_valid_too(result: Read) -> None:
    header = dx_header()
    for keyword in ("PatientID", "StudyDate", "AccessionNumber", "PatientName"):
        setattr(header, keyword, "")
    (report,) = resources([result(Outcome.FINDINGS, header)], "DiagnosticReport")
    assert "basedOn" not in report
    assert "identifier" not in report["subject"]


def test_two_images_of_one_study_share_study_and_device(result: Read) -> None:
    other = dx_header()
    other.SOPInstanceUID, other.SeriesInstanceUID = "1.2.3.99", "1.2.3.98"
    both = [result(), result(Outcome.NO_FINDINGS, other)]
    assert len(resources(both, "DiagnosticReport")) == 2
    assert len(resources(both, "Device")) == 1
    (study,) = resources(both, "ImagingStudy")
    assert len(study["series"]) == 2


def test_no_result_is_an_empty_bundle() -> None:
    assert json.loads(bundle([])) == {"resourceType": "Bundle", "type": "collection"}
