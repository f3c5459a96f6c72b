# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether two studies with the same Patient ID can be of one person.

Orthanc makes one patient of all studies with the same Patient ID, and keeps of that patient what
the first image said. So an image of each study itself is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol

from plugin.archive import NotFoundError

_MOST_IMAGES = 3
"""Of a study, where the first ones were deleted meanwhile."""


class HeaderShelf(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``."""

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword, without pixel data."""


@dataclass(frozen=True, repr=False)
class Person:
    """Whom a study says it shows, as far as two numbers of one hospital need to be told apart.

    Attributes:
        issuer: Issuer of Patient ID (0010,0021): Patient IDs of two issuers name two persons.
        authority: Universal Entity ID (0040,0032) of the issuer, of its qualifiers (0010,0024).
        birth_date: Patient's Birth Date (0010,0030), digits alone.
        sex: Patient's Sex (0010,0040).
    """

    issuer: str = ""
    authority: str = ""
    birth_date: str = ""
    sex: str = ""

    @classmethod
    def of(cls, tags: Mapping[str, Any]) -> Person:
        """By the tags of an image, as Orthanc simplifies them."""
        items = tags.get("IssuerOfPatientIDQualifiersSequence")
        # Text, where a device gave it another VR than SQ.
        first = items[0] if isinstance(items, list) and items else {}
        qualifiers = first if isinstance(first, Mapping) else {}
        return cls(
            issuer=_text(tags, "IssuerOfPatientID"),
            authority=_text(qualifiers, "UniversalEntityID"),
            birth_date="".join(filter(str.isdigit, _text(tags, "PatientBirthDate"))),
            sex=_text(tags, "PatientSex").upper(),
        )

    def can_be(self, other: Person) -> bool:
        """Whether nothing that both studies say differs.

        One value that differs is enough: another person's images in a set do more harm than a
        prior that is missing because the demographics of one study were corrected.
        """
        pairs = zip(astuple(self), astuple(other), strict=True)
        return all(one == another for one, another in pairs if one and another)


def person_of(shelf: HeaderShelf, images: Sequence[str]) -> Person | None:
    """Whom a study shows, by one of these images of it; None where all of them are gone."""
    for image in images[:_MOST_IMAGES]:
        try:
            return Person.of(shelf.simplified_tags(image))
        except NotFoundError:
            continue
    return None


def _text(tags: Mapping[str, Any], keyword: str) -> str:
    value = tags.get(keyword)
    return value.strip() if isinstance(value, str) else ""
