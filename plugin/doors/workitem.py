# SPDX-License-Identifier: AGPL-3.0-or-later
"""An escalation as Unified Procedure Step workitem, created over UPS-RS (PS3.18 section 11.4).

What a workitem has to carry when it is created stands in PS3.4 Table CC.2.5-3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydicom.dataset import Dataset

from plugin.configuration.doors import EscalationSection
from plugin.doors.concepts import Concept
from plugin.doors.escalated import Escalation, code_item, identify, put
from plugin.doors.posting import Receiver, post
from plugin.doors.result import Result

INTERPRETATION = Concept("110005", "DCM", "Interpretation")
CONFLICT = 409
"""The workitem is there already (PS3.18 Table 11.4.3-1): an earlier attempt got through."""

_EMPTY_SEQUENCES = (
    "ScheduledProcessingParametersSequence",
    "ScheduledStationNameCodeSequence",
    "ScheduledStationClassCodeSequence",
    "ScheduledStationGeographicLocationCodeSequence",
    "OtherPatientIDsSequence",
    "IssuerOfAdmissionIDSequence",
    "AdmittingDiagnosesCodeSequence",
    "ProcedureStepProgressInformationSequence",
    "UnifiedProcedureStepPerformedProcedureSequence",
)


def create(section: EscalationSection, escalation: Escalation) -> None:
    """Create the workitem, once however often it is tried.

    Raises:
        DeliveryError: the server did not take it.
    """
    uid = escalation.uid("workitem")
    receiver = Receiver(
        f"{section.workitem_url.rstrip('/')}/workitems?workitem={uid}",
        30.0,
        section.certificate_authority,
    )
    content = workitem(escalation, section.workitem_retrieve_aet).to_json_dict()
    body = json.dumps([content]).encode("ascii")
    post(receiver, body, _headers(section), done=(CONFLICT,))


def _headers(section: EscalationSection) -> Mapping[str, str]:
    headers = {"Content-Type": "application/dicom+json", "Accept": "application/dicom+json"}
    if section.workitem_authorization:
        headers["Authorization"] = section.workitem_authorization
    return headers


def workitem(escalation: Escalation, retrieve_aet: str) -> Dataset:
    """The attributes of the workitem, without its UID, which stands in the address."""
    first = escalation.results[0]
    item = Dataset()
    identify(item, escalation)
    item.TransactionUID = ""
    item.ScheduledProcedureStepPriority = "HIGH"
    item.ProcedureStepLabel = escalation.label
    item.WorklistLabel = "Sidelight"
    item.ScheduledProcedureStepStartDateTime = escalation.noted.strftime("%Y%m%d%H%M%S%z")
    item.ScheduledWorkitemCodeSequence = [code_item(INTERPRETATION)]
    item.CommentsOnTheScheduledProcedureStep = first.disclaimer
    item.InputReadinessState = "READY"
    item.ProcedureStepState = "SCHEDULED"
    item.InputInformationSequence = [_input(r, retrieve_aet) for r in escalation.results]
    item.StudyInstanceUID = first.study.study_instance_uid
    item.AdmissionID = ""
    item.AdmittingDiagnosesDescription = ""
    for keyword in _EMPTY_SEQUENCES:
        setattr(item, keyword, [])
    item.ReferencedRequestSequence = [_request(first)] if first.study.accession_number else []
    return item


def _input(result: Result, retrieve_aet: str) -> Dataset:
    """Referenced Instances and Access Macro (PS3.3 Table 10-3b)."""
    instance = Dataset()
    instance.ReferencedSOPClassUID = result.image.sop_class_uid
    instance.ReferencedSOPInstanceUID = result.image.sop_instance_uid
    retrieval = Dataset()
    retrieval.RetrieveAETitle = retrieve_aet
    item = Dataset()
    item.TypeOfInstances = "DICOM"
    item.StudyInstanceUID = result.study.study_instance_uid
    item.SeriesInstanceUID = result.image.series_instance_uid
    item.ReferencedSOPSequence = [instance]
    item.DICOMRetrievalSequence = [retrieval]
    return item


def _request(result: Result) -> Dataset:
    request = Dataset()
    request.StudyInstanceUID = result.study.study_instance_uid
    put(request, "AccessionNumber", result.study.accession_number)
    request.RequestedProcedureID = ""
    request.RequestedProcedureDescription = ""
    request.RequestedProcedureCodeSequence = []
    request.ReferencedStudySequence = []
    return request
