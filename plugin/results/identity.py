# SPDX-License-Identifier: AGPL-3.0-or-later
"""Patient and study of the original, carried over so that a result lands in the same study.

Orthanc and most archives group by PatientID and Study Instance UID: these, and the numbers a RIS
looks up, go over as they are, even where they break the rules of their VR. All else is copied only
where it is valid; an invalid type 2 attribute becomes empty, an invalid type 3 one is left out.

Text is decoded with the original's character set and written as UTF-8 (ISO_IR 192).
"""

from __future__ import annotations

import re
import unicodedata

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import validate_value

from plugin.results import header as read

CHARACTER_SET = "ISO_IR 192"

VERBATIM = (
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    "StudyID",
    "AccessionNumber",
)
"""Kept as they are: changing one would move the result to another patient, study or order."""

# Type 2 of the Patient and General Study modules (PS3.3 C.7.1.1 and C.7.2.1): always there.
_TYPE_2 = (
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_TYPE_3 = (
    "PatientBirthTime",
    "EthnicGroup",
    "TypeOfPatientID",
    "PatientSpeciesDescription",
    "PatientBreedDescription",
    "ResponsiblePerson",
    "ResponsibleOrganization",
    "StudyDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "TimezoneOffsetFromUTC",
)
_ENUMERATED = {"PatientSex": ("M", "F", "O"), "PatientIdentityRemoved": ("YES", "NO")}
_DEIDENTIFICATION = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
)
_OFFSET = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")
"""PS3.3 C.12.1.1.8; its VR alone would let any text through."""

_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")


def copy_identity(header: Dataset, target: Dataset) -> None:
    """Write the Patient, General Study and Patient Study attributes of ``header`` to ``target``."""
    target.SpecificCharacterSet = CHARACTER_SET
    for keyword in VERBATIM:
        _write(target, keyword, _clean(read.text(header, keyword)))
    if not target.IssuerOfPatientID:
        del target.IssuerOfPatientID
    for keyword in _TYPE_2:
        _write(target, keyword, _valid(header, keyword))
    for keyword in _TYPE_3:
        usable = _valid(header, keyword)
        if usable:
            _write(target, keyword, usable)
    _copy_deidentification(header, target)


def forget_identity(dataset: Dataset) -> None:
    """Take out everything that ``copy_identity`` writes."""
    for keyword in (*VERBATIM, *_TYPE_2, *_TYPE_3, *_DEIDENTIFICATION):
        if keyword in dataset:
            del dataset[keyword]


def _copy_deidentification(header: Dataset, target: Dataset) -> None:
    """What the original says about its own de-identification, if it says how (PS3.3 C.7.1.1)."""
    removed = _valid(header, "PatientIdentityRemoved")
    method = _valid(header, "DeidentificationMethod")
    methods = [
        item
        for item in read.items(header, "DeidentificationMethodCodeSequence")
        if all(read.text(item, keyword) for keyword in _CODE)
    ]
    if removed != "YES" or not (method or methods):
        return
    target.PatientIdentityRemoved = removed
    if method:
        _write(target, "DeidentificationMethod", method)
    if methods:
        target.DeidentificationMethodCodeSequence = [_code_item(item) for item in methods]


def _code_item(item: Dataset) -> Dataset:
    copy = Dataset()
    for keyword in _CODE:
        _write(copy, keyword, _clean(read.text(item, keyword)))
    return copy


def _valid(header: Dataset, keyword: str) -> str:
    text = _clean(read.text(header, keyword))
    allowed = _ENUMERATED.get(keyword)
    if allowed is not None:
        return text.upper() if text.upper() in allowed else ""
    if "\\" in text or (keyword == "TimezoneOffsetFromUTC" and not _OFFSET.fullmatch(text)):
        return ""
    try:
        validate_value(dictionary_VR(keyword), text, config.RAISE)
    except read.UNREADABLE:
        read.LOGGER.warning("%s of the original is invalid and isn't carried over", keyword)
        return ""
    return text


def _clean(text: str) -> str:
    """Without control characters, which no text VR of one line may hold (PS3.5 section 6.2)."""
    return "".join(mark for mark in text if unicodedata.category(mark) != "Cc").strip()


def _write(target: Dataset, keyword: str, text: str) -> None:
    # Verbatim values may break their VR; the check on assignment would refuse them.
    tag = Tag(keyword)
    target[tag] = DataElement(tag, dictionary_VR(keyword), text, validation_mode=config.IGNORE)
