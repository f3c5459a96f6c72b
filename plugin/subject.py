# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a scan is of a person: no model and no application is made for animals and phantoms.

Species stands in the Patient Module (PS3.3 C.7.1.1), Quality Control Subject (0010,0200) in the
Clinical Trial and Patient Study modules, Quality Control Image (0028,0300) in General Image (PS3.3
C.7.6.1). Whoever leaves them out, or empty, means a person: devices of hospitals do. So does who
writes what nobody here knows: a patient whom no model sees is worse than a dog that one sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from plugin.species_words import (
    ANIMAL_CODES,
    ANIMALS,
    HUMAN,
    HUMAN_CODES,
    SNOMED,
    SNOMED_CODE,
    UNSAID,
    words_of,
)

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

ANIMAL = "an animal, by Patient Species"
PHANTOM = "quality control, by Quality Control Image or Quality Control Subject"
NO_PATIENTS = (ANIMAL, PHANTOM)
"""What else a scan may be of, in words without any value of the header."""

# BOTH: a patient beside whom a phantom lies.
_ONLY_QUALITY_CONTROL = "YES"


def of_no_patient(header: Mapping[str, Any] | Dataset) -> str:
    """What a scan is of, one of ``NO_PATIENTS``; empty where it is of a patient.

    Args:
        header: that pydicom has read, or tags by keyword, sequences as lists of the same (Orthanc's
            ``simplified-tags``).
    """
    if _is_of_an_animal(header):
        return ANIMAL
    flags = (_text(header, name) for name in ("QualityControlImage", "QualityControlSubject"))
    return PHANTOM if _ONLY_QUALITY_CONTROL in {flag.upper() for flag in flags} else ""


def _is_of_an_animal(header: Mapping[str, Any] | Dataset) -> bool:
    """By the codes; where they tell no species, by the description."""
    said = {_told_by(code) for code in _items(header, "PatientSpeciesCodeSequence")} - {None}
    if said:
        return False not in said
    return _is_animal(_words(header, "PatientSpeciesDescription")) is True


def _told_by(code: Mapping[str, Any] | Dataset) -> bool | None:
    """Whether a code is of an animal; None where it is of no species."""
    value, meaning = _text(code, "CodeValue").upper(), _words(code, "CodeMeaning")
    scheme = _text(code, "CodingSchemeDesignator").upper()
    if value in HUMAN_CODES:
        return False
    told = _is_animal(meaning)
    if told is not None or scheme not in SNOMED or not SNOMED_CODE.fullmatch(value):
        return told
    if value in ANIMAL_CODES:
        return True
    # De-identification writes the value where it can't keep the meaning.
    unsaid = not meaning or meaning == words_of(value) or _names(meaning, UNSAID)
    return None if unsaid else True


def _is_animal(words: str) -> bool | None:
    """Whether words name an animal; None where they name nobody that is known."""
    if _names(words, HUMAN):
        return False
    return True if _names(words, ANIMALS) else None


def _names(words: str, listed: frozenset[str]) -> bool:
    return any(f" {one} " in f" {words} " for one in listed)


def _words(header: Mapping[str, Any] | Dataset, keyword: str) -> str:
    return words_of(_text(header, keyword))


def _text(header: Mapping[str, Any] | Dataset, keyword: str) -> str:
    value = _value(header, keyword)
    return value.strip(" \0") if isinstance(value, str) else ""


def _items(header: Mapping[str, Any] | Dataset, keyword: str) -> list[Any]:
    value = _value(header, keyword)
    many = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    return [one for one in value if hasattr(one, "get")] if many else []


def _value(header: Mapping[str, Any] | Dataset, keyword: str) -> Any:
    try:
        return header.get(keyword)
    except (ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError):
        return None  # pydicom can't read it: as if it were absent, as everywhere else
