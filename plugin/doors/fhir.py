# SPDX-License-Identifier: AGPL-3.0-or-later
"""Results as FHIR R4: one Bundle of DiagnosticReport, Observation, Device and ImagingStudy.

Resources refer to each other by ``urn:uuid:`` within the Bundle. Patient and order are logical
references (identifier only): Sidelight is no server of patients. The Bundle is checked by
``fhir.resources``, whose R4B models (4.3.0) have the same elements as R4 (4.0.1) for these five.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fhir.resources.R4B.bundle import Bundle

from plugin.doors import words
from plugin.doors.concepts import DIAGNOSTIC_REPORT
from plugin.doors.fhir_observations import observations
from plugin.doors.fhir_parts import (
    AI_ASSERTED,
    REPORT_CATEGORY,
    codeable,
    day,
    dicom_uid,
    reference,
    sop_class,
    subject,
    urn,
)
from plugin.doors.result import Algorithm, Coded, Result

MEDIA_TYPE = "application/fhir+json"


def bundle(results: Sequence[Result]) -> bytes:
    """A Bundle of type ``collection`` with all that the results say, as JSON.

    Raises:
        pydantic.ValidationError: it would not be valid FHIR; an error of ours.
    """
    entries: list[dict[str, Any]] = []
    for result in results:
        found = list(observations(result))
        entries += [_entry(_report(result, [name for name, _ in found]), _report_urn(result))]
        entries += [_entry(resource, name) for name, resource in found]
    entries += _devices(results) + _studies(results)
    content: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    if entries:
        content["entry"] = entries
    text: str = Bundle.model_validate(content).model_dump_json()
    return text.encode()


def _report(result: Result, observed: list[str]) -> dict[str, Any]:
    study = result.study
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "meta": AI_ASSERTED,
        "identifier": [dicom_uid(result.report_uid)],
        # Also where there is no judgement: "cancelled" would speak of the radiologist's report.
        "status": result.status,
        "category": [REPORT_CATEGORY],
        "code": codeable(Coded.of(DIAGNOSTIC_REPORT)),
        "subject": subject(result.patient),
        "issued": result.reported_at,
        "result": [reference(name) for name in observed],
        "imagingStudy": [reference(_study_urn(study.study_instance_uid))],
        "conclusion": f"{words.conclusion(result)}. {result.disclaimer}",
        "conclusionCode": [codeable(result.summary), codeable(result.analyses)],
    }
    if study.accession_number:
        order = {"type": "ServiceRequest", "identifier": _accession(study.accession_number)}
        report["basedOn"] = [order]
    if day(study.study_date):
        report["effectiveDateTime"] = day(study.study_date)
    return report


def _devices(results: Iterable[Result]) -> list[dict[str, Any]]:
    models = {result.model.device_uid: result.model for result in results}
    return [_entry(_device(model), urn("device", uid)) for uid, model in models.items()]


def _device(model: Algorithm) -> dict[str, Any]:
    versions = {
        "model": model.version,
        "bundle-sha256": model.digest,
        "configuration-sha256": model.configuration_digest,
    }
    return {
        "resourceType": "Device",
        "identifier": [dicom_uid(model.device_uid)],
        "manufacturer": model.manufacturer,
        "deviceName": [{"name": model.name, "type": "model-name"}],
        "version": [
            {"type": {"text": name}, "value": value} for name, value in versions.items() if value
        ],
    }


def _studies(results: Iterable[Result]) -> list[dict[str, Any]]:
    by_study: dict[str, list[Result]] = {}
    for result in results:
        by_study.setdefault(result.study.study_instance_uid, []).append(result)
    return [_entry(_study(of_one), _study_urn(uid)) for uid, of_one in by_study.items()]


def _study(results: list[Result]) -> dict[str, Any]:
    study = results[0].study
    identifiers = [dicom_uid(study.study_instance_uid)]
    if study.accession_number:
        identifiers.append(_accession(study.accession_number))
    resource: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "identifier": identifiers,
        "status": "available",
        "subject": subject(results[0].patient),
        "series": _series(results),
    }
    if day(study.study_date):
        resource["started"] = day(study.study_date)
    if study.study_description:
        resource["description"] = study.study_description
    return resource


def _series(results: list[Result]) -> list[dict[str, Any]]:
    """The series of the analysed images, each image once."""
    serieses: dict[str, Any] = {}
    for result in results:
        image = result.image
        uid = image.series_instance_uid
        new = {"uid": uid, "modality": _modality(image.modality), "instance": []}
        series = serieses.setdefault(uid, new)
        instance = {"uid": image.sop_instance_uid, "sopClass": sop_class(image.sop_class_uid)}
        if instance not in series["instance"]:
            series["instance"].append(instance)
    return list(serieses.values())


def _modality(modality: str) -> dict[str, str]:
    return {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": modality}


def _accession(number: str) -> dict[str, Any]:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}
    return {"type": {"coding": [kind]}, "value": number}


def _entry(resource: dict[str, Any], full_url: str) -> dict[str, Any]:
    identified = {**resource, "id": full_url.removeprefix("urn:uuid:")}
    return {"fullUrl": full_url, "resource": identified}


def _report_urn(result: Result) -> str:
    return urn("report", result.report_uid)


def _study_urn(uid: str) -> str:
    return urn("study", uid)
