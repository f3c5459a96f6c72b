# SPDX-License-Identifier: Apache-2.0
"""The options of the Basic Application Level Confidentiality Profile (PS3.15 Table E.1-1)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from deid.errors import OptionConflictError

BASIC_PROFILE_CODE = "113100"
"""DCM code of the profile itself (PS3.16 CID 7050)."""

BASIC_PROFILE_MEANING = "Basic Application Confidentiality Profile"


class Option(StrEnum):
    """One option; its value is its DCM code of PS3.16 CID 7050."""

    CLEAN_GRAPHICS = "113103"
    CLEAN_STRUCTURED_CONTENT = "113104"
    CLEAN_DESCRIPTORS = "113105"
    FULL_DATES = "113106"
    MODIFIED_DATES = "113107"
    PATIENT_CHARACTERISTICS = "113108"
    DEVICE = "113109"
    RETAIN_UIDS = "113110"
    SAFE_PRIVATE = "113111"
    INSTITUTION = "113112"

    @property
    def meaning(self) -> str:
        """Code Meaning as PS3.16 has it."""
        return _MEANINGS[self]


_MEANINGS = {
    Option.CLEAN_GRAPHICS: "Clean Graphics Option",
    Option.CLEAN_STRUCTURED_CONTENT: "Clean Structured Content Option",
    Option.CLEAN_DESCRIPTORS: "Clean Descriptors Option",
    Option.FULL_DATES: "Retain Longitudinal Temporal Information Full Dates Option",
    Option.MODIFIED_DATES: "Retain Longitudinal Temporal Information Modified Dates Option",
    Option.PATIENT_CHARACTERISTICS: "Retain Patient Characteristics Option",
    Option.DEVICE: "Retain Device Identity Option",
    Option.RETAIN_UIDS: "Retain UIDs Option",
    Option.SAFE_PRIVATE: "Retain Safe Private Option",
    Option.INSTITUTION: "Retain Institution Identity Option",
}


def checked(options: Iterable[Option]) -> frozenset[Option]:
    """Return the options as a set.

    Raises
    ------
    OptionConflictError
        If full and modified dates are asked for at once.
    """
    chosen = frozenset(Option(option) for option in options)
    if {Option.FULL_DATES, Option.MODIFIED_DATES} <= chosen:
        raise OptionConflictError(
            "FULL_DATES and MODIFIED_DATES exclude each other: choose one of them"
        )
    return chosen
