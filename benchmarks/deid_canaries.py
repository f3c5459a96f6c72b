# SPDX-License-Identifier: AGPL-3.0-or-later
"""Planted identifiers: every VR, depth, creator, character set and place that a file has."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks import deid_canary_pictures, deid_canary_reports
from benchmarks.deid_canary_corners import corner_objects
from benchmarks.deid_canary_documents import canary_documents
from benchmarks.deid_canary_objects import BIRTH_DATE, RECORD_NUMBER, canary_objects
from deid import DeidentificationKey, Deidentifier, Option, Policy
from deid.errors import DocumentForReviewError, UnsupportedObjectError
from deid.policy import Documents, FreeText, Models, ScannedPages
from tests.deid.made_scans import ct, file_of
from tests.deid.planted import planted_ct

SETTINGS = {
    "strict": (),
    "pipeline": (Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES),
    "all that cleans": (
        Option.CLEAN_DESCRIPTORS,
        Option.MODIFIED_DATES,
        Option.CLEAN_STRUCTURED_CONTENT,
        Option.CLEAN_GRAPHICS,
        Option.SAFE_PRIVATE,
    ),
}
# The last once more, with texts read by the detectors instead of held against the list.
DETECTED = "all that cleans, detected text"
# And with documents and videos cleaned, not left empty or refused.
DOCUMENTS = "all that cleans, documents and videos masked"
# One public attribute per text VR; DA, DT and UI stay valid, all others hold a word.
_BY_VR = {
    "AE": 0x00080055, "CS": 0x00185101, "DS": 0x00180060, "IS": 0x00200013, "LO": 0x0008103E,
    "LT": 0x00104000, "PN": 0x00081050, "SH": 0x00081010, "ST": 0x00080081, "UC": 0x00081195,
    "UR": 0x00081190, "UT": 0x0040A160, "OB": 0x04000520, "UN": 0x00189F90,
    "DA": 0x00080022, "DT": 0x0008002A, "UI": 0x00083010, "TM": 0x00080031,
}  # fmt: skip
_BINARY = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_BYTES = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
_CREATORS = (
    "SIEMENS MED", "GEMS_PARM_01", "Philips Imaging DD 001", "ELSCINT1", "PHILIPS MR/PART",
    "NOBODY",
)  # fmt: skip
_CHARACTER_SETS = {
    "ISO_IR 100": "Grünßöm", "ISO_IR 101": "Łukączyk", "ISO_IR 109": "Ĉaŭĝisto",
    "ISO_IR 110": "Šķērsiņš", "ISO_IR 144": "Люкceмбypг", "ISO_IR 127": "قباني",
    "ISO_IR 126": "Διονυσιος", "ISO_IR 138": "שרוןדבורה", "ISO_IR 148": "Çağlayanoğlu",
    "ISO_IR 13": "ﾔﾏﾀﾞﾀﾛｳ", "ISO_IR 166": "นามสกุล", "ISO_IR 192": "山田王小東김희중",
    "GB18030": "王小東陳", "\\ISO 2022 IR 87": "山田太郎", "\\ISO 2022 IR 149": "김희중길동",
    "\\ISO 2022 IR 58": "张小东王",
}  # fmt: skip
_DEPTHS = (0, 1, 2, 4, 8, 16)


class _Canaries:
    """Words that occur nowhere by chance, by place."""

    def __init__(self) -> None:
        self.planted: dict[str, bytes] = {}
        self._numbers = itertools.count(101)

    def value(self, vr: str, place: str) -> str | bytes:
        number = next(self._numbers)
        text = f"QX{number}YV"
        if vr in ("DA", "DT"):
            text = f"19{31 + number % 8}{1 + number % 12:02}{1 + number % 28:02}"
        elif vr == "UI":
            text = f"1.2.826.0.1.3680043.9.7777.20240229.{number}"
        self.planted[place] = text.encode()
        return text.encode() if vr in ("OB", "UN") else text + ("101112" if vr == "DT" else "")


def _deep(canaries: _Canaries, depth: int) -> Dataset:
    dataset = ct()
    inner = dataset if depth == 0 else Dataset()
    for vr, tag in _BY_VR.items():
        inner[tag] = DataElement(tag, "LO" if vr in ("DS", "IS", "TM") else vr,
                                 canaries.value(vr, f"{vr} at depth {depth}"))  # fmt: skip
    for level in range(depth):
        outer = dataset if level == depth - 1 else Dataset()
        outer.ReferencedImageSequence = Sequence([inner])
        inner = outer
    return dataset


def _private(canaries: _Canaries, creator: str, group: int) -> Dataset:
    dataset = ct()
    block = dataset.private_block(group, creator, create=True)
    for at, vr in enumerate((*_BY_VR, *_BINARY, "OD", "OF", "OL", "OV", "OW")):
        place = f"{vr} of {creator} in {group:04X}"
        if vr in _BINARY or vr in ("OD", "OF", "OL", "OV", "OW"):
            block.add_new(0xA0 + at, vr, _packed(canaries, vr, place))
        else:
            as_text = "LO" if vr in ("DS", "IS", "TM", "CS", "AE") else vr
            block.add_new(0xA0 + at, as_text, canaries.value(vr, place))
    return dataset


def _packed(canaries: _Canaries, vr: str, place: str) -> object:
    word = canaries.value("OB", place)
    content = bytes(word).ljust(8, b" ")
    return content if vr in _BYTES else list(struct.unpack(f"<{8 // struct.calcsize(_BINARY[vr])}"
                                                           f"{_BINARY[vr]}", content))  # fmt: skip


def _unknown(canaries: _Canaries) -> Dataset:
    dataset = ct()
    for at, vr in enumerate((*_BINARY, *_BYTES)):
        tag = 0x00189FA0 + at
        dataset[tag] = DataElement(tag, vr, _packed(canaries, vr, f"unknown attribute, {vr}"))
    return dataset


def _written_in(canaries: _Canaries, character_set: str, name: str) -> Dataset:
    dataset = ct(SpecificCharacterSet=character_set.split("\\"))
    sentence = f"chest {name} follow up"
    dataset.PatientName = name
    dataset.StudyDescription = dataset.ImageComments = dataset.StationName = sentence
    dataset.InstitutionName = dataset.StudyComments = name
    dataset.private_block(0x0029, "NOBODY", create=True).add_new(1, "LO", name)
    codecs = pydicom.charset.convert_encodings(character_set.split("\\"))
    wanted = pydicom.charset.encode_string(name, codecs).strip(b"\x1b").split(b"\x1b")[0]
    places = "PatientName StudyDescription ImageComments StationName InstitutionName StudyComments"
    for place in (*places.split(), "private"):
        canaries.planted[f"{place} in {character_set}"] = wanted
    return dataset


def _files() -> Iterator[tuple[bytes, dict[str, bytes]]]:
    planted = planted_ct()
    yield planted.content, planted.identifiers
    makers = [
        *(lambda c, d=depth: _deep(c, d) for depth in _DEPTHS),
        *(
            lambda c, n=name, g=group: _private(c, n, g)
            for name in _CREATORS
            for group in (9, 0x29)
        ),
        _unknown,
        *(lambda c, s=term, n=name: _written_in(c, s, n) for term, name in _CHARACTER_SETS.items()),
    ]
    for make in makers:
        canaries = _Canaries()
        dataset = make(canaries)
        yield file_of(dataset), canaries.planted
    yield from _objects()


def _objects() -> Iterator[tuple[bytes, dict[str, bytes]]]:
    """Kinds of object and odd encodings, each with what it holds."""
    for name, make in itertools.chain(canary_objects(), canary_documents()):
        canaries = _Canaries()
        content = make(lambda place, c=canaries: str(c.value("LO", place)))
        planted = {f"{name}: {place}": word for place, word in canaries.planted.items()}
        for place, number in (("record number", RECORD_NUMBER), ("birth date", BIRTH_DATE)):
            if number.encode() in content:
                planted[f"{name}: {place}"] = number.encode()
        yield content, planted
    for name, make_corner in corner_objects():
        canaries = _Canaries()
        content, told = make_corner(lambda place, c=canaries: str(c.value("LO", place)))
        yield content, {f"{name}: {p}": w for p, w in (canaries.planted | told).items()}


def measure(quick: bool) -> tuple[dict[str, float | None], dict[str, object]]:  # noqa: ARG001
    """Leaked canaries over all settings; the share of harmless elements that keep their value."""
    key = DeidentificationKey(bytes(range(32)))
    files = list(_files())
    leaked: dict[str, list[str]] = {}
    passed: set[int] = set()
    for name, deidentifier in _deidentifiers(key).items():
        for number, (content, planted) in enumerate(files):
            try:
                output = deidentifier.deidentify(content).to_bytes()
            except (UnsupportedObjectError, DocumentForReviewError):
                continue
            passed.add(number)
            missing = [place for place, word in planted.items() if word not in content]
            if missing:
                raise RuntimeError(f"not planted: {missing}")
            leaked.setdefault(name, []).extend(p for p, word in planted.items() if word in output)
    # A file that is always refused leaks nothing, and is no place either.
    places = sum(len(planted) for n, (_, planted) in enumerate(files) if n in passed)
    seen, left = deid_canary_pictures.leaked(_documents(key))
    leaked.setdefault(DOCUMENTS, []).extend(left)
    places += seen
    seen, leaked["reports"] = deid_canary_reports.leaked()
    places += seen
    kept, harmless = _harmless(key)
    figures = {
        "canaries_leaked": float(sum(map(len, leaked.values()))),
        "harmless_kept": kept / harmless,
    }
    return figures, {
        "places": places, "leaked": leaked, "harmless": harmless,
        "files refused": len(files) - len(passed),
    }  # fmt: skip


def _deidentifiers(key: DeidentificationKey) -> dict[str, Deidentifier]:
    made = {name: Deidentifier(key, options) for name, options in SETTINGS.items()}
    policy = Policy(free_text=FreeText.DETECTED)
    made[DETECTED] = Deidentifier(key, SETTINGS["all that cleans"], policy)
    made[DOCUMENTS] = _documents(key)
    return made


def _documents(key: DeidentificationKey) -> Deidentifier:
    policy = Policy(
        free_text=FreeText.DETECTED,
        encapsulated_documents=Documents.MASK,
        scanned_pages=ScannedPages.MASK,
        models=Models.CLEAN,
        videos=Documents.MASK,
    )
    return Deidentifier(key, SETTINGS["all that cleans"], policy)


def _harmless(key: DeidentificationKey) -> tuple[int, int]:
    planted = planted_ct()
    kept = 0
    deidentifiers = _deidentifiers(key)
    for deidentifier in deidentifiers.values():
        output = deidentifier.deidentify(planted.content).to_bytes()
        dataset = pydicom.dcmread(io.BytesIO(output))
        kept += sum(dataset.get(keyword) == value for keyword, value in planted.harmless.items())
    return kept, len(planted.harmless) * len(deidentifiers)
