# SPDX-License-Identifier: AGPL-3.0-or-later
"""Contrast/Bolus Agent is free text: a negation names no agent, and a name stays one."""

from __future__ import annotations

import pytest

from plugin.routing.contrast import names_agent


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "NONE", "no", "N", "N/A", "-", "W/O", "w/o contrast", "W/OUT IV CONTRAST", "WO",
        "NO CONTRAST", "NO IV CONTRAST", "No I.V. contrast", "Non-contrast", "NONCONTRAST",
        "NON CONTRAST", "None given", "none used", "without contrast", "WITHOUT_CONTRAST",
        "Contrast: none", "Contrast not given", "not administered", "No oral or IV contrast",
        "NO GADOLINIUM", "Unenhanced", "pre contrast", "No contrast media",
        "NO CONTRAST AGENT WAS GIVEN", "IV contrast: none",
        "ohne KM", "o. KM", "ohne Kontrastmittel", "kein KM", "nativ", "KM: nein", "KM-",
        "sans", "sans injection", "SANS PDC", "sans produit de contraste", "pas d'injection",
        "senza", "senza mdc", "senza m.d.c.", "SENZA MEZZO DI CONTRASTO", "sin contraste", "S/C",
        "Sin contraste IV", "sem contraste", "n\u00e3o", "zonder contrast", "geen contrastmiddel",
        "bez kontrastu", "bez KL", "bez kontrasta", "brez kontrasta", "utan kontrast",
        "uden kontrast", "uten kontrast", "ingen kontrast", "C-",
        "БЕЗ КОНТРАСТА",
    ],
)  # fmt: skip
def test_a_text_that_negates_names_no_agent(text: str) -> None:
    assert not names_agent(text)


@pytest.mark.parametrize(
    "text",
    [
        "Omnipaque 350", "OMNIPAQUE", "Gadovist", "GADAVIST 7.5 ML", "NOVOSEVEN", "Iopamiro",
        "Iopamiro 370", "Nonionic contrast", "NON-IONIC CONTRAST 100 ML", "non ionic",
        "Ultravist 300",
        "Isovue", "Visipaque", "Iomeron", "Imeron 400", "Xenetix", "Dotarem", "Clariscan",
        "MultiHance", "Primovist", "Eovist", "ProHance", "Magnevist", "Ablavar", "Feraheme",
        "Natrium", "IV", "ORAL", "IV & ORAL", "APPLIED", "CONTRAST", "KM", "mit KM",
        "avec injection", "IV contrast, no oral contrast", "IV without oral", "no oral contrast",
        "con contraste", "con mdc", "C+", "YES", "Y", "Gadolinium", "WITH AND WITHOUT CONTRAST",
        "without and with IV contrast", "NO ORAL; OMNIPAQUE 350 IV", "no oral, with IV", "NaCl",
        "Niopam", "Sinografin", "Nonorate", "BARIUM", "100 cc", "Unknown", "SONOVUE", "Bezafibrat",
    ],
)  # fmt: skip
def test_a_name_and_a_word_for_given_stay_an_agent(text: str) -> None:
    assert names_agent(text)
