# SPDX-License-Identifier: Apache-2.0
"""Which elements of which FHIR resources may leave, and as what (HL7 FHIR R4, R4B and R5).

Elements in the order of the standard, which XML asks for. ``*`` marks a list. What no line has is
left out: names, addresses, telecoms, pictures, links, and every extension.
"""

from __future__ import annotations

from functools import cache

# Types in small letters are made by ``deid.reports.fhir.values``; those of them that are nodes have
# their lines too, for the order in which they are written.
_TYPES = """
Period: start date, end date
Range: low quantity, high quantity
Ratio: numerator quantity, denominator quantity
CodeableConcept: coding* coding, text text
CodeableReference: concept CodeableConcept, reference Reference
Reference: reference reference, type code, identifier identifier
Annotation: time date, text text
Narrative: status code, div narrative
identifier: use code, type CodeableConcept, system url, value url
coding: system url, code code, display text
concept: coding* coding, system url, code code, display text, text text
quantity: value decimal, comparator code, unit text, system url, code code
meta: tag* coding
Attachment: contentType type, language language, data data, title text, creation date
"""
_RESOURCES = """
Bundle: identifier identifier, type code, timestamp date, total number, entry* Bundle.entry
Bundle.entry: fullUrl url, resource resource
DiagnosticReport: identifier* identifier, basedOn* Reference, status code,
 category* CodeableConcept, code CodeableConcept, subject Reference, encounter Reference,
 effectiveDateTime date, effectivePeriod Period, issued date, performer* Reference,
 resultsInterpreter* Reference, specimen* Reference, result* Reference, note* Annotation,
 study* Reference, imagingStudy* Reference, media* DiagnosticReport.media,
 composition Reference, conclusion text, conclusionCode* CodeableConcept,
 presentedForm* Attachment
DiagnosticReport.media: comment text, link Reference
ImagingStudy: identifier* identifier, status code, modality* concept, subject Reference,
 encounter Reference, started date, basedOn* Reference, partOf* Reference, referrer Reference,
 interpreter* Reference, endpoint* Reference, numberOfSeries number, numberOfInstances number,
 procedureReference Reference, procedureCode* CodeableConcept, procedure* CodeableReference,
 location Reference, reasonCode* CodeableConcept, reason* CodeableReference,
 reasonReference* Reference, note* Annotation, description text, series* ImagingStudy.series
ImagingStudy.series: uid uid, number number, modality concept, description text,
 numberOfInstances number, endpoint* Reference, bodySite concept, laterality concept,
 specimen* Reference, started date, performer* ImagingStudy.series.performer,
 instance* ImagingStudy.series.instance
ImagingStudy.series.performer: function CodeableConcept, actor Reference
ImagingStudy.series.instance: uid uid, sopClass coding, number number, title text
DocumentReference: masterIdentifier identifier, identifier* identifier, basedOn* Reference,
 status code, docStatus code, modality* CodeableConcept, type CodeableConcept,
 category* CodeableConcept, subject Reference, date date, author* Reference,
 authenticator Reference, custodian Reference, relatesTo* DocumentReference.relatesTo,
 description text, securityLabel* CodeableConcept, content* DocumentReference.content,
 context DocumentReference.context
DocumentReference.relatesTo: code concept, target Reference
DocumentReference.content: attachment Attachment, format coding
DocumentReference.context: encounter* Reference, event* CodeableConcept, period Period,
 facilityType CodeableConcept, practiceSetting CodeableConcept, sourcePatientInfo Reference,
 related* Reference
Observation: identifier* identifier, basedOn* Reference, partOf* Reference, status code,
 category* CodeableConcept, code CodeableConcept, subject Reference, focus* Reference,
 encounter Reference, effectiveDateTime date, effectivePeriod Period, effectiveInstant date,
 issued date, performer* Reference, valueQuantity quantity, valueCodeableConcept CodeableConcept,
 valueString text, valueBoolean boolean, valueInteger number, valueRange Range, valueRatio Ratio,
 valueDateTime date, valuePeriod Period, dataAbsentReason CodeableConcept,
 interpretation* CodeableConcept, note* Annotation, bodySite CodeableConcept,
 method CodeableConcept, specimen Reference, device Reference,
 referenceRange* Observation.referenceRange, hasMember* Reference, derivedFrom* Reference,
 component* Observation.component
Observation.referenceRange: low quantity, high quantity, type CodeableConcept,
 appliesTo* CodeableConcept, text text
Observation.component: code CodeableConcept, valueQuantity quantity,
 valueCodeableConcept CodeableConcept, valueString text, valueBoolean boolean,
 valueInteger number, valueRange Range, valueRatio Ratio, valueDateTime date, valuePeriod Period,
 dataAbsentReason CodeableConcept, interpretation* CodeableConcept,
 referenceRange* Observation.referenceRange
ServiceRequest: identifier* identifier, basedOn* Reference, replaces* Reference,
 requisition identifier, status code, intent code, category* CodeableConcept, priority code,
 doNotPerform boolean, code concept, orderDetail* CodeableConcept, subject Reference,
 encounter Reference, occurrenceDateTime date, occurrencePeriod Period, authoredOn date,
 requester Reference, performerType CodeableConcept, performer* Reference,
 reasonCode* CodeableConcept, reasonReference* Reference, specimen* Reference,
 bodySite* CodeableConcept, note* Annotation, patientInstruction text
Composition: identifier identifier, status code, type CodeableConcept, category* CodeableConcept,
 subject Reference, encounter Reference, date date, author* Reference, title text,
 confidentiality code, custodian Reference, section* Composition.section
Composition.section: title text, code CodeableConcept, author* Reference, focus Reference,
 text Narrative, mode code, orderedBy CodeableConcept, entry* Reference,
 emptyReason CodeableConcept, section* Composition.section
Binary: contentType type, data data
Patient: identifier* identifier, gender code
Practitioner:
PractitionerRole:
Location:
Device:
"""
_HEAD = "id id, meta meta, language language, text Narrative, contained* resource"
_BARE = "id id, meta meta, language language"
_NO_NARRATIVE = frozenset({"Bundle", "Binary"})

RESOURCES = frozenset(
    str.split(
        "Bundle DiagnosticReport ImagingStudy DocumentReference Observation ServiceRequest "
        "Composition Binary Patient Practitioner PractitionerRole Location Device"
    )
)
"""Resources that leave; of people and devices only that there is one."""
REPORTS = frozenset(
    {"Bundle", "DiagnosticReport", "ImagingStudy", "DocumentReference", "Composition",
     "Observation"}
)  # fmt: skip
"""What is taken for a report at the top of a file."""
PEOPLE = {"Patient": "Patient", "Practitioner": "Practitioner", "PractitionerRole": "Practitioner"}
WITHOUT_NARRATIVE = frozenset({"Patient", "Practitioner", "PractitionerRole", "Location", "Device"})
"""Their narrative says their names and addresses."""

CODES = frozenset(
    str.split(
        "registered partial preliminary modified final amended corrected appended cancelled "
        "entered-in-error unknown available inactive current superseded active on-hold revoked "
        "completed draft proposal plan directive order original-order reflex-order filler-order "
        "instance-order option routine urgent asap stat collection searchset batch transaction "
        "history document message batch-response transaction-response generated extensions "
        "additional empty male female other usual official temp secondary old working snapshot "
        "changes N R V U L M replaces transforms signs appends deprecated retracted "
        "Patient Practitioner PractitionerRole Organization DiagnosticReport ImagingStudy "
        "DocumentReference Observation ServiceRequest Composition Binary Encounter Specimen "
        "Location Device Media Procedure Endpoint Group < <= > >= ad"
    )
)
"""Values of the codes above that the standard itself binds."""


Line = tuple[str, str, bool]
"""An element: its name, its type, and whether it is a list."""


@cache
def lines_of(type_name: str) -> tuple[Line, ...]:
    """The elements of a type or resource; none of one that no list has."""
    return _all().get(type_name, ())


@cache
def _all() -> dict[str, tuple[Line, ...]]:
    found = {}
    for declared in (_TYPES + _RESOURCES).replace("\n ", " ").strip().splitlines():
        name, _, elements = declared.partition(":")
        if name in RESOURCES:
            bare = name in _NO_NARRATIVE or name in WITHOUT_NARRATIVE
            head = _BARE if bare else _HEAD
            elements = f"{head}, {elements}" if elements.strip() else head
        found[name] = tuple(map(_line, filter(str.strip, elements.split(","))))
    return found


def _line(text: str) -> Line:
    name, kind = text.split()
    return name.removesuffix("*"), kind, name.endswith("*")
