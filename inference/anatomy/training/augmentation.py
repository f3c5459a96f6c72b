# SPDX-License-Identifier: Apache-2.0
"""What happens to headers on their way: tags left out, misspelt, swapped, wrong, translated.

The same operations teach (on training collections) and test (on collections never seen), so both
call them from here. All take their randomness from outside.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from inference.anatomy.learned.slots import ACQUISITION_STEPS, ACQUISITION_TEXTS
from inference.anatomy.lexicon import LANGUAGES, lexicon_table
from inference.anatomy.regions import REGIONS, Regions, parse_regions

Values = dict[str, str]


class Habits(NamedTuple):
    """How other sites may send headers, as far as trainings differ in it."""

    without_body_part: float = 0.5
    one_left: float = 0.12
    """Sites that send hardly anything: of so many headers one attribute alone is left to speak."""
    more_customs: bool = True
    """Whether all customary series names occur, or only the most usual."""
    acquisition: bool = False
    """Whether orientation, acquisition settings and patient size are shown."""


VARIED: Final = Habits()
SPARING: Final = Habits(0.35, 0.0, more_customs=False)

TEXT_TAGS = ("SeriesDescription", "StudyDescription", "ProtocolName")
_LEFT_OUT = {
    "BodyPartExamined": VARIED.without_body_part,
    "StudyDescription": 0.25,
    "SeriesDescription": 0.2,
    "ProtocolName": 0.5,
    "Manufacturer": 0.6,
    "ManufacturerModelName": 0.7,
    "SOPClassUID": 0.6,
}
ACQUISITION: Final = frozenset({*ACQUISITION_TEXTS, *ACQUISITION_STEPS, "ImageOrientationPatient"})
_WITHOUT_ACQUISITION = 0.3
_SPEAKING = (*TEXT_TAGS, "BodyPartExamined")
_ALSO_CALLED = {
    "SeriesDescription": ("ProtocolName",),
    "StudyDescription": ("RequestedProcedureDescription", "PerformedProcedureStepDescription"),
}
# Of a hundred examinations of a modality, about how many show what. Breast and prostate, which
# collections are full of, are few in a hospital.
_FREQUENCY = {
    "MR": {"head": 35, "spine": 20, "lower limb": 14, "upper limb": 7, "abdomen": 10, "pelvis": 6,
           "breast": 4, "chest": 3, "neck": 1},
    "CT": {"chest": 30, "abdomen pelvis": 20, "head": 20, "abdomen": 10, "chest abdomen pelvis": 10,
           "whole body": 4, "spine": 6},
}  # fmt: skip
_CONTRAST = (
    "",
    "",
    "",
    "W CONTRAST",
    "WO",
    "W/WO",
    "+C",
    "nativ",
    "sans injection",
    "con contraste",
)
_BODY_PARTS = (
    "HEAD", "BRAIN", "NECK", "CHEST", "ABDOMEN", "PELVIS", "BREAST", "CSPINE", "LSPINE", "KNEE",
    "SHOULDER", "HAND", "FOOT", "HIP", "EXTREMITY", "LIVER", "PROSTATE", "HEART",
)  # fmt: skip
_FOLLOWS = (
    "", "", "AX", "COR", "SAG", "T1", "T2", "3MM", "ROUTINE", "STD", "B30f", "PA",
    "LAT", "LT", "RT",
)  # fmt: skip


def taught(values: Mapping[str, str], rng: random.Random, habits: Habits = VARIED) -> Values:
    """A header as another site might have sent it: fewer tags, other tags, slips of the pen."""
    kept: Values = dict(values)
    for tag, others in _ALSO_CALLED.items():
        if tag in kept and rng.random() < 0.15:
            kept[rng.choice(others)] = kept[tag]
    if habits.acquisition and rng.random() < _WITHOUT_ACQUISITION:
        kept = {tag: value for tag, value in kept.items() if tag not in ACQUISITION}
    left_out = _LEFT_OUT | {"BodyPartExamined": habits.without_body_part}
    for tag, share in left_out.items():
        if tag in kept and rng.random() < share:
            del kept[tag]
    if habits.one_left and rng.random() < habits.one_left:
        kept = _one_left(kept, rng)
    for tag in TEXT_TAGS:
        if tag in kept and rng.random() < 0.06:
            kept[tag] = misspelt(kept[tag], rng)
    if rng.random() < 0.06:
        kept["BodyPartExamined"] = rng.choice(_BODY_PARTS)
    return kept


def _one_left(values: Values, rng: random.Random) -> Values:
    """The header with one of the attributes that can name an anatomy, drawn at random."""
    there = [tag for tag in _SPEAKING if values.get(tag)]
    if len(there) < 2:
        return values
    silent = set(there) - {rng.choice(there)}
    return {tag: value for tag, value in values.items() if tag not in silent}


def corrupted(values: Mapping[str, str], regions: Regions, rng: random.Random) -> Values:
    """A header with one fault: typos, swapped or blank tags, another language, wrong part."""
    kept: Values = dict(values)
    match rng.randrange(5):
        case 0:
            for tag in TEXT_TAGS:
                if tag in kept:
                    kept[tag] = misspelt(kept[tag], rng)
        case 1:
            study, series = kept.get("StudyDescription", ""), kept.get("SeriesDescription", "")
            kept["StudyDescription"], kept["SeriesDescription"] = series, study
        case 2:
            there = [tag for tag in (*TEXT_TAGS, "BodyPartExamined") if kept.get(tag)]
            if len(there) > 1:
                kept[rng.choice(there)] = ""
        case 3:
            kept = translated(kept, regions, rng)
        case _:
            kept["BodyPartExamined"] = rng.choice(_BODY_PARTS)
    return kept


def misspelt(text: str, rng: random.Random) -> str:
    """One letter of a text swapped with the next, left out, doubled or replaced."""
    letters = [at for at, sign in enumerate(text[:-1]) if sign.isalpha()]
    if not letters:
        return text
    at = rng.choice(letters)
    here, then = text[at], text[at + 1]
    slip = rng.choice(
        (then + here, then, here + here + then, rng.choice("abcdefgilmnoprst") + then)
    )
    return text[:at] + slip + text[at + 2 :]


def translated(values: Mapping[str, str], regions: Regions, rng: random.Random) -> Values:
    """The description that names the regions, said in another language of the lexicon."""
    kept: Values = dict(values)
    words = [phrase_of(region, rng.choice(LANGUAGES[1:]), rng) for region in in_words(regions)]
    tag = "StudyDescription" if kept.get("StudyDescription") else "SeriesDescription"
    kept[tag] = " ".join([kept.get("Modality", ""), *words]).strip().upper()
    return kept


def in_words(regions: Regions) -> list[str]:
    """Names of regions in their order."""
    return [region for region in REGIONS if region in regions]


@cache
def phrases() -> Mapping[tuple[str, str], Sequence[str]]:
    """Phrases of the lexicon that name one region outright, by region and language."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in lexicon_table().get("entry", ()):
        regions = parse_regions(" ".join(entry.get("regions", ())))
        if entry["kind"] != "region" or len(regions) != 1 or entry.get("modalities"):
            continue
        (region,) = regions
        for language in LANGUAGES:
            whole = [text for text in entry.get(language, ()) if "*" not in text and len(text) > 2]
            found.setdefault((region, language), []).extend(whole)
    return {key: listed for key, listed in found.items() if listed}


@cache
def customs(more: bool = True) -> Mapping[tuple[str, Regions], Sequence[str]]:
    """Customary series names by modality and regions: all, or only the most usual."""
    text = files("inference.anatomy.training").joinpath("customs.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    rarer = table.pop("more")
    return {
        (modality, frozenset(region for region in REGIONS if region in key)): [
            *names,
            *(rarer[modality].get(key, ()) if more else ()),
        ]
        for modality, of in table.items()
        for key, names in of.items()
    }


def phrase_of(region: str, language: str, rng: random.Random) -> str:
    """A phrase for a region in a language, in English where the lexicon has none."""
    return rng.choice(phrases().get((region, language)) or phrases()[region, "en"])


def composed(
    regions: Regions, modality: str, rng: random.Random, habits: Habits = VARIED
) -> Values:
    """A header made of lexicon phrases, for regions and languages that the corpus hardly has."""
    language = rng.choice((*LANGUAGES, "en", "en"))
    words = " ".join(phrase_of(region, language, rng) for region in in_words(regions))
    study = f"{modality} {words} {rng.choice(_CONTRAST)}".strip()
    values = {
        "Modality": modality,
        "StudyDescription": study.upper() if rng.random() < 0.7 else study,
    }
    if rng.random() < 0.7:
        named = phrase_of(in_words(regions)[0], language, rng) if len(regions) == 1 else ""
        usual = customs(habits.more_customs)
        custom = rng.choice(usual.get((modality, regions)) or _FOLLOWS)
        values["SeriesDescription"] = custom if rng.random() < 0.6 else f"{named} {custom}".strip()
    return {key: value for key, value in values.items() if value}


def customary(rng: random.Random, habits: Habits = VARIED) -> tuple[str, Regions, Values]:
    """A header that names no region, only a customary series, as often as hospitals do it."""
    modality = rng.choice(list(_FREQUENCY))
    keys = list(_FREQUENCY[modality])
    (key,) = rng.choices(keys, weights=list(_FREQUENCY[modality].values()))
    regions = frozenset(region for region in REGIONS if region in key)
    return (
        modality,
        regions,
        {
            "Modality": modality,
            "SeriesDescription": rng.choice(customs(habits.more_customs)[modality, regions]),
        },
    )
