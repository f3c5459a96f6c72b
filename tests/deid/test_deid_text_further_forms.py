# SPDX-License-Identifier: Apache-2.0
"""Days, ages, numbers and initials in forms that letters, tables and lists have."""

from __future__ import annotations

import pytest

from deid.text import KnownTerms, Lexicon, TextDeidentifier

LEXICON = Lexicon()


def cleaned(text: str) -> str:
    made = TextDeidentifier(KnownTerms.of([]), lexicon=LEXICON).clean_all({"text": text})
    return made["text"].text


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("CPT 72148 approved 5/1/24-6/30/24.", ("5/1", "6/30")),
        ("off work 12/2/2023–14/2/2023, back now", ("12/2", "14/2")),
        ("opname van 17-04 tot 21-04-2024", ("17-04", "21-04")),
        ("She turned 91 in spring and lives alone.", ("91",)),
        ("He will be 93 next week, mother is 94.", ("93", "94")),
        ("a ninety-three years old man", ("ninety-three",)),
        ("Her 101st birthday", ("101",)),
        ("Registrar bleeped (2060), paged 44113 as well.", ("2060", "44113")),
        ("ring theatre or page 3318", ("3318",)),
        ("dictated / typed KR 05.02.24", ("KR",)),
        ("TRANSCRIBED: 2024-03-20 mb\nCT THORAX.", ("mb",)),
        ("Follow up 12 months. AB/lt", ("AB", "lt")),
        ("Call back if worse.\nPrecious L., RN", ("Precious", " L.")),
        ("MA. CRISTINA DIMACULANGAN, MD", ("MA.", "CRISTINA")),
        ('2024-03-19,0091177,"CT"', ("0091177",)),
        (
            "hx of breast ca, ref Claudelle Macmillon, Fredriksen University Hospital",
            ("Claudelle",),
        ),
        ("Lives alone at 14 Quarry Bank, Oldham", ("14", "Quarry")),
        ("Widowed, 96, sister visits", ("96",)),
        ("SUVA-Nr. 14.20877.24.6 liegt vor", ("14.20877", "24.6")),
    ],
)
def test_what_tells_goes(text: str, gone: tuple[str, ...]) -> None:
    made = cleaned(text)
    assert not [one for one in gone if one in made], made


@pytest.mark.parametrize(
    "text",
    [
        "she is 94% on air, he is 96 bpm, patient is 98.6 now",
        "turning 90 degrees, rotated 94 degrees",
        "see page 3 of 12",
        "to 20 Gray, at 3 Tesla, from 5 French",
        "ratio 1.12345 and 12,3456 mm",
        "power 4/5 left, 3/5 right",
    ],
)
def test_what_measures_stays(text: str) -> None:
    assert cleaned(text) == text
