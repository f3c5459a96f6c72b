# SPDX-License-Identifier: AGPL-3.0-or-later
"""Contrast/Bolus Agent (0018,0010), PS3.3 C.7.6.4: free text, also where no agent was given.

Devices write "NO IV CONTRAST", "ohne KM" or "sans injection" there. A text says that there was no
agent only where each of its words negates or is about contrast in general: "non-ionic", "with and
without" and every name of an agent have other words.
"""

from __future__ import annotations

import re
import unicodedata

_WHOLE = frozenset(
    ("", "N", "NA", "N/A", "0", "-", "--", ".", "C-", "KM-", "-KM", "IV-", "O KM", "S/C")
)
"""Texts that mean none as a whole; their words alone could mean anything."""

_WITHOUT = re.compile(r"\bW/O(UT)?\b|\bO\. ?(?=KM\b)")
_DOTTED = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_EITHER_WAY = re.compile(r"\bIV (OR|AND|&) ORAL\b|\bORAL (OR|AND|&) IV\b")
"""Of ``no oral contrast`` alone nobody knows what went into the veins."""
_WORD = re.compile(r"[^\W_]+")

_NEGATION_WORDS = """
NO NON NONE NOT NIL NEG NEGATIVE WITHOUT WO UNENHANCED PLAIN NONCONTRAST NONENHANCED NONCON
UNCONTRASTED PRECONTRAST PRE OHNE KEIN KEINE KEINEN KEINES NEIN NICHT NATIV NATIVE NATIVA NATIVO
NATIF NATIEF NATYWNE NATYWNY NATIVNI NATIVNE NATIVNO NATIVT SANS PAS AUCUN AUCUNE SENZA NESSUN
NESSUNO SIN NINGUNO NINGUN SEM NENHUM NAO ZONDER GEEN NEE BEZ BREZ NIE BRAK UTAN UDEN UTEN INGEN
INGET NEJ NEI ILMAN EI NATIIVI NELKUL NEM FARA NU KONTRASTSIZ YOK ΧΩΡΙΣ ΟΧΙ БЕЗ НЕТ НАТИВНО
"""
_GENERAL_WORDS = """
CONTRAST CONTRASTE CONTRASTO CONTRASTED KONTRAST KONTRASTU KONTRASTA KONTRASTI KONTRASTMITTEL
KONTRASTMITTELGABE KONTRASTMIDDEL KONTRASTMEDEL KONTRASTNI KONTRASTNE LATKY LATKA KONTRASTNOG
SREDSTVA KONTRASTNEGA CONTRASTMIDDEL CONTRASTMEDIUM CONTRASTMIDDELEN KONTRASTANYAG VARJOAINE
VARJOAINETTA ΣΚΙΑΓΡΑΦΙΚΟ КОНТРАСТ КОНТРАСТА КОНТРАСТИРОВАНИЯ KM KL PDC MDC MEZZO MEZZI DI D L
PRODUIT PRODUITS DE MEDIO MEIO AGENT AGENTS AGENTE MEDIA MEDIUM DYE BOLUS IV EV INTRAVENOUS
INTRAVENOSO ENDOVENOSO WAS GIVEN USED APPLIED ADMINISTERED INJECTED INJECTION INJECTE GEGEBEN GABE
ENHANCED ENHANCEMENT GADOLINIUM GADOLINIO GD GADO IODINE IODINATED ANY THE
"""
_NEGATIONS = frozenset(_NEGATION_WORDS.split())
_KNOWN = _NEGATIONS | frozenset(_GENERAL_WORDS.split())


def names_agent(text: str) -> bool:
    """Whether a text names a contrast agent, or says that one was given."""
    plain = _plain(text)
    if plain in _WHOLE:
        return False
    words = _WORD.findall(_EITHER_WAY.sub("IV", _WITHOUT.sub(" WITHOUT ", plain)))
    negated = any(word in _NEGATIONS for word in words)
    return not negated or any(word not in _KNOWN for word in words)


def _plain(text: str) -> str:
    """In capitals, without accents and dots of abbreviations, one blank between words."""
    parts = unicodedata.normalize("NFKD", text.upper())
    letters = "".join(one for one in parts if not unicodedata.combining(one))
    return " ".join(_DOTTED.sub(lambda found: found[0].replace(".", ""), letters).split())
