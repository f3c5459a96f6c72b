# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a scan is of a person: no model and no application is made for animals and phantoms.

Species stands in the Patient Module (PS3.3 C.7.1.1), Quality Control Subject (0010,0200) in the
Clinical Trial and Patient Study modules, Quality Control Image (0028,0300) in General Image (PS3.3
C.7.6.1). Whoever leaves them out, or empty, means a person: devices of hospitals do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

ANIMAL = "an animal, by Patient Species"
PHANTOM = "quality control, by Quality Control Image or Quality Control Subject"
NO_PATIENTS = (ANIMAL, PHANTOM)
"""What else a scan may be of, in words without any value of the header."""

_HUMAN = frozenset((("337915000", "SCT"), ("L-85B00", "SRT"), ("L-85B00", "SNM3")))
"""Homo sapiens, PS3.16 CID 7454, and as it was written before SNOMED CT; value and scheme."""
_HUMAN_WORDS = frozenset(
    (
        "homo sapiens", "homo sapiens sapiens", "human", "humans", "human being", "man", "mens",
        "mensch", "humain", "être humain", "humano", "humana", "ser humano", "umano",
        "essere umano",
        "människa", "menneske", "ihminen", "człowiek", "člověk", "человек", "ヒト", "人",
    )
)  # fmt: skip
# What stands where nobody said anything, and what de-identification leaves of a word.
_UNSAID = frozenset(("", "-", "n/a", "na", "none", "unknown", "unspecified", "removed"))
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
    """By the code; where there is none, by the description."""
    codes = [one for one in _items(header, "PatientSpeciesCodeSequence") if _text(one, "CodeValue")]
    if codes:
        return not any(_is_human(code) for code in codes)
    return _folded(_text(header, "PatientSpeciesDescription")) not in _HUMAN_WORDS | _UNSAID


def _is_human(code: Mapping[str, Any] | Dataset) -> bool:
    named = (_text(code, "CodeValue"), _text(code, "CodingSchemeDesignator"))
    meaning = _folded(_text(code, "CodeMeaning").removesuffix("(organism)"))
    return named in _HUMAN or meaning in _HUMAN_WORDS


def _folded(value: str) -> str:
    return " ".join(value.casefold().split())


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
