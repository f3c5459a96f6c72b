# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code that results are written with, in one table (PS3.16).

Codes come from pydicom's dictionaries where they have them, so a typing error fails at import.
"""

from __future__ import annotations

import hashlib
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from inference.contract import CodedConcept, FindingClass, ModelDescription, Outcome

DCM = codes.DCM
SCT = codes.SCT

PRIVATE_SCHEME = "99SIDELIGHT"
PRIVATE_SCHEME_NAME = "Sidelight: probabilities of findings"

# Container and item names of TID 1500 (Measurement Report) and TID 1410 (Planar ROI).
REPORT_TITLE: Final = DCM.ImagingMeasurementReport
TEXT_REPORT_TITLE: Final = codes.LN.DiagnosticImagingReport
IMAGING_MEASUREMENTS: Final = DCM.ImagingMeasurements
MEASUREMENT_GROUP: Final = DCM.MeasurementGroup
IMAGE_LIBRARY: Final = DCM.ImageLibrary
IMAGE_LIBRARY_GROUP: Final = DCM.ImageLibraryGroup
IMAGE_REGION: Final = DCM.ImageRegion
QUALITATIVE_EVALUATIONS: Final = Code("C0034375", "UMLS", "Qualitative Evaluations")
TRACKING_IDENTIFIER: Final = DCM.TrackingIdentifier
TRACKING_UID: Final = DCM.TrackingUniqueIdentifier
FINDING: Final = DCM.Finding
FINDING_SITE: Final = SCT.FindingSite
COMMENT: Final = DCM.Comment
SOURCE_IMAGE: Final = Code("260753009", "SCT", "Source")

# How the analysis ended: CID 6047 under 111017, CID 6042 under 111065.
CAD_SUMMARY: Final = DCM.CADProcessingAndFindingsSummary
SUMMARY_OF_ANALYSES: Final = DCM.SummaryOfAnalyses
PRESENT: Final = SCT.Present
ABSENT: Final = SCT.Absent

BACKGROUND: Final = DCM.Background
OF_INTEREST: Final = DCM.OfInterest
KEY_OBJECT_DESCRIPTION: Final = DCM.KeyObjectDescription
SOURCE_OF_MEASUREMENT: Final = DCM.SourceOfMeasurement
PROBABILITY: Final = DCM.Probability
QUANTITY: Final = SCT.Quantity
NO_UNITS: Final = codes.UCUM.NoUnits

ALGORITHM_FAMILY: Final = DCM.ArtificialIntelligence
PROCESSING_EQUIPMENT: Final = DCM.ProcessingEquipment
ABNORMAL_STRUCTURE: Final = SCT.MorphologicallyAbnormalStructure
PERCENT: Final = codes.UCUM.Percent

_SUMMARY: dict[Outcome, Code] = {
    Outcome.FINDINGS: DCM.AllAlgorithmsSucceededWithFindings,
    Outcome.NO_FINDINGS: DCM.AllAlgorithmsSucceededWithoutFindings,
    Outcome.ABSTAINED: DCM.NotAllAlgorithmsSucceededWithoutFindings,
    Outcome.REFUSED: DCM.NoAlgorithmsSucceededWithoutFindings,
    Outcome.FAILED: DCM.NoAlgorithmsSucceededWithoutFindings,
}
_ANALYSES: dict[Outcome, Code] = {
    Outcome.FINDINGS: DCM.Succeeded,
    Outcome.NO_FINDINGS: DCM.Succeeded,
    Outcome.ABSTAINED: DCM.PartiallySucceeded,
    Outcome.REFUSED: DCM.NotAttempted,
    Outcome.FAILED: DCM.Failed,
}

_PROCEDURES: dict[str, Code] = {
    "CR": codes.LN.XRUnspecifiedBodyRegion,
    "DX": codes.LN.XRUnspecifiedBodyRegion,
    "CT": codes.LN.CTUnspecifiedBodyRegion,
    "MR": codes.LN.MRIUnspecifiedBodyRegion,
    "NM": codes.LN.NMUnspecifiedBodyRegion,
    "PT": codes.LN.PETUnspecifiedBodyRegion,
}

_SITES: dict[str, Code] = {
    "whole body": SCT.EntireBody,
    "head": SCT.Head,
    "neck": SCT.Neck,
    "spine": SCT.Spine,
    "chest": SCT.Chest,
    "breast": SCT.Breast,
    "abdomen": SCT.Abdomen,
    "pelvis": SCT.Pelvis,
    "upper limb": SCT.UpperLimb,
    "lower limb": SCT.LowerLimb,
}

# Findings whose probability is a probability of cancer; Stone Web viewer prints that one number.
_CANCERS: frozenset[str] = frozenset(
    code.value
    for code in (
        SCT.Adenocarcinoma,
        SCT.AdenocarcinomaOfLung,
        SCT.Carcinoma,
        SCT.LungCancer,
        SCT.MalignantNeoplasmPrimary,
        SCT.ProstateCancer,
        SCT.InfiltratingDuctCarcinomaOfBreast,
    )
) | {"363346000", "254837009"}  # malignant neoplastic disease; malignant neoplasm of breast

_MODALITIES: dict[str, Code] = {
    code.value: code
    for code in (getattr(codes.CID33, name) for name in codes.CID33.dir())
    if code.scheme_designator == "DCM"
}
_ACQUISITION_MODALITIES = frozenset(getattr(codes.CID29, name).value for name in codes.CID29.dir())


def summary(outcome: Outcome) -> Code:
    """Value of (111017, DCM, CAD Processing and Findings Summary), CID 6047."""
    return _SUMMARY[outcome]


def analyses(outcome: Outcome) -> Code:
    """Value of (111065, DCM, Summary of Analyses), CID 6042; tells refused from failed."""
    return _ANALYSES[outcome]


def concept(coded: CodedConcept) -> Code:
    """A code of the contract as pydicom's."""
    return Code(coded.value, coded.scheme, coded.meaning[:64])


def probability_of(finding: FindingClass) -> Code:
    """Concept name of a finding's probability.

    (111047, DCM, Probability of cancer) where the finding is a cancer. PS3.16 has no code for any
    other; there a private one is made of the class key, so that two probabilities in one
    measurement group can be told apart.
    """
    if finding.code.scheme == "SCT" and finding.code.value in _CANCERS:
        cancer: Code = DCM.ProbabilityOfCancer
        return cancer
    value = f"P-{finding.key}"
    if len(value) > 16:
        value = f"P-{hashlib.sha256(finding.key.encode()).hexdigest()[:14]}"
    return Code(value, PRIVATE_SCHEME, f"Probability of {finding.name}"[:64])


def procedure(modality: str) -> Code:
    """Value of (121058, DCM, Procedure reported), CID 100."""
    generic: Code = SCT.ImagingProcedure
    return _PROCEDURES.get(modality, generic)


def modality_concept(modality: str) -> Code:
    """Value of (121139, DCM, Modality), CID 33; what is no modality there is OT."""
    return _MODALITIES.get(modality, _MODALITIES["OT"])


def is_acquisition_modality(modality: str) -> bool:
    """Whether it is of CID 29, and not one that only tells what an object is."""
    return modality in _ACQUISITION_MODALITIES


def site(model: ModelDescription | None) -> Code | None:
    """Finding site (CID 4), where the model is made for one region only."""
    if model is None:
        return None
    regions = {region for category in model.categories for region in category.regions}
    return _SITES[regions.pop()] if len(regions) == 1 else None


def code_item(code: Code) -> Dataset:
    """A code as the item of a code sequence (PS3.3 Table 8.8-1)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
