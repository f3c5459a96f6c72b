# SPDX-License-Identifier: Apache-2.0
"""Coded entries (PS3.3 section 8.8): the code stays, its words only where they are the standard's.

Code Meaning is a free text that users fill in, and a code of a local scheme is whatever a hospital
made it. So a meaning stays when it consists of listed words, the site's own among them, is else
replaced by that of PS3.16, and else by the code itself; a local code becomes a pseudonym, so that
equal ones stay equal.
"""

from __future__ import annotations

import re
from functools import cache
from typing import cast

from deid.context import HeaderContext
from deid.descriptions import cleaned, is_fully_listed
from deid.parsing import RawDataSet

CODE_VALUE, LONG_CODE_VALUE, URN_CODE_VALUE = 0x00080100, 0x00080119, 0x00080120
SCHEME, MEANING, SCHEME_VERSION = 0x00080102, 0x00080104, 0x00080103
CODE_TAGS = frozenset({CODE_VALUE, LONG_CODE_VALUE, URN_CODE_VALUE, SCHEME, MEANING})
LOCAL_SCHEME = "99LOCAL"

_ICD_9 = r"[EV]?\d{2,4}(?:\.\d{1,2})?"
_ICD_10 = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"
# Terms of the Unified Code for Units of Measure: no word of one's own, of annotations those that
# say what is counted. Perfusion is written as "ml/100ml/s" and renal function as "ml/min/1.73m2".
_ATOM = (
    r"(?:da|[YZEPTGMkhdcmunpfazy])?(?:m|g|s|L|l|t|rad|sr|A|K|cd|mol|Hz|N|Pa|J|W|C|F|Ohm|S|Wb|V|T|H"
    r"|lm|lx|Bq|Gy|Sv|eV|B|By|bit|Bd|u|U|kat|cal|bar|eq|osm|Ci|P|R|RAD|REM|dyn|erg)"
    r"|min|h|d|wk|mo|a|deg|Cel|HU|mAs|kVp|px|ratio|mmHg|m\[Hg\]|mm\[Hg\]|cm\[H2O\]"
    r"|\[(?:hnsf'U|arb'U|ppm|ppb|ppth|pH|in_i|ft_i|lb_av|oz_av|iU|IU|degF|diop|p'diop)\]"
)
_NOTE = (
    r"\{(?:1|HA|H\.B\.|HU|RLU|SUV|SUVb[sw]a?|SUVibw|SUVlbm|CTDIw|beats?|breaths?|counts?|cells?|events?"
    r"|frames?|images?|pixels?|ppb|ppm|propcounts|ratio|scores?|slices?|voxels?|Agatston)\}"
)
_FACTOR = r"(?:1|10{1,3}|1\.73|24|60)"
_POWER = r"10[*^]?-?\d{1,2}"
_UNIT = (
    rf"\(?(?:{_NOTE}|(?:{_NOTE})?(?:(?:{_POWER}|{_FACTOR})?(?:{_ATOM})[+-]?\d?|{_POWER}|{_FACTOR}|%|''?)"
    rf"(?:{_NOTE})?)\)?"
)
# PS3.16 section 8: Coding Scheme Designators, and what their codes look like.
_FORMATS = {
    "DCM": r"\d{4,6}",
    "SCT": r"\d{6,18}",
    "SRT": r"[A-Z]-[0-9A-F]{3,6}",
    "SNM3": r"[A-Z]-[0-9A-F]{3,6}",
    "99SDM": r"[A-Z]-[0-9A-F]{3,6}",
    "LN": r"[A-Z]{0,2}\d{1,7}-\d",
    "UCUM": rf"(?=.{{1,16}}$)/?{_UNIT}(?:[./*]{_UNIT})*",
    "RADLEX": r"RID\d{1,6}",
    "FMA": r"\d{1,7}",
    "UMLS": r"C\d{7}",
    "NCIt": r"C\d{1,7}",
    "MDC": r"(?:\d{1,3}:)?\d{1,7}",
    "IBSI": r"[A-Z0-9]{4}",
    "ACR": r"\d{1,4}(?:\.\d{1,4})?",
    "C4": r"\d{4,5}[A-Z]?",
    "C5": r"\d{4,5}[A-Z]?",
    "I9": _ICD_9,
    "I9C": _ICD_9,
    "ICD9": _ICD_9,
    "I10": _ICD_10,
    "I10C": _ICD_10,
    "I10P": r"[0-9A-HJ-NP-Z]{7}",
    "ICD10": _ICD_10,
    "ICDO3": r"[A-Z]?\d{2,4}(?:[./]\d)?",
    "IETF4646": r"[a-z]{2,3}(?:-[A-Z]{2})?",
    "ISO3166_1": r"[A-Z]{2,3}",
    "ISO639_1": r"[a-z]{2}",
    "ISO639_2": r"[a-z]{3}",
    "ITIS_TSN": r"\d{1,7}",
    "MSH": r"[CD]\d{6,9}",
    "NDC": r"\d{4,5}-\d{3,4}-\d{1,2}",
    "NEU": r"\d{1,5}",
    "PUBCHEM_CID": r"\d{1,9}",
    "RADELEMENT": r"RDES?\d{1,6}(?:\.\d{1,2})?",
    "RFC3066": r"[a-z]{2,3}(?:-[A-Z]{2})?",
    "RFC5646": r"[a-z]{2,3}(?:-[A-Z]{2})?",
    "RXNORM": r"\d{1,8}",
    # Section, table or byte, and value of EN 1064, such as "5.6.3-9-1", Lead I.
    "SCPECG": r"\d{1,2}(?:\.\d{1,2}){0,3}(?:-\d{1,3}){0,4}",
    "UBERON": r"\d{7}",
}


def clean_code(item: RawDataSet, context: HeaderContext) -> dict[int, bytes]:
    """What to write for the code, scheme and meaning of an item.

    Parameters
    ----------
    item:
        An item of a code sequence, raw.
    context:
        The instance's circumstances.

    Returns
    -------
    dict of int to bytes
        Values by tag, for the tags of ``CODE_TAGS`` that the item has.
    """
    scheme = item.text(SCHEME)
    value = item.text(CODE_VALUE) or item.text(LONG_CODE_VALUE)
    meaning = item.get(MEANING)
    text = context.decode(bytes(meaning.value)) if meaning is not None else ""
    if not value and not text:
        written, words = "", ""
        scheme = scheme if scheme in _FORMATS or scheme == "DCMUID" else LOCAL_SCHEME
    elif scheme == "DCMUID":
        written, words = context.pseudonyms.uid(value), _listed(text, context)
    elif is_standard_code(scheme, value, context):
        written, words = value, _meaning(scheme, value, text, context)
    else:
        written = context.pseudonyms.identifier("code", f"{scheme}\x1e{value or text}")
        scheme, words = LOCAL_SCHEME, _listed(text, context) or "Local code"
    codes = {
        CODE_VALUE: written.encode("ascii"),
        LONG_CODE_VALUE: written.encode("ascii"),
        URN_CODE_VALUE: f"urn:oid:{context.pseudonyms.uid(item.text(URN_CODE_VALUE))}".encode(),
        SCHEME: scheme.encode("ascii"),
        MEANING: context.encode(words) or written.encode("ascii"),
    }
    return codes | {SCHEME_VERSION: b"0"} if scheme == LOCAL_SCHEME else codes


def is_standard_code(scheme: str, value: str, context: HeaderContext) -> bool:
    """Whether a code is one of its scheme (PS3.16 section 8), and no identifier of the header."""
    if (scheme, value) in standard_meanings():
        return True
    if not has_form_of(scheme, value):
        return False
    numbers = (found.encode() for found in re.findall(r"\d{5,}", value, re.ASCII))
    return not (any(map(context.numbers.in_decimals, numbers)) or context.is_named(value))


def has_form_of(scheme: str, value: str) -> bool:
    """Whether a code looks as those of its scheme (a Coding Scheme Designator) do."""
    pattern = _FORMATS.get(scheme)
    return pattern is not None and re.fullmatch(pattern, value, re.ASCII) is not None


def _meaning(scheme: str, value: str, text: str, context: HeaderContext) -> str:
    standard = standard_meanings().get((scheme, value))
    if text == standard or is_fully_listed(text, context.denied_listed, context.site.whitelist):
        return text
    return standard or value


def _listed(text: str, context: HeaderContext) -> str:
    return cleaned(text, context.denied_listed, context.site.whitelist)


@cache
def standard_meanings() -> dict[tuple[str, str], str]:
    """Code Meaning of PS3.16 by scheme and value, as pydicom carries it."""
    from pydicom.sr._concepts_dict import concepts  # noqa: PLC0415 - 0.1 s that most never need
    from pydicom.sr._snomed_dict import mapping  # noqa: PLC0415

    schemes = cast("dict[str, dict[str, dict[str, tuple[str, list[int]]]]]", concepts)
    meanings = {
        (scheme, value): meaning
        for scheme, by_keyword in schemes.items()
        for by_value in by_keyword.values()
        for value, (meaning, _) in by_value.items()
    }
    for old, new in mapping["SRT"].items():
        if ("SCT", new) in meanings:
            meanings["SRT", old] = meanings["SCT", new]
    return meanings
