# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a stored structured report to a ``Result``: the one reader that all doors share.

It reads what ``docs/results.md`` describes (TID 1500 with TID 1410 groups), by codes and not by
places, so that a report with more in it is read too. What it needs and does not find is an error:
a door must not guess.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import cast

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from plugin.doors import concepts, content_tree
from plugin.doors.errors import UnreadableReportError
from plugin.doors.finding_reader import read_findings
from plugin.doors.result import Algorithm, Coded, Image, Outcome, Patient, Result, Study

DISCLAIMER_BEGINS = "AI result"
_NOT_STATED = concepts.Concept("", "", "")


def read_report(dicom: bytes, severities: Mapping[str, int] | None = None) -> Result:
    """Read a report from its file.

    Args:
        dicom: PS3.10 file of the SR.
        severities: by key of a finding; a report states none, since severity is a rule of the
            site and no measurement.

    Raises:
        UnreadableReportError: it is no report of Sidelight's that this version can read.
    """
    try:
        report = pydicom.dcmread(io.BytesIO(dicom))
        return read_dataset(report, severities or {})
    except UnreadableReportError:
        raise
    except Exception as error:  # noqa: BLE001
        # pydicom raises whatever a broken file provokes, and its messages can quote the file.
        raise UnreadableReportError(
            f"the report can't be read ({type(error).__name__}); analyse the study again"
        ) from None


def read_dataset(report: Dataset, severities: Mapping[str, int]) -> Result:
    """Read a report that is parsed already; as ``read_report``."""
    summary, analyses = _ending(report)
    outcome = concepts.OUTCOMES.get((summary.value, analyses.value))
    if outcome is None:
        raise UnreadableReportError("CAD Processing and Findings Summary: an unknown value")
    groups = content_tree.below(report, concepts.IMAGING_MEASUREMENTS, concepts.MEASUREMENT_GROUP)
    disclaimer, comments = _comments(report)
    judged = outcome in ("findings", "no-findings")
    return Result(
        report_uid=str(report.SOPInstanceUID),
        outcome=cast("Outcome", outcome),
        reason="" if judged else " ".join(comments[:1]),
        notes=tuple(comments) if judged else tuple(comments[1:]),
        summary=Coded.of(summary),
        analyses=Coded.of(analyses),
        procedure=Coded.of(content_tree.code(report, concepts.PROCEDURE_REPORTED) or _NOT_STATED),
        patient=_patient(report),
        study=_study(report),
        image=_image(report, groups),
        model=_algorithm(report, groups),
        findings=read_findings(groups, severities) if judged else (),
        disclaimer=disclaimer,
        reported_at=_reported_at(report),
    )


def _ending(report: Dataset) -> tuple[concepts.Concept, concepts.Concept]:
    for evaluations in content_tree.below(report, concepts.QUALITATIVE_EVALUATIONS):
        summary = content_tree.code(evaluations, concepts.CAD_SUMMARY)
        analyses = content_tree.code(evaluations, concepts.SUMMARY_OF_ANALYSES)
        if summary and analyses:
            return summary, analyses
    raise UnreadableReportError("Qualitative Evaluations: how the analysis ended is not coded")


def _comments(report: Dataset) -> tuple[str, list[str]]:
    """What must be said with the result, and what else is said."""
    said = [
        text
        for evaluations in content_tree.below(report, concepts.QUALITATIVE_EVALUATIONS)
        for text in content_tree.texts(evaluations, concepts.COMMENT)
    ]
    disclaimer = next((text for text in said if text.startswith(DISCLAIMER_BEGINS)), "")
    if not disclaimer:
        raise UnreadableReportError("Qualitative Evaluations: the disclaimer is missing")
    return disclaimer, [text for text in said if text != disclaimer]


def _patient(report: Dataset) -> Patient:
    return Patient(
        id=_text(report, "PatientID"),
        issuer=_text(report, "IssuerOfPatientID"),
        name=_text(report, "PatientName"),
        birth_date=_text(report, "PatientBirthDate"),
        sex=_text(report, "PatientSex"),
    )


def _study(report: Dataset) -> Study:
    return Study(
        study_instance_uid=_text(report, "StudyInstanceUID"),
        accession_number=_text(report, "AccessionNumber"),
        study_date=_text(report, "StudyDate"),
        study_time=_text(report, "StudyTime"),
        study_description=_text(report, "StudyDescription"),
    )


def _image(report: Dataset, groups: list[Dataset]) -> Image:
    """The image that the first group shows, with its series from the evidence."""
    shown = (found for group in groups for found in content_tree.references(group))
    lead, frame = next(shown, ("", None))
    evidence = list(_evidence(report))
    if not evidence:
        raise UnreadableReportError("Current Requested Procedure Evidence Sequence: no image")
    series, instance = next((found for found in evidence if found[1][1] == lead), evidence[0])
    return Image(
        series_instance_uid=series,
        sop_class_uid=instance[0],
        sop_instance_uid=instance[1],
        frame=frame,
        modality=_modality(report),
    )


def _evidence(report: Dataset) -> Iterator[tuple[str, tuple[str, str]]]:
    """Series Instance UID, SOP Class UID and SOP Instance UID of each image."""
    for study in report.get("CurrentRequestedProcedureEvidenceSequence") or ():
        for series in study.ReferencedSeriesSequence:
            for instance in series.ReferencedSOPSequence:
                reference = instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID
                yield str(series.SeriesInstanceUID), (str(reference[0]), str(reference[1]))


def _modality(report: Dataset) -> str:
    """Modality of the images, said of each or of their group (TID 1602)."""
    for library in content_tree.below(report, concepts.IMAGE_LIBRARY):
        for item in content_tree.descendants(library):
            found = content_tree.value(item)
            if found and content_tree.same(content_tree.name(item), concepts.MODALITY):
                return found.value
    return "OT"


def _algorithm(report: Dataset, groups: list[Dataset]) -> Algorithm:
    for group in groups:
        name = content_tree.text(group, concepts.ALGORITHM_NAME)
        version = content_tree.text(group, concepts.ALGORITHM_VERSION)
        if name and version:
            said = content_tree.texts(group, concepts.ALGORITHM_PARAMETERS)
            digests = dict(one.split(" sha256=", 1) for one in said if " sha256=" in one)
            return Algorithm(
                name=name,
                version=version,
                device_uid=content_tree.text(report, concepts.DEVICE_UID),
                manufacturer=content_tree.text(report, concepts.DEVICE_MANUFACTURER) or "Sidelight",
                digest=digests.get("bundle", ""),
                configuration_digest=digests.get("configuration", ""),
            )
    raise UnreadableReportError("Measurement Group: no algorithm is identified")


def _reported_at(report: Dataset) -> str:
    """Content Date and Time with their offset (PS3.3 C.12.1.1.8); else in this machine's zone."""
    day, time = _text(report, "ContentDate"), _text(report, "ContentTime").partition(".")[0]
    moment = f"{day}{time.ljust(6, '0')}"
    offset = _text(report, "TimezoneOffsetFromUTC")
    if offset:
        return datetime.strptime(moment + offset, "%Y%m%d%H%M%S%z").isoformat()
    return datetime.strptime(moment, "%Y%m%d%H%M%S").astimezone().isoformat()


def _text(report: Dataset, keyword: str) -> str:
    found = report.get(keyword)
    # Identifiers go over verbatim; one with a backslash was split into values on the way.
    values = found if isinstance(found, MultiValue) else [found]
    return "\\".join("" if value is None else str(value) for value in values).strip()
