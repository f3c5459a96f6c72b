# SPDX-License-Identifier: AGPL-3.0-or-later
"""Results as one HL7 v2 message: ORU^R01, version 2.5.1 (chapter 7.3.1).

Each report is one order (OBR). Its observations (OBX) are how the analysis ended, then for every
finding whether it is present, its probability with the threshold as reference range, and its
regions; sub-identifiers (OBX-4) hold together what belongs to one finding. All is preliminary.

The text is put together here and then checked by ``hl7apy`` against the message structure of the
standard. hl7apy's own encoder is not used: it escapes the escape sequence of a line break again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from plugin.configuration.doors import Hl7Section
from plugin.doors import words
from plugin.doors.concepts import (
    ABSENT,
    CAD_SUMMARY,
    COMMENT,
    DICOM_STUDY,
    PRESENT,
    REPORT_TEXT,
    SEVERITY,
    SUMMARY_OF_ANALYSES,
)
from plugin.doors.errors import UndeliverableError
from plugin.doors.hl7_text import (
    ENCODING_CHARACTERS,
    ENCODINGS,
    coded,
    dicom_moment,
    encapsulated,
    escape,
    field,
    formatted,
    moment,
    person_name,
    segment,
)
from plugin.doors.result import Coded, Finding, Patient, Result

PRELIMINARY = "P"
PERCENT = field("%", "percent", "UCUM")
NO_NAME = "^^^^^^U"
NO_VALUE = '""'
TIME_CRITICAL = 3


@dataclass(frozen=True)
class Observation:
    """What one OBX says: value type, identifier, value, and what goes with the value."""

    kind: str
    name: str
    value: str
    group: str = ""
    units: str = ""
    range: str = ""
    flag: str = ""


def oru_message(
    results: Sequence[Result], section: Hl7Section, control_id: str, sent_at: str
) -> bytes:
    """The message as it goes onto the line, without MLLP's frame.

    Args:
        results: reports of one study, one or more.
        section: how to name sender and receiver, and which character set.
        control_id: MSH-10, at most 20 characters; the same when it is sent again.
        sent_at: MSH-7, ISO 8601 with offset.

    Raises:
        UndeliverableError: the character set can't hold the text, or the message is not valid.
    """
    segments = [_header(section, control_id, sent_at), _patient(results[0].patient)]
    for number, result in enumerate(results, start=1):
        segments += _order(result, number, section.text)
    text = "\r".join(segments) + "\r"
    _check(text)
    try:
        return text.encode(ENCODINGS[section.character_set])
    except UnicodeEncodeError:
        raise UndeliverableError(
            f"Doors.Hl7.CharacterSet {section.character_set} can't hold a name or word of this"
            " result; use UNICODE UTF-8"
        ) from None


def _check(text: str) -> None:
    try:
        parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT).validate()
    except HL7apyException as error:
        # Its message may quote the field.
        raise UndeliverableError(
            f"the message would not be valid HL7 2.5.1 ({type(error).__name__})"
        ) from None


def _header(section: Hl7Section, control_id: str, sent_at: str) -> str:
    fields = {
        2: escape(section.sending_application),
        3: escape(section.sending_facility),
        4: escape(section.receiving_application),
        5: escape(section.receiving_facility),
        6: moment(sent_at),
        8: field("ORU", "R01", "ORU_R01"),
        9: escape(control_id),
        10: "P",
        11: "2.5.1",
        17: section.character_set,
    }
    # MSH-1 is the separator itself, so all other numbers are one less here.
    return segment("MSH", {**fields, 1: ENCODING_CHARACTERS})


def _patient(patient: Patient) -> str:
    return segment(
        "PID",
        {
            1: "1",
            3: field(patient.id, "", "", patient.issuer) or NO_VALUE,
            5: person_name(patient.name) or NO_NAME,
            7: dicom_moment(patient.birth_date, ""),
            8: patient.sex if patient.sex in ("M", "F", "O") else "U",
        },
    )


def _order(result: Result, number: int, text: str) -> Iterator[str]:
    study = result.study
    accession = escape(study.accession_number)
    yield segment("ORC", {1: "RE", 3: accession or field(study.study_instance_uid)})
    yield segment(
        "OBR",
        {
            1: str(number),
            3: accession or field(study.study_instance_uid),
            4: coded(result.procedure),
            7: dicom_moment(study.study_date, study.study_time),
            # IHE RAD TF-2 (RAD-28) carries the accession number here.
            18: accession,
            22: moment(result.reported_at),
            24: "RAD",
            25: PRELIMINARY,
        },
    )
    for index, observation in enumerate(_observations(result, text), start=1):
        yield _obx(result, index, observation)


def _obx(result: Result, index: int, observation: Observation) -> str:
    model = result.model
    return segment(
        "OBX",
        {
            1: str(index),
            2: observation.kind,
            3: observation.name,
            4: observation.group,
            5: observation.value,
            6: observation.units,
            7: observation.range,
            8: observation.flag,
            11: PRELIMINARY,
            14: moment(result.reported_at),
            18: field(f"{model.name} {model.version}", model.manufacturer, model.device_uid, "ISO"),
        },
    )


def _observations(result: Result, text: str) -> Iterator[Observation]:
    # As in IHE RAD TF-2, Send Imaging Result (RAD-128): which study the result is about.
    uid = result.study.study_instance_uid
    yield Observation("HD", coded(DICOM_STUDY), field("", uid, "ISO"))
    yield Observation("CWE", coded(CAD_SUMMARY), coded(result.summary))
    yield Observation("CWE", coded(SUMMARY_OF_ANALYSES), coded(result.analyses))
    for number, finding in enumerate(result.findings, start=1):
        yield from _finding(finding, str(number))
    for said in (result.reason, *result.notes, result.disclaimer):
        if said:
            yield Observation("FT", coded(COMMENT), escape(said))
    if text in ("FT", "BOTH"):
        yield Observation("FT", coded(REPORT_TEXT), formatted(words.lines(result)))
    if text in ("ED", "BOTH"):
        yield Observation("ED", coded(REPORT_TEXT), encapsulated(words.lines(result)))


def _finding(finding: Finding, group: str) -> Iterator[Observation]:
    presence = PRESENT if finding.present else ABSENT
    yield Observation("CWE", coded(finding.code), coded(presence), group, flag=_flag(finding))
    threshold = finding.threshold_percent
    yield Observation(
        "NM",
        coded(finding.probability_code),
        words.percent(finding.probability_percent),
        group,
        PERCENT,
        "" if threshold is None else "<" + words.percent(threshold),
        "H" if finding.present else "N",
    )
    if finding.severity is not None:
        yield Observation("NM", coded(SEVERITY), str(finding.severity), group)
    for number, region in enumerate(finding.regions, start=1):
        name = Coded(
            value=finding.probability_code.value,
            scheme=finding.probability_code.scheme,
            meaning=f"{finding.probability_code.meaning}, {region.name}",
        )
        probability = words.percent(region.probability_percent)
        yield Observation("NM", coded(name), probability, f"{group}.{number}", PERCENT)


def _flag(finding: Finding) -> str:
    """Abnormal flag of HL7 table 0078."""
    if not finding.present:
        return "N"
    return "AA" if (finding.severity or 0) >= TIME_CRITICAL else "A"
