# SPDX-License-Identifier: Apache-2.0
"""What CDA release 2 calls things, and what becomes of each (its schema CDA.xsd, POCD_MT000040).

An element that no list has leaves out what it holds.
"""

from __future__ import annotations

from deid.text.kinds import Kind

NAMESPACE = "urn:hl7-org:v3"
SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"

MASKED = frozenset({"name", "addr", "telecom"})
"""Left as ``nullFlavor="MSK"``: the schema or templates want them, and they name somebody."""

STRUCTURE = frozenset(
    str.split(
        "ClinicalDocument recordTarget patientRole patient author assignedAuthor assignedPerson "
        "representedOrganization representedCustodianOrganization custodian assignedCustodian "
        "providerOrganization legalAuthenticator authenticator assignedEntity informationRecipient "
        "intendedRecipient receivedOrganization participant associatedEntity associatedPerson "
        "scopingOrganization inFulfillmentOf order documentationOf serviceEvent performer "
        "relatedDocument parentDocument authorization consent componentOf encompassingEncounter "
        "responsibleParty encounterParticipant location healthCareFacility component "
        "structuredBody nonXMLBody section entry entryRelationship observation act procedure "
        "encounter organizer observationRange referenceRange supply substanceAdministration "
        "regionOfInterest specimen specimenRole subject relatedSubject dataEnterer informant "
        "assignedAuthoringDevice assignedCustodianOrganization"
    )
)
CODED = frozenset(
    str.split(
        "code confidentialityCode languageCode realmCode statusCode priorityCode value "
        "targetSiteCode methodCode interpretationCode qualifier translation routeCode "
        "approachSiteCode administrativeGenderCode functionCode dischargeDispositionCode "
        "signatureCode"
    )
)
TIMES = frozenset({"effectiveTime", "time", "low", "high", "center", "birthTime"})
MEASURES = frozenset({"value", "low", "high", "width", "doseQuantity", "quantity", "repeatNumber",
                      "versionNumber", "sequenceNumber"})  # fmt: skip
PATIENT_CHARACTERISTICS = frozenset({"administrativeGenderCode"})

BLOCKS = frozenset(
    str.split("text paragraph list item table thead tbody tfoot tr th td caption footnote content")
)
CONTAINERS = frozenset({"list", "table", "thead", "tbody", "tfoot", "tr"})
"""Blocks in which no text stands."""
INLINE = frozenset({"content", "sub", "sup", "linkHtml", "br", "footnoteRef", "renderMultiMedia"})

PEOPLE = {
    "patient": Kind.PATIENT_NAME,
    "assignedPerson": Kind.PHYSICIAN_NAME,
    "associatedPerson": Kind.NAME,
    "guardianPerson": Kind.NAME,
    "informationRecipient": Kind.PHYSICIAN_NAME,
    "relatedPerson": Kind.NAME,
    "maintainingPerson": Kind.NAME,
    "playingEntity": Kind.NAME,
    "subject": Kind.NAME,
}
"""Whose ``name`` is a person's."""

SCHEMES = {
    "2.16.840.1.113883.6.1": "LN",
    "2.16.840.1.113883.6.96": "SCT",
    "1.2.840.10008.2.16.4": "DCM",
    "1.2.840.10008.6.1": "DCM",
    "2.16.840.1.113883.6.256": "RADLEX",
    "2.16.840.1.113883.6.3": "I10",
    "2.16.840.1.113883.6.90": "I10C",
    "2.16.840.1.113883.6.4": "I10P",
    "2.16.840.1.113883.6.103": "I9C",
    "2.16.840.1.113883.6.8": "UCUM",
    "2.16.840.1.113883.6.12": "C4",
    "2.16.840.1.113883.6.88": "RXNORM",
    "2.16.840.1.113883.6.121": "IETF4646",
}
"""Code systems by OID, with PS3.16 section 8's designators."""
HL7_VOCABULARY = "2.16.840.1.113883.5."
"""HL7's own: short codes such as ``N`` and ``final``."""

TEMPLATE_ROOTS = ("2.16.840.1.113883.10.", "1.2.840.10008.9.", "1.3.6.1.4.1.19376.1.")
"""Templates of HL7, of DICOM and of IHE; roots of others may be a hospital's."""
TEMPLATE_VERSIONS = frozenset(
    {"2014-06-09", "2015-04-24", "2015-08-01", "2017-08-01", "2019-12-01", "2022-06-01",
     "2023-05-01", "2024-05-01"}
)  # fmt: skip
"""Editions of HL7's templates; another date may be anybody's."""
CODES = frozenset(
    str.split(
        "classCode moodCode typeCode determinerCode contextControlCode contextConductionInd "
        "inversionInd negationInd independentInd nullFlavor operator use inclusive"
    )
)
"""Attributes that hold one of a few codes."""
