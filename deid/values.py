# SPDX-License-Identifier: Apache-2.0
"""How a value that may stay is checked, or made fit to stay, by its Value Representation.

Each function takes a value field and answers with the one to write, or ``None`` when nothing of it
may stay; then the rule's fallback decides between removal, an empty value and a dummy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from deid import dates
from deid.colour_profiles import cleaned_profile
from deid.context import HeaderContext, encodings_of
from deid.vocabulary import is_code_string

Transform = Callable[[bytes, HeaderContext], bytes | None]

_NUMBER = rb" *(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)? *"
_DECIMAL = re.compile(_NUMBER + rb"(?:\\" + _NUMBER + rb")*", re.ASCII)
_UID = re.compile(r"\d{1,64}(?:\.\d{1,64})*", re.ASCII)
# A class has short arcs, an instance has a date, a serial number or a counter in its.
_CLASS_UID = re.compile(r"\d{1,7}(?:\.\d{1,7}){3,13}", re.ASCII)
_LONGEST_NUMBER = 24
_SHORTEST_DENIED = 4
_DATE_DIGITS = 8
_KINDS = {
    "FD": "d", "FL": "f", "SL": "i", "SV": "q", "UL": "I", "UV": "Q", "OD": "d", "OF": "f",
    "OL": "I", "OV": "Q",
}  # fmt: skip
_CODE_VALUE = re.compile(r"[A-Za-z0-9 _/.+\-]{0,16}", re.ASCII)
_UNSAFE_TECHNICAL = re.compile(r"\^|@|://|\d{6}|\d(?:\.\d+){5}|[\x00-\x08\x0e-\x1f\x7f]")
_VERSION_SAFE = re.compile(r"\^|@|://|[\x00-\x08\x0e-\x1f\x7f]")
# Digits as dates and record numbers have them, with what people put between.
_LONG_NUMBER = re.compile(r"\d(?:[-./ ]?\d){4,}", re.ASCII)
_SEPARATORS = re.compile(r"[-./ ]")
_AGE = re.compile(r"(\d{1,3})([DWMYdwmy])", re.ASCII)
_SINGLE_VALUED = frozenset({"LT", "ST", "UT"})
# Characters of a value (PS3.5 section 6.2).
_LONGEST = {"SH": 16, "LO": 64, "ST": 1024, "LT": 10240}
OTHER = "OTHER"
# Of tables and other arrays; numbers are hardly ever all printable, or are all the same.
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]+[\0 ]*")
_WORD = re.compile(rb"[A-Za-z0-9]{4}")
_TEXT_HEAD, _SHORTEST_TEXT, _FEWEST_LETTERS = 64, 6, 3


def verbatim(value: bytes, context: HeaderContext) -> bytes | None:  # noqa: ARG001
    """Keep, whatever it is."""
    return value


def nothing(value: bytes, context: HeaderContext) -> bytes | None:  # noqa: ARG001
    """Keep nothing."""
    return None


def character_set(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep the Specific Character Set if all its terms are defined; text is ASCII otherwise."""
    return value if encodings_of(context.decode(value)) else None


def decimal(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep a DS or IS that consists of numbers, none of which identifies somebody."""
    trimmed = value.rstrip(b" \0")
    if _DECIMAL.fullmatch(trimmed) is None:
        return None
    if len(trimmed) > _LONGEST_NUMBER and max(map(len, trimmed.split(b"\\"))) > _LONGEST_NUMBER:
        return None
    if len(trimmed) >= _SHORTEST_DENIED and context.numbers.in_decimals(trimmed):
        return None
    return trimmed


def binary(vr: str, size: int, most: int | None) -> Transform:
    """Keep numbers of ``size`` bytes, at most ``most`` of them.

    None that spell a text, hold a name of the header, or are one of its record numbers or dates.
    """
    kind = _KINDS.get(vr)

    def check(value: bytes, context: HeaderContext) -> bytes | None:
        fits = len(value) % size == 0 and (most is None or len(value) <= size * most)
        if not fits or is_text(value) or context.names.in_bytes(value):
            return None
        if kind is not None and context.numbers.in_binary(value, kind, context.little_endian):
            return None
        return value

    return check


def samples(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep bytes that stand for samples of a waveform or a pattern, if they spell nothing."""
    return None if is_text(value) or context.names.in_bytes(value) else value


def is_text(value: bytes) -> bool:
    """Whether bytes that should hold numbers hold words: all printable, letters in a row."""
    head = bytes(value[:_TEXT_HEAD])
    return (
        len(head) >= _SHORTEST_TEXT
        and _PRINTABLE.fullmatch(head) is not None
        and _WORD.search(head) is not None
        and len(set(head)) > _FEWEST_LETTERS
        and _PRINTABLE.fullmatch(value) is not None
    )


def code_string(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep a CS made of the words of defined terms; of several values the others become OTHER."""
    return _code_string(context.decode(value))


@lru_cache(maxsize=4096)
def _code_string(value: str) -> bytes | None:
    texts = [text.strip() for text in value.split("\\")]
    kept = [text if is_code(text) else OTHER for text in texts]
    if len(kept) == 1 and kept[0] != texts[0]:
        return None
    return "\\".join(kept).encode("ascii")


def block_status(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep an enumerated value of Block Identifying Information Status (0008,0303)."""
    return value if context.decode(value) in {"SAFE", "UNSAFE", "MIXED"} else None


def body_part(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep the defined terms and listed words of Body Part Examined, which people type too."""
    return code_string(value, context) or _DESCRIBED(value, context)


def is_code(text: str) -> bool:
    """Whether a single Code String may stay."""
    return _CODE_VALUE.fullmatch(text) is not None and is_code_string(text)


def technical(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep a text about equipment or technique unless it looks like more than that."""
    return _technical(value, context, _UNSAFE_TECHNICAL)


def version(value: bytes, context: HeaderContext) -> bytes | None:
    """As ``technical``, with the build dates that Software Versions have."""
    return _technical(value, context, _VERSION_SAFE)


def _technical(value: bytes, context: HeaderContext, unsafe: re.Pattern[str]) -> bytes | None:
    text = context.decode(value)
    if unsafe.search(text) or context.is_named(text):
        return None
    if any(
        context.numbers.in_decimals(_SEPARATORS.sub("", number).encode())
        for number in _LONG_NUMBER.findall(text)
    ):
        return None
    return context.encode(text)


def description(vr: str) -> Transform:
    """Keep the words of a text that are listed and not denied."""
    separator, most = None if vr in _SINGLE_VALUED else "\\", _LONGEST.get(vr)

    def clean(value: bytes, context: HeaderContext) -> bytes | None:
        text = context.decode(value)
        texts = [_fitting(context.cleaned(part), most) for part in _parts(text, separator)]
        return context.encode("\\".join(texts)) if any(texts) else None

    return clean


_DESCRIBED = description("LT")


def _parts(text: str, separator: str | None) -> list[str]:
    return [text] if separator is None else text.split(separator)


def _fitting(text: str, most: int | None) -> str:
    """Whole words of a text that a placeholder made longer than its VR allows."""
    if most is None or len(text) <= most:
        return text
    return text[: most + 1].rpartition(" ")[0] or text[:most]


def uid(value: bytes, context: HeaderContext) -> bytes | None:
    """Map each UID; registered ones stay."""
    texts = value.decode("latin-1").strip(" \0").split("\\")
    return "\\".join(map(context.pseudonyms.uid, texts)).encode("ascii")


def class_uid(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep the UID of a SOP Class, private ones too; map what can't be one."""
    texts = value.decode("latin-1").strip(" \0").split("\\")
    kept = [
        text if _CLASS_UID.fullmatch(text) and len(text) <= 44 else context.pseudonyms.uid(text)
        for text in texts
    ]
    return "\\".join(kept).encode("ascii")


def kept_uid(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep UIDs; map what is none."""
    texts = value.decode("latin-1").strip(" \0").split("\\")
    kept = [text if _UID.fullmatch(text) else context.pseudonyms.uid(text) for text in texts]
    return "\\".join(kept).encode("ascii")


def _each(change: Callable[[str], str | None]) -> Transform:
    def every(value: bytes, context: HeaderContext) -> bytes | None:  # noqa: ARG001
        return _joined(value, change)

    return every


def _joined(value: bytes, change: Callable[[str], str | None]) -> bytes | None:
    texts = value.decode("latin-1").strip(" \0").split("\\")
    changed = [change(text.strip()) if text.strip() else "" for text in texts]
    if not any(changed):
        return None
    return "\\".join(text or "" for text in changed).encode("ascii")


def shifted_dates(value: bytes, context: HeaderContext) -> bytes | None:
    """Shift each DA by the patient's days."""
    return _joined(value, _but_birth(context, lambda text: dates.shifted_date(text, context.days)))


def shifted_date_times(value: bytes, context: HeaderContext) -> bytes | None:
    """Shift each DT by the patient's days."""
    shifted = _but_birth(context, lambda text: dates.shifted_date_time(text, context.days))
    return _joined(value, shifted)


def kept_dates(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep each DA that is one."""
    return _joined(value, _but_birth(context, lambda text: dates.shifted_date(text, 0)))


def kept_date_times(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep each DT that is one."""
    return _joined(value, _but_birth(context, lambda text: dates.shifted_date_time(text, 0)))


def _but_birth(
    context: HeaderContext, change: Callable[[str], str | None]
) -> Callable[[str], str | None]:
    """The same change, and nothing of the patient's birth date."""
    born = context.birth_date
    if not born:
        return change
    return lambda text: None if text.replace(".", "").startswith(born) else change(text)


def edition(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep the date of a context group's or template's edition, if it is none of the header's."""
    kept = kept_date_times(value, context)
    return None if kept is None or context.numbers.in_decimals(kept[:_DATE_DIGITS]) else kept


def retained_code(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep a Code String that an option retains, if it is one and no text."""
    texts = context.decode(value).split("\\")
    return value if all(_CODE_VALUE.fullmatch(text.strip()) for text in texts) else None


kept_times = _each(dates.kept_time)
kept_zones = _each(dates.kept_zone)


def _capped_age(text: str) -> str | None:
    """HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): all ages above 89 are one."""
    match = _AGE.fullmatch(text)
    if match is None:
        return None
    number, unit = int(match[1]), match[2].upper()
    # Written as PS3.5 section 6.2 has it: many leave the zeros out.
    return "090Y" if unit == "Y" and number > 89 else f"{number:03d}{unit}"


ages = _each(_capped_age)


def patient_pseudonym(value: bytes, context: HeaderContext) -> bytes | None:  # noqa: ARG001
    """The patient's stand-in."""
    return context.pseudonyms.patient(context.patient).encode("ascii")


def pseudonym(domain: str) -> Transform:
    """The stand-in of an identifier of this domain; an empty one stays empty."""

    def replace(value: bytes, context: HeaderContext) -> bytes | None:
        text = context.decode(value)
        return context.pseudonyms.identifier(domain, text).encode("ascii") if text else b""

    return replace


def icc_profile(value: bytes, context: HeaderContext) -> bytes | None:
    """Keep of a colour profile what computes colours, and none of its texts."""
    cleaned = cleaned_profile(value)
    return None if cleaned is None or context.names.in_bytes(cleaned) else cleaned
