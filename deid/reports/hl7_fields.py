# SPDX-License-Identifier: Apache-2.0
"""What becomes of which field of an HL7 version 2 message (HL7 2.5.1 chapters 2 to 7).

Fields by number, as in the chapters of the standard. What is not listed leaves empty.
"""

from __future__ import annotations

import re

from deid.text import Kind

IDENTIFIERS: dict[str, dict[int, Kind]] = {
    "PID": {
        2: Kind.PATIENT_ID, 3: Kind.PATIENT_ID, 4: Kind.PATIENT_ID, 18: Kind.IDENTIFIER,
        19: Kind.IDENTIFIER, 20: Kind.IDENTIFIER, 13: Kind.PHONE, 14: Kind.PHONE,
    },
    "MRG": {1: Kind.PATIENT_ID, 2: Kind.PATIENT_ID, 4: Kind.PATIENT_ID},
    "PV1": {5: Kind.IDENTIFIER, 19: Kind.IDENTIFIER, 50: Kind.IDENTIFIER},
    "ORC": {2: Kind.IDENTIFIER, 3: Kind.ACCESSION_NUMBER, 14: Kind.PHONE, 23: Kind.PHONE},
    "OBR": {
        2: Kind.IDENTIFIER, 3: Kind.ACCESSION_NUMBER, 17: Kind.PHONE, 18: Kind.ACCESSION_NUMBER,
    },
    "NK1": {5: Kind.PHONE, 6: Kind.PHONE},
    "IN1": {2: Kind.IDENTIFIER, 36: Kind.IDENTIFIER, 49: Kind.IDENTIFIER},
    "GT1": {2: Kind.IDENTIFIER, 6: Kind.PHONE, 7: Kind.PHONE},
}  # fmt: skip
PERSONS: dict[str, dict[int, Kind]] = {
    "PID": {5: Kind.PATIENT_NAME, 6: Kind.NAME, 9: Kind.PATIENT_NAME},
    "MRG": {7: Kind.PATIENT_NAME},
    "PV1": dict.fromkeys((7, 8, 9, 17, 52), Kind.PHYSICIAN_NAME),
    "ORC": dict.fromkeys((10, 11, 12, 19), Kind.PHYSICIAN_NAME),
    "OBR": dict.fromkeys((10, 16, 28, 32, 33, 34, 35), Kind.PHYSICIAN_NAME),
    "OBX": dict.fromkeys((16, 25), Kind.PHYSICIAN_NAME),
    "ROL": {4: Kind.PHYSICIAN_NAME},
    "NK1": {2: Kind.NAME},
    "IN1": {16: Kind.NAME},
    "GT1": {3: Kind.NAME},
}  # fmt: skip
PLAIN_NAMES = frozenset({("PID", 5), ("PID", 6), ("PID", 9), ("MRG", 7), ("NK1", 2), ("IN1", 16),
                         ("GT1", 3)})  # fmt: skip
"""XPN: a name without an identifier before it, as XCN has (HL7 2.5.1 chapter 2A.88, 2A.87)."""
READERS = frozenset({("OBR", 32), ("OBR", 33), ("OBR", 34), ("OBR", 35)})
"""NDL: a person in sub-components of the first component (chapter 2A.47)."""
ADDRESSES = {"PID": {11}, "NK1": {4}, "IN1": {19}, "GT1": {5}, "ORC": {22, 24}, "OBX": {24}}
INSTITUTIONS = {"ORC": {21}, "OBX": {23}, "PD1": {3}, "IN1": {4}}

_COUNTER, _LETTERS, _TYPE = r"\d{0,4}", r"[A-Z]{0,3}", r"[A-Z0-9_]{0,8}"
KEPT = {
    "MSH": {
        1: r".", 2: r"[^\w\s]{4,5}", 9: rf"{_TYPE}(\W{_TYPE}){{0,2}}", 11: r"[A-Z](\W[A-Z])?",
        12: r"\d[\d.]{0,8}",
    },
    "PID": {1: _COUNTER, 8: r"[A-Z]?"},
    "PV1": {1: _COUNTER, 2: r"[A-Z]?"},
    "ORC": {1: _LETTERS, 5: _LETTERS},
    "OBR": {1: _COUNTER, 24: r"[A-Z]{0,5}", 25: r"[A-Z]?"},
    "OBX": {1: _COUNTER, 2: _LETTERS, 4: r"[\d.]{0,12}", 11: r"[A-Z]?"},
    "NTE": {1: _COUNTER, 2: r"[A-Z]?"},
}  # fmt: skip
"""What may stay of a field, else it leaves empty (appendix A); of other segments nothing does."""

CODED = {"OBR": {4}, "OBX": {3, 6}}
"""Coded entries: a code of a named scheme stays, the words beside it are read as text."""
CODED_TYPES = frozenset({"CE", "CWE", "CNE", "CF"})
TEXT_TYPES = frozenset({"TX", "FT", "ST", "IS", "ID", ""})
NAMED_TYPES = {
    "XPN": Kind.NAME, "PN": Kind.NAME, "XCN": Kind.NAME, "CN": Kind.NAME, "CX": Kind.IDENTIFIER,
    "EI": Kind.IDENTIFIER, "XAD": Kind.ADDRESS, "AD": Kind.ADDRESS, "XTN": Kind.PHONE,
    "TN": Kind.PHONE, "XON": Kind.INSTITUTION,
}  # fmt: skip
"""Types of OBX-5 that identify; all others that no list has leave empty."""
DATE_TYPES = frozenset({"DT", "TS", "DTM"})
EMBEDDED_TYPE = "ED"
_DIGITS = r"[+-]?\d{0,12}(?:\.\d{0,9})?"
NUMBERS = {
    "NM": re.compile(rf" *{_DIGITS} *"),
    "SN": re.compile(rf"[<>=]{{0,2}}(\W{_DIGITS})?(\W[-+/.:]?)?(\W{_DIGITS})?"),
}
DATES = {"MSH": {7}, "OBR": {6, 7, 8, 14, 22}, "OBX": {14, 19}, "ORC": {9}}
TEXTS = {"OBX": {5}, "NTE": {3}, "OBR": {13, 31}}
