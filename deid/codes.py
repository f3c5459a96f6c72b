# SPDX-License-Identifier: Apache-2.0
"""Coded entries (PS3.3 section 8.8): the code stays, its words only where they are the standard's.

Code Meaning is a free text that users fill in, and a code of a local scheme is whatever a hospital
made it. So a meaning stays when it consists of listed words, is else replaced by that of PS3.16,
and else by the code itself; a local code becomes a pseudonym, so that equal ones stay equal.
"""

from __future__ import annotations

import re
from functools import cache
from typing import cast

from pydicom.dataset import Dataset

from deid.context import HeaderContext
from deid.identifiers import raw_element, raw_value, text_of
from deid.vocabulary import cleaned, folded, is_fully_listed, words_of

CODE_VALUE, LONG_CODE_VALUE, URN_CODE_VALUE = 0x00080100, 0x00080119, 0x00080120
SCHEME, MEANING = 0x00080102, 0x00080104
CODE_TAGS = frozenset({CODE_VALUE, LONG_CODE_VALUE, URN_CODE_VALUE, SCHEME, MEANING})
LOCAL_SCHEME = "99LOCAL"

_GENERIC = r"[A-Za-z0-9.\-]{1,16}"
# PS3.16 section 8: Coding Scheme Designators, and what their codes look like.
_FORMATS = {
    "DCM": r"\d{4,6}",
    "SCT": r"\d{6,18}",
    "SRT": r"[A-Z]-[0-9A-F]{3,6}",
    "SNM3": r"[A-Z]-[0-9A-F]{3,6}",
    "99SDM": r"[A-Z]-[0-9A-F]{3,6}",
    "LN": r"[A-Z]{0,2}\d{1,7}-\d",
    "UCUM": r"[A-Za-z0-9%/.*\[\]()'\-^]{1,16}",
    "RADLEX": r"RID\d{1,6}",
    "FMA": r"\d{1,7}",
    "UMLS": r"C\d{7}",
    "NCIt": r"C\d{1,7}",
    "MDC": r"\d{1,7}",
    "IBSI": r"[A-Z0-9]{4}",
} | dict.fromkeys(
    (
        "ACR", "BARI", "BI", "C4", "C5", "CD2", "DC", "I9", "I9C", "I10", "I10C", "I10P", "I11",
        "ICD9", "ICD10", "ICDO3", "IETF4646", "ISO3166_1", "ISO639_1", "ISO639_2", "ITIS_TSN",
        "MSH", "NDC", "NEU", "NICIP", "PATHLEX", "PUBCHEM_CID", "RADELEMENT", "RFC3066", "RFC5646",
        "RXNORM", "SCPECG", "UBERON",
    ),
    _GENERIC,
)  # fmt: skip


def clean_code(item: Dataset, context: HeaderContext) -> dict[int, bytes]:
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
    scheme = text_of(item, SCHEME)
    value = text_of(item, CODE_VALUE) or text_of(item, LONG_CODE_VALUE)
    meaning = raw_element(item, MEANING)
    text = context.decode(raw_value(meaning) or b"") if meaning is not None else ""
    if not value and not text:
        written, words = "", ""
        scheme = scheme if scheme in _FORMATS or scheme == "DCMUID" else LOCAL_SCHEME
    elif scheme == "DCMUID":
        written, words = context.pseudonyms.uid(value), cleaned(text, context.denied)
    elif _is_standard(scheme, value, context):
        written, words = value, _meaning(scheme, value, text, context)
    else:
        written = context.pseudonyms.identifier("code", f"{scheme}\x1e{value or text}")
        scheme, words = LOCAL_SCHEME, cleaned(text, context.denied) or "Local code"
    return {
        CODE_VALUE: written.encode("ascii"),
        LONG_CODE_VALUE: written.encode("ascii"),
        URN_CODE_VALUE: f"urn:oid:{context.pseudonyms.uid(text_of(item, URN_CODE_VALUE))}".encode(),
        SCHEME: scheme.encode("ascii"),
        MEANING: context.encode(words) or written.encode("ascii"),
    }


def _is_standard(scheme: str, value: str, context: HeaderContext) -> bool:
    if (scheme, value) in standard_meanings():
        return True
    pattern = _FORMATS.get(scheme)
    if pattern is None or re.fullmatch(pattern, value, re.ASCII) is None:
        return False
    return context.denied.isdisjoint(map(folded, words_of(value)))


def _meaning(scheme: str, value: str, text: str, context: HeaderContext) -> str:
    standard = standard_meanings().get((scheme, value))
    if text == standard or is_fully_listed(text, context.denied):
        return text
    return standard or value


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
