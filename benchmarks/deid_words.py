# SPDX-License-Identifier: Apache-2.0
"""Descriptions by the list, the default of the de-identification: what leaks, and what is kept.

``.venv/bin/python -m benchmarks.deid_words --json [--quick]``

Names of the package's list, made-up ones, record numbers, dates and telephone numbers are put into
real descriptions of the public index (where ``idc-index-data`` is installed, as for training), and
the sentences written by hand are read as if they were descriptions. No header gives any of the
names. ``kept`` is the share of words and numbers of the public descriptions that stay, a
description of many series counted once; ``letters_kept`` counts words of letters alone.
``listed_names_left`` is the share that stays of names that are listed words as well, without a
title or first name beside them: nobody could tell. ``codes_named`` are names of the package's list,
also numbered, that stay as Code Strings although no list of terms or parts of the body has them.
"""

from __future__ import annotations

import calendar
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.deid_text import Text
from benchmarks.deid_text_handwritten import SETS, cases
from benchmarks.report import arguments, finish, say
from deid.descriptions import kept_of, names_beside
from deid.text.lexicon import names
from deid.vocabulary import body_words, code_words, descriptor_words, folded, is_code_string

SEED = 20261129
_PIECE = re.compile(r"[^\W_]+")
_MOST_OF_A_COLLECTION = 40
_MOST_OUTSIDE = 400
_TELL_NOTHING = frozenset(
    {"van", "von", "der", "del", "las", "les", "dos", "das", "the", "general"}
)
_DESCRIBED = ("CT Chest", "MRI Knee left", "T2 tse sag")
_BEGINNINGS = "b br ch d f g h j k kr l m n p r s sch st t tr v w z"
_MIDDLES = "a e i o u au ei ia ou ar el in on"
_ENDINGS = "bert ko mann ner o ova rick sen ska son ster ton vic witz ya ez"


def descriptions(most: int) -> list[str]:
    """Distinct descriptions of the public index, as many of each collection; none without it."""
    if find_spec("idc_index_data") is None:
        return []
    import idc_index_data  # noqa: PLC0415 - of the train extra
    import pyarrow.parquet  # noqa: PLC0415 - as above

    path = Path(idc_index_data.__file__).with_name("idc_index.parquet")
    columns = ["collection_id", "SeriesDescription", "StudyDescription"]
    table = pyarrow.parquet.read_table(path, columns=columns)
    found: dict[str, set[str]] = {}
    for name in columns[1:]:
        for row in table.group_by(["collection_id", name]).aggregate([]).to_pylist():
            if row[name]:
                found.setdefault(row["collection_id"], set()).add(row[name])
    chance = random.Random(SEED)  # noqa: S311 - reproducible
    taken: set[str] = set()
    for _, texts in sorted(found.items()):
        listed = sorted(texts)
        taken.update(chance.sample(listed, min(most, len(listed))))
    return sorted(taken)


def made_up(chance: random.Random) -> str:
    """A surname that no list has."""
    return "".join(chance.choice(of.split()) for of in (_BEGINNINGS, _MIDDLES, _ENDINGS))


def planted(texts: Sequence[str], named: Sequence[str], count: int) -> Iterator[tuple[str, Text]]:
    """A kind, and a description with an identifier of that kind put into it."""
    chance = random.Random(SEED)  # noqa: S311 - reproducible
    for _ in range(count):
        yield "name", _with(chance, texts, _name(chance, chance.choice(named)))
        yield "made-up name", _with(chance, texts, _name(chance, made_up(chance)))
        yield "number", _with(chance, texts, _number(chance))
        yield "date", _with(chance, texts, _date(chance))
        yield "phone", _with(chance, texts, _phone(chance))


def _with(chance: random.Random, texts: Sequence[str], value: str) -> Text:
    words = chance.choice(texts).split(" ")
    at = chance.randrange(len(words) + 1)
    before = "".join(f"{word} " for word in words[:at])
    after = "".join(f" {word}" for word in words[at:])
    return Text(before + value + after, ((len(before), len(before) + len(value)),))


def _name(chance: random.Random, name: str) -> str:
    return chance.choice((name.title(), name.upper(), name, f"Dr {name.title()}", f"{name}^"))


def _number(chance: random.Random) -> str:
    digits = "".join(chance.choices("0123456789", k=chance.randint(5, 10)))
    letters = "".join(chance.choices("ABCDEFGHKLMNPRSTXYZ", k=2))
    return chance.choice((
        digits, f"{letters}{digits}", f"{digits[:3]}-{digits[3:]}", f"{digits[:2]} {digits[2:]}",
        f"{letters}-{digits[:4]}", f"{digits[:4]}{letters[0]}", f"{digits[:2]}.{digits[2:]}",
    ))  # fmt: skip


def _date(chance: random.Random) -> str:
    day, month, year = chance.randint(1, 28), chance.randint(1, 12), chance.randint(1925, 2026)
    named = calendar.month_abbr[month]
    return chance.choice((
        f"{day:02}.{month:02}.{year}", f"{day}.{month}.{year % 100:02}", f"{month}/{day}/{year}",
        f"{day} {named} {year}", f"{day}{named.upper()}{year % 100:02}", f"{named} {day}",
        f"{year}-{month:02}-{day:02}", f"{year}{month:02}{day:02}", f"{day}.{month}.",
        f"{day}/{month}",
    ))  # fmt: skip


def _phone(chance: random.Random) -> str:
    pairs = [f"{chance.randrange(100):02}" for _ in range(5)]
    last = "".join(pairs[3:])
    return chance.choice((
        " ".join(pairs), ".".join(pairs), f"({pairs[0]}{pairs[1][0]}) {pairs[2]}-{last}",
        f"+{pairs[0]} {pairs[1]}{pairs[2]} {last}", f"ext {pairs[0]}{pairs[1]}",
    ))  # fmt: skip


def leaves(text: Text, place: tuple[int, int], denied: frozenset[str] = frozenset()) -> list[str]:
    """What the list lets stay of an identifier: names of three letters or more, and figures.

    Titles, particles and words that are no names ("Dr", "van", "Imaging") identify nobody.
    """
    kept = kept_of(text.content, denied)
    return [
        piece.text
        for piece in kept
        if piece.start < place[1] and piece.end > place[0] and _tells(piece.fold)
    ]


def _tells(fold: str) -> bool:
    if any(sign.isdigit() for sign in fold):
        return True
    is_name = fold in names("given") or fold in names("family") or fold in names_beside()
    return is_name and len(fold) > 2 and fold not in _TELL_NOTHING


def _by_hand(of: str) -> tuple[int, list[str]]:
    count, left = 0, []
    for case in cases(of):
        denied = frozenset(
            folded(word) for term in case.known.terms for word in _PIECE.findall(term.value)
        )
        for text in case.texts.values():
            for place in text.identifiers:
                count += 1
                if found := leaves(text, place, denied):
                    left.append(" ".join(found))
    return count, left


def _kept(texts: Iterable[str], counts: Callable[[str], bool] = bool) -> float:
    words = kept = 0
    for text in texts:
        stays = kept_of(text, frozenset())
        for match in _PIECE.finditer(text):
            if not counts(match[0]):
                continue
            words += 1
            kept += any(piece.start < match.end() and piece.end > match.start() for piece in stays)
    return kept / words if words else 0.0


def _listed_left(words: Sequence[str], texts: Sequence[str]) -> float:
    """The share that stays of names that are listed words, put into descriptions untitled."""
    chance = random.Random(SEED)  # noqa: S311 - reproducible
    left = 0
    for word in words:
        text = _with(chance, texts, chance.choice((word.title(), word.upper())))
        left += any(
            piece.start < text.identifiers[0][1] and piece.end > text.identifiers[0][0]
            for piece in kept_of(text.content, frozenset())
        )
    return left / len(words)


def _kept_outside(sample: Sequence[str]) -> dict[str, float]:
    """Of descriptions of the same collections that are not in the sample the words were read in."""
    others = sorted(set(descriptions(_MOST_OUTSIDE)) - set(sample))
    return {
        "descriptions": len(others),
        "kept": round(_kept(others), 4),
        "letters_kept": round(_kept(others, str.isalpha), 4),
    }


def _named_codes(listed: Iterable[str]) -> list[str]:
    """Names that pass as Code Strings without being terms, and numbered ones without a body part.

    Two letters may stand in a Code String anyway, and a region may be numbered.
    """
    return [
        name
        for name in listed
        if len(name) > 2
        and (
            (is_code_string(name) and name not in code_words())
            or (is_code_string(f"{name}12") and name not in body_words())
        )
    ]


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "")
    texts = descriptions(_MOST_OF_A_COLLECTION)
    say(f"{len(texts)} descriptions")
    listed = names("given") | names("family")
    unlisted = sorted(listed - descriptor_words())
    figures: dict[str, float | None] = {"kept": round(_kept(texts), 4) if texts else None}
    figures["letters_kept"] = round(_kept(texts, str.isalpha), 4) if texts else None
    figures["names_put_together"] = sum(bool(kept_of(name, frozenset())) for name in unlisted)
    figures["codes_named"] = len(_named_codes(listed))
    count = 2_000 if options.quick else 20_000
    left: dict[str, list[str]] = {}
    for kind, text in planted(texts or _DESCRIBED, unlisted, count):
        if found := leaves(text, text.identifiers[0]):
            left.setdefault(kind, []).append(" ".join(found))
    figures["planted_left"] = sum(map(len, left.values()))
    words = sorted(name for name in listed & descriptor_words() if len(name) > 2)
    figures["listed_names_left"] = round(_listed_left(words, texts or _DESCRIBED), 4)
    by_hand = {of: _by_hand(of) for of in SETS}
    figures["by_hand_left"] = sum(len(found) for _, found in by_hand.values())
    details: dict[str, object] = {
        "descriptions": len(texts),
        "kept_of_descriptions_outside_the_sample": _kept_outside(texts),
        "names_that_are_listed_words": len(words),
        "codes_named": sorted(_named_codes(listed)),
        "names": len(listed),
        "planted": 5 * count,
        "planted_left": {kind: [len(those), *those[:20]] for kind, those in left.items()},
        "by_hand_identifiers": sum(of_set for of_set, _ in by_hand.values()),
        "by_hand": {of: found for of, (_, found) in by_hand.items()},
    }
    finish(figures, details)


if __name__ == "__main__":
    main()
