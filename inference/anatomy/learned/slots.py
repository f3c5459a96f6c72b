# SPDX-License-Identifier: Apache-2.0
"""From a header to five texts, and from a text to token numbers: the input of every learned family.

The attributes are put into five slots by how far their words can be believed, as in
:mod:`inference.anatomy.evidence`. A family learns for itself what a slot is worth; an absent
attribute is an empty text. Tokens are words, pairs of neighbouring words and three-letter pieces,
hashed (Weinberger et al., ICML 2009), so that no vocabulary has to be shipped and a misspelt word
still shares most of its pieces with the right one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zlib import crc32

from inference.anatomy.evidence import Evidence
from inference.anatomy.header import Header
from inference.anatomy.regions import format_regions
from inference.anatomy.words import words_of

BUCKETS: Final = 1 << 15
_MOST_WORDS = 24
_MOST_TOKENS = 96
_REMEMBERED = 20_000
_SHORTEST_IN_PIECES = 4
_SPACES = re.compile(r"\s+")

_SERIES = ("SeriesDescription", "AcquisitionDeviceProcessingDescription")
_PROTOCOL = ("ProtocolName", "AcquisitionProtocolName")
_STUDY = (
    "StudyDescription",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
)
_TAG = ("BodyPartExamined",)
_KIND = (
    "Modality",
    "SOPClassUID",
    "ViewPosition",
    "Manufacturer",
    "ManufacturerModelName",
    "StationName",
    "ContrastBolusAgent",
    "ScanOptions",
)
# What a model knows only if headers with it taught it; where none did it would be noise.
ACQUISITION_TEXTS: Final = (
    "ConvolutionKernel",
    "ScanningSequence",
    "SequenceName",
    "PatientPosition",
)
_CODED: Mapping[str, tuple[str, ...]] = {
    "protocol": ("PerformedProtocolCodeSequence",),
    "study": ("ProcedureCodeSequence", "RequestedProcedureCodeSequence"),
    "tag": ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence"),
    "kind": ("ViewCodeSequence",),
}


class Slots(NamedTuple):
    """The texts of one header."""

    series: str = ""
    protocol: str = ""
    study: str = ""
    tag: str = ""
    kind: str = ""


TEXT_SLOTS: Final = 4


def slots_of(header: Header, found: Sequence[Evidence] = (), *, acquisition: bool = False) -> Slots:
    """Put the attributes of a header into the slots.

    :param acquisition: with orientation, acquisition settings and patient size.
    :param found: what the lexicon read in the same header; it becomes a word of the kind slot per
        source and region, so that a family learns when the lexicon can be believed.
    """
    kind = kind_text(header, acquisition=acquisition)
    return Slots(
        _joined(header, _SERIES),
        _joined(header, _PROTOCOL, _CODED["protocol"]),
        _joined(header, _STUDY, _CODED["study"]),
        _joined(header, _TAG, _CODED["tag"]),
        f"{kind} {readings}" if (readings := _read_words(found)) else kind,
    )


def _read_words(found: Sequence[Evidence]) -> str:
    words = []
    for one in found:
        named = one.reading.named
        sort = "" if named else "?"
        regions = named or one.reading.hinted
        words += [f"{one.source}{sort}:{region}".replace(" ", "-") for region in regions]
        if len(regions) > 1:
            words.append(f"{one.source}{sort}:{format_regions(regions).replace(' ', '+')}")
        if one.reading.pet:
            words.append(f"{one.source}:pet")
    return " ".join(dict.fromkeys(sorted(words)))


def kind_text(header: Header, *, acquisition: bool = False) -> str:
    """What device and kind of image it is: one word per attribute, ``Keyword=value``."""
    words = _named(header, _KIND)
    words += [f"view={code.value}" for code in header.codes.get("ViewCodeSequence", ())]
    words += _measured(header, _STEPS)
    if acquisition:
        words += _named(header, ACQUISITION_TEXTS)
        words += _measured(header, ACQUISITION_STEPS)
        if header.plane:
            words.append(f"plane={header.plane}")
    return " ".join(words)


def _named(header: Header, keywords: Sequence[str]) -> list[str]:
    return [
        f"{keyword}={_SPACES.sub('_', value.lower())}"
        for keyword in keywords
        if (value := header.text(keyword))
    ]


def _measured(header: Header, steps: Mapping[str, tuple[float, ...]]) -> list[str]:
    """Numbers as coarse steps: a head is small, a body scan has many slices."""
    words = []
    for keyword, step in steps.items():
        if (number := header.number(keyword)) is not None:
            words.append(f"{keyword}~{_step(number, step)}")
    return words


# Steps between which a number counts as the same: slices, mm, kg, m.
_STEPS: Mapping[str, tuple[float, ...]] = {
    "NumberOfFrames": (2, 5, 20, 60, 150, 400),
    "ImagesInAcquisition": (2, 5, 20, 60, 150, 400),
    "NumberOfSeriesRelatedInstances": (2, 5, 20, 60, 150, 400),
    "SliceThickness": (1.1, 2.1, 3.5, 5.5),
    "SpacingBetweenSlices": (1.1, 2.1, 3.5, 5.5),
    "ReconstructionDiameter": (150, 220, 280, 340, 420),
}
# mm, kV, ms, ms, ms, T, m, kg.
ACQUISITION_STEPS: Final[Mapping[str, tuple[float, ...]]] = {
    "PixelSpacing": (0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.2, 2.5),
    "KVP": (35, 75, 95, 110, 130),
    "EchoTime": (5, 12, 30, 60, 100, 200),
    "RepetitionTime": (20, 150, 700, 1500, 3000, 6000),
    "InversionTime": (200, 700, 1200, 2000),
    "MagneticFieldStrength": (1.0, 2.0),
    "PatientSize": (0.6, 1.0, 1.4, 1.7),
    "PatientWeight": (5, 15, 35, 60, 90),
}


def _step(number: float, steps: Sequence[float]) -> int:
    return sum(number >= step for step in steps)


def _joined(header: Header, keywords: Sequence[str], codes: Sequence[str] = ()) -> str:
    values = [value for keyword in keywords if (value := header.text(keyword))]
    values += [
        code.meaning for keyword in codes for code in header.codes.get(keyword, ()) if code.meaning
    ]
    return values[0] if len(values) == 1 else " | ".join(values)


@lru_cache(maxsize=_REMEMBERED)
def token_numbers(text: str) -> tuple[int, ...]:
    """Numbers of the tokens of a text, each below :data:`BUCKETS`, in the order of the words."""
    words = ["#" if word.isdigit() else word for word in words_of(text)][:_MOST_WORDS]
    numbers: list[int] = []
    for word in words:
        numbers += _of_word(word)
    numbers += [_number(f"{one} {other}") for one, other in pairwise(words)]
    return tuple(numbers[:_MOST_TOKENS])


@lru_cache(maxsize=_REMEMBERED)
def word_numbers(text: str) -> tuple[int, ...]:
    """Numbers of the words alone, for families that read word by word."""
    words = ["#" if word.isdigit() else word for word in words_of(text)][:_MOST_WORDS]
    return tuple(_number(word) for word in words)


@lru_cache(maxsize=_REMEMBERED)
def kind_numbers(text: str) -> tuple[int, ...]:
    """Numbers of the words of a kind text, which are taken whole."""
    return numbers_of_words(text.split())


def numbers_of_words(words: Iterable[str]) -> tuple[int, ...]:
    """Numbers of words that are taken whole."""
    return tuple(_number(word) for word in words)


def slot_numbers(slots: Slots) -> tuple[tuple[int, ...], ...]:
    """Token numbers of the five slots."""
    texts = [token_numbers(text) if text else () for text in slots[:TEXT_SLOTS]]
    return (*texts, kind_numbers(slots.kind))


@lru_cache(maxsize=_REMEMBERED)
def _of_word(word: str) -> tuple[int, ...]:
    if len(word) < _SHORTEST_IN_PIECES:
        return (_number(word),)
    ends = f"^{word}$"
    pieces = [ends[at : at + 3] for at in range(len(ends) - 2)]
    return (_number(word), *(_number("~" + piece) for piece in pieces))


def _number(token: str) -> int:
    return crc32(token.encode()) & (BUCKETS - 1)
