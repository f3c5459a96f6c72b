# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code that is written is the standard's, with the standard's meaning."""

from __future__ import annotations

import pytest
from pydicom.sr import _concepts_dict
from pydicom.sr.coding import Code

from inference.contract import Outcome
from plugin.results import codes

KNOWN_ELSEWHERE = {
    ("C0034375", "UMLS"),  # PS3.16 TID 1500 row 12; no context group lists it
    ("260753009", "SCT"),  # PS3.16 TID 320 and 1600; pydicom has it as "Source (attribute)"
}


def dictionary() -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for scheme, entries in _concepts_dict.concepts.items():
        for entry in entries.values():
            for value, (meaning, _) in entry.items():
                found.setdefault((value, scheme), set()).add(meaning)
    return found


def written() -> list[Code]:
    constants = [value for value in vars(codes).values() if isinstance(value, Code)]
    outcomes = [code for one in Outcome for code in (codes.summary(one), codes.analyses(one))]
    modalities = [codes.modality_concept(name) for name in ("DX", "CT", "MR", "US", "XY", "")]
    procedures = [codes.procedure(name) for name in ("DX", "CT", "MR", "NM", "PT", "US")]
    return [*constants, *outcomes, *modalities, *procedures, *codes._SITES.values()]


@pytest.mark.parametrize("code", written(), ids=lambda code: f"{code.value}-{code.meaning}")
def test_every_code_is_in_the_standards_dictionary(code):
    if (code.value, code.scheme_designator) in KNOWN_ELSEWHERE:
        return
    assert code.meaning in MEANINGS[(code.value, code.scheme_designator)]


MEANINGS = dictionary()


def test_an_unknown_modality_is_other():
    assert codes.modality_concept("XY").value == "OT"


def test_every_region_of_the_contract_has_a_site(model):
    from typing import get_args

    from inference.contract import RegionName

    assert set(codes._SITES) == set(get_args(RegionName))


@pytest.mark.parametrize(
    ("modality", "known"), [("DX", True), ("US", True), ("OT", False), ("", False)]
)
def test_only_acquisition_modalities_are_described_in_the_image_library(modality, known):
    assert codes.is_acquisition_modality(modality) is known
