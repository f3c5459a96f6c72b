# SPDX-License-Identifier: Apache-2.0
"""How many patients of a de-identified set share what could be known of them from elsewhere.

A set is k-anonymous if each patient is like at least k - 1 others in all attributes that somebody
could know without it (Sweeney, k-anonymity, IJUFKS 10(5), 2002).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydicom.datadict import tag_for_keyword

from deid.errors import NotDicomError, OptionConflictError
from deid.reading import read
from deid.source_files import SourceFile

QUASI_IDENTIFIERS = ("PatientSex", "PatientAge", "PatientSize", "PatientWeight", "EthnicGroup")
"""What others may know of a patient (PS3.3 sections C.7.1.1 and C.7.2.2)."""

_PATIENT_ID = 0x00100020


class AnonymityReport(NamedTuple):
    """How far patients are alike.

    Attributes
    ----------
    patients:
        How many there are.
    attributes:
        Keywords of the attributes compared.
    k:
        The patients of the smallest class; 0 where there are no patients.
    classes:
        How many classes there are of each size.
    rare:
        Pseudonyms of the patients whose class is smaller than was asked for.
    alone:
        By attribute, how many patients are the only ones with their values of it.
    """

    patients: int
    attributes: tuple[str, ...]
    k: int
    classes: dict[int, int]
    rare: tuple[str, ...]
    alone: dict[str, int]


def anonymity(
    files: Iterable[SourceFile], wanted: int, attributes: Sequence[str] = QUASI_IDENTIFIERS
) -> AnonymityReport:
    """Compare the patients of de-identified files.

    A patient is what all files of one Patient ID say: of an attribute, the set of its values. So
    one who was there at 45 and at 46 is like those only who were there at both ages.

    Parameters
    ----------
    files:
        De-identified files; others are passed over.
    wanted:
        The class size from which on a patient is not rare.
    attributes:
        Keywords of what others may know.

    Raises
    ------
    OptionConflictError
        If an attribute has no such keyword in DICOM.
    DeidentificationError
        If a DICOM file can't be read.
    """
    tags = [_tag(keyword) for keyword in attributes]
    patients: dict[str, list[set[str]]] = defaultdict(lambda: [set() for _ in tags])
    for file in files:
        try:
            header = read(file.read(), pixels=False).header
        except NotDicomError:
            continue
        told = patients[header.text(_PATIENT_ID)]
        for values, tag in zip(told, tags, strict=True):
            values.add(_value(header.text(tag)))
    seen = {name: tuple(frozenset(v) for v in values) for name, values in patients.items()}
    return _report(seen, wanted, tuple(attributes))


def _report(
    seen: dict[str, tuple[frozenset[str], ...]], wanted: int, attributes: tuple[str, ...]
) -> AnonymityReport:
    sizes = Counter(seen.values())
    alone = {}
    for at, keyword in enumerate(attributes):
        counted = Counter(values[at] for values in seen.values())
        alone[keyword] = sum(number == 1 for number in counted.values())
    return AnonymityReport(
        patients=len(seen),
        attributes=attributes,
        k=min(sizes.values(), default=0),
        classes=dict(sorted(Counter(sizes.values()).items())),
        rare=tuple(sorted(name for name, values in seen.items() if sizes[values] < wanted)),
        alone=alone,
    )


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise OptionConflictError("an attribute is named by its DICOM keyword, as PatientSex")
    return tag


def _value(text: str) -> str:
    """Two ways to write one number are one value."""
    try:
        return repr(float(text))
    except ValueError:
        return text
