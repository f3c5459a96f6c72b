# SPDX-License-Identifier: Apache-2.0
"""Makes reports, letters, lists, calls and notes with every kind of identifier at known positions.

The frames are of eighteen languages (``data/training_frames.json``); every eighth is kept from
training, for validation.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable
from functools import cache

from deid.text.generated_identifiers import Identifiers, material
from deid.text.generator import SPOKEN, Generator, Made, listed
from deid.text.generator import sentences as old_material
from deid.text.lexicon import is_held_out

_SLOT = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"[^\W\d_]+")
_PERSONS = (
    "GF", "GF", "GF", "F,G", "GIF", "IF", "F", "F", "DrF", "DrGF", "FG", "ProfF", "MrF", "MsF",
    "F^G", "G", "IIF", "FI", "GGF", "F-F", "drF", "MissGF",
)  # fmt: skip
_TITLES = {
    "Dr": "Dr ", "dr": "dr ", "Prof": "Prof. ", "Mr": "Mr ", "Ms": "Ms. ", "Miss": "Miss ",
}  # fmt: skip
_PERSON_PART = re.compile(r"Dr|dr|Prof|Mr|Ms|Miss|[GFI]|[,^-]")
_ENGLISH_SHARE = 0.5
_HELD_OUT = 8
_LOOSE_WORDS = 0.25
_AGAIN = 0.25
_STRANGE_WORD = 0.12
_CAPITAL_WORD = 0.02
_JOINED, _JOINTS = 0.15, ("\n", "\n\n", " ", " / ", " - ", "; ")
_HASTY, _TYPO = 0.12, 0.06
_BENT = {"en": 0.05, "de": 0.05, "nl": 0.05, "sv": 0.1, "da": 0.1, "no": 0.1}
_BENT_ELSEWHERE = 0.25
# Endings of names in sentences: "Smith's", "Kowalskiego", "Nováka", "Korhosen".
_ENDINGS = {
    "en": ("'s", "’s", "s", "s'"),
    "de": ("s",), "nl": ("s",), "sv": ("s",), "da": ("s",), "no": ("s",),
    "fi": ("n", "lle", "lta", "lla", "ssa", "sta"),
    "pl": ("a", "owi", "em", "ego", "iej", "iemu", "u", "ie", "ą", "ę", "y"),
    "cs": ("a", "ovi", "em", "ové", "u", "y", "ou"),
    "hu": ("nak", "nek", "nál", "né", "val", "vel", "tól", "hoz", "t", "ban"),
    "ro": ("ului", "ei", "u", "ul"),
    "tr": ("'nin", "'in", "'ın", "'e", "'a", "'da", "'den", "'nun", "'yi"),
    "ru": ("а", "у", "ом", "ой", "ым", "ого", "е", "ы", "ому"),
}  # fmt: skip


@cache
def _frames(language: str, *, held_out: bool) -> tuple[str, ...]:
    every = dict.fromkeys(material()[language]["frames"])
    return tuple(
        frame for frame in every if (zlib.crc32(frame.encode()) % _HELD_OUT == 0) == held_out
    ) or tuple(every)


@cache
def _languages() -> tuple[str, ...]:
    return tuple(language for language in material() if language not in ("en", "shared"))


def _is_held_out(name: str) -> bool:
    """Whether a name, or one of two, is kept for measuring: in capitals some are others."""
    return any(len(part) > 1 and is_held_out(part) for part in name.lower().split("-"))


def _capitals(name: str) -> str:
    return name if _is_held_out(name.upper()) else name.upper()


class ReportGenerator:
    """Makes texts; the same seed makes the same.

    Parameters
    ----------
    seed:
        Of the chance.
    held_out:
        Whether to use the frames that training never sees.
    """

    def __init__(self, seed: int, *, held_out: bool = False) -> None:
        self._random = random.Random(seed)  # noqa: S311  # no secret hangs on it
        self._held_out = held_out
        self._salads = Generator(seed)
        self._language = "en"
        self._identifiers = Identifiers(self._random, "en")
        self._case: Callable[[str], str] = str
        self._hasty = False
        self._spans: list[tuple[int, int, str]] = []
        self._families: list[str] = []
        self._parts: list[str] = []
        self._length = 0

    def make(self) -> Made:
        """One text."""
        chance = self._random
        self._spans, self._parts, self._length, self._families = [], [], 0, []
        english = chance.random() < _ENGLISH_SHARE
        self._language = "en" if english else chance.choice(_languages())
        self._identifiers = Identifiers(chance, self._language)
        self._case = chance.choices((str, str.lower, str.upper), (0.68, 0.15, 0.17))[0]
        self._hasty = chance.random() < _HASTY
        self._write_frame()
        if chance.random() < _JOINED:
            self._put(chance.choice(_JOINTS))
            self._write_frame()
        return Made("".join(self._parts), tuple(self._spans))

    def _write_frame(self) -> None:
        frame = self._random.choice(_frames(self._language, held_out=self._held_out))
        at = 0
        for match in _SLOT.finditer(frame):
            self._put(frame[at : match.start()])
            self._fill(match[1])
            at = match.end()
        self._put(frame[at:])

    def _put(self, text: str, label: str | None = None) -> None:
        if self._hasty and not label:
            text = _WORD.sub(lambda match: self._mistyped(match[0]), text)
        written = self._case(text)
        if label == "name" and _is_held_out(written):
            written = text
        if label and written:
            self._spans.append((self._length, self._length + len(written), label))
        self._parts.append(written)
        self._length += len(written)

    def _mistyped(self, word: str) -> str:
        """Now and then with a letter too few, twice or in the wrong place."""
        if len(word) < 4 or self._random.random() > _TYPO:
            return word
        at, kind = self._random.randrange(1, len(word) - 1), self._random.randrange(3)
        if kind == 0:
            return word[:at] + word[at + 1 :]
        if kind == 1:
            return word[: at + 1] + word[at:]
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    def _bent(self, name: str) -> str:
        """With an ending of the language, as often as names have one."""
        endings = _ENDINGS.get(self._language)
        if not endings or self._random.random() > _BENT.get(self._language, _BENT_ELSEWHERE):
            return name
        bent = name + self._random.choice(endings)
        return name if _is_held_out(bent) else bent

    def _fill(self, slot: str) -> None:
        made = self._identifiers
        people: dict[str, Callable[[], None]] = {
            "P": self._person,
            "G": lambda: self._put(self._bent(self._spelled(made.name("given"))), "name"),
            "F": lambda: self._put(self._bent(self._spelled(self._family())), "name"),
            "I": lambda: self._put(self._initials(), "skip"),
            "H": lambda: self._put(made.house(), "house"),
            "X": lambda: self._put(made.bare_house(), "house"),
            "T": lambda: self._put(self._bent(made.town()), "place"),
            "N": lambda: self._put(made.number(), "number"),
            "PH": lambda: self._put(made.phone(), "number"),
            "AD": lambda: self._put(made.address(), "place"),
            "D": lambda: self._put(made.date(), "date"),
            "MY": lambda: self._put(made.month_and_year(), "date"),
            "DY": self._day,
            "S": self._sentence,
        }
        if slot in people:
            people[slot]()
        else:
            self._put(self._plain(slot))

    def _family(self) -> str:
        """A family name; now and then that of somebody of whom the text told before."""
        if self._families and self._random.random() < _AGAIN:
            return self._random.choice(self._families)
        self._families.append(self._identifiers.name("family"))
        return self._families[-1]

    def _spelled(self, name: str) -> str:
        return _capitals(name) if self._random.random() < 0.12 else name

    def _initials(self) -> str:
        letters = "".join(self._random.choice("ABCDEFGHJKLMNPRSTW") for _ in range(2))
        return letters if self._random.random() < 0.6 else letters.lower()

    def _day(self) -> None:
        before, day, behind = self._identifiers.day()
        self._put(before, "skip")
        self._put(day, "date")
        self._put(behind, "skip")

    def _person(self) -> None:
        upper = self._random.random() < 0.12
        written: Callable[[str], str] = _capitals if upper else str
        parts = _PERSON_PART.findall(self._random.choice(_PERSONS))
        for at, part in enumerate(parts):
            if part in _TITLES:
                self._put(_TITLES[part])
                continue
            if part in ",^-":
                self._put(", " if part == "," else part)
                continue
            if at and parts[at - 1] in "GFI":
                self._put(" ")
            if part == "I":
                self._put(self._random.choice("ABCDEFGHJKLMNPRSTW"), "name")
                self._put(self._random.choice((".", "")))
            else:
                name = self._identifiers.name("given") if part == "G" else self._family()
                self._put(written(name), "name")

    def _sentence(self) -> None:
        if self._language in SPOKEN and self._random.random() < _LOOSE_WORDS:
            self._put(self._salads.sentence(self._language))
            return
        chosen = str(self._random.choice(material()[self._language]["sentences"]))
        chosen = _SLOT.sub(lambda match: self._plain(match[1]), chosen)
        self._put(_WORD.sub(lambda match: self._changed(match[0]), chosen))

    def _changed(self, word: str) -> str:
        """Now and then another word of the language, so that no sentence is learnt by heart."""
        if len(word) < 4 or not word.islower():
            return word
        kind = self._random.random()
        if kind < _STRANGE_WORD:
            return self._word()
        return word.capitalize() if kind < _STRANGE_WORD + _CAPITAL_WORD else word

    def _word(self) -> str:
        lists = listed()
        every = ["clinical"] if self._language in ("ru", "el") else ["clinical", "english"]
        if self._language != "en":
            every = [
                name
                for name in (f"{self._language} spoken", f"{self._language} descriptor")
                if lists.get(name)
            ] or [self._language]
        return self._random.choice(lists.get(self._random.choice(every)) or lists["clinical"])

    def _plain(self, slot: str) -> str:
        chance, shared = self._random, material()["shared"]
        made: dict[str, Callable[[], str]] = {
            "k": lambda: str(chance.randint(1, 9)),
            "L": lambda: chance.choice(shared["labels"]),
            "mm": lambda: str(chance.randint(2, 80)),
            "n2": lambda: str(chance.randint(10, 99)),
            "n3": lambda: str(chance.randint(100, 900)),
            "wk": lambda: str(chance.randint(6, 41)),
            "post": lambda: chance.choice(shared["posts"]),
            "rel": lambda: chance.choice(shared["relatives"]),
            "w": self._word,
            "H1": lambda: chance.choice((self._word().title(), self._word().upper())),
            "E": lambda: (
                f"{chance.choice(listed()['eponym']).title()} "
                f"{chance.choice(old_material()['heads'])}"
            ),
        }
        return made[slot]()
