# SPDX-License-Identifier: Apache-2.0
"""Makes texts with names and places at known positions, for training the token classifier.

Reports, letters and header fields are put together by chance from sentences of this module and from
the word lists. Names that ``lexicon.is_held_out`` never occur.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from deid.text.cue_words import cues
from deid.text.lexicon import english_words, is_held_out, names, place_words, table

_LANGUAGES = ("de", "fr", "es", "it", "pt", "nl", "pl", "ru", "el", "tr")
SPOKEN = ("de", "fr", "es", "it", "pt", "nl", "ru")
_SLOT = re.compile(r"\{(\w+)\}")


class Made(NamedTuple):
    """A text and where its identifiers are: start, end, kind.

    The kind is ``name``, ``place``, ``house``, ``number``, ``date``, or ``skip`` for what may pass
    as well as go.
    """

    text: str
    spans: tuple[tuple[int, int, str], ...]


@cache
def sentences() -> dict[str, list[str]]:
    """Frames, sentences and parts of texts, by what they are for."""
    path = Path(__file__).parent / "data" / "training_sentences.json"
    content: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return content


@cache
def _trained(part: str) -> tuple[str, ...]:
    return tuple(sorted(name for name in names(part) if not is_held_out(name) and len(name) > 1))


@cache
def listed() -> dict[str, tuple[str, ...]]:
    """Words to fill texts with, by language and topic."""
    foreign = [row for row in table("clinical_words") if row["topic"] in ("descriptor", "general")]
    by_language: dict[str, list[str]] = {}
    for row in foreign:
        by_language.setdefault(row["language"], []).extend(row["words"].split())
    clinical = [
        word
        for row in table("clinical_words")
        if row["topic"] in ("finding", "procedure", "drug", "anatomy", "abbreviation", "common")
        for word in row["words"].split()
    ]
    eponyms = _of_language("clinical_words", "en", "eponym")
    lists = {language: tuple(words) for language, words in by_language.items()}
    for language in SPOKEN:
        lists[f"{language} spoken"] = _of_language("foreign_words", language)
        lists[f"{language} general"] = _of_language("clinical_words", language, "general")
        lists[f"{language} descriptor"] = _of_language("clinical_words", language, "descriptor")
    lists["device"] = _of_language("clinical_words", "en", "device") + _of_language("drugs")[::9]
    lists["abbreviation"] = _of_language("clinical_words", "en", "abbreviation")
    lists["vendor"] = tuple(word for word in cues("vendor") if " " not in word)
    lists["clinical"] = tuple(clinical)
    lists["eponym"] = eponyms
    lists["english"] = tuple(sorted(english_words()))
    lists["places"] = tuple(sorted(place_words()))
    return lists


def _of_language(
    name: str, language: str | None = None, topic: str | None = None
) -> tuple[str, ...]:
    rows = (row for row in table(name) if language is None or row["language"] == language)
    wanted = (row for row in rows if topic is None or row["topic"] == topic)
    return tuple(word for row in wanted for word in row["words"].split())


class Generator:
    """Makes texts; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # no secret hangs on it
        self._spans: list[tuple[int, int, str]] = []
        self._parts: list[str] = []
        self._length = 0

    def make(self) -> Made:
        """One text."""
        self._spans, self._parts, self._length = [], [], 0
        self._write(self._random.choice(sentences()["frames"]), str)
        return Made("".join(self._parts), tuple(self._spans))

    def _put(self, text: str, label: str | None = None) -> None:
        if label and text:
            self._spans.append((self._length, self._length + len(text), label))
        self._parts.append(text)
        self._length += len(text)

    def _write(self, frame: str, case: Callable[[str], str]) -> None:
        at = 0
        for match in _SLOT.finditer(frame):
            self._put(case(frame[at : match.start()]))
            self._fill(match[1], case)
            at = match.end()
        self._put(case(frame[at:]))

    def _fill(self, slot: str, case: Callable[[str], str]) -> None:
        if slot[0] in "lu" and slot[1:] in (
            "person", "given", "family", "exam", "sentence", "body", "words", "foreign",
            "foreignsent", "doctor", "eponymlist",
        ):  # fmt: skip
            case = str.lower if slot[0] == "l" else str.upper
            slot = slot[1:]
        if slot in ("given", "family"):
            self._name(slot, case)
        elif slot in _COMPOSED:
            self._write(self._random.choice(sentences()[_COMPOSED[slot]]), case)
        elif slot == "body":
            for _ in range(self._random.randint(1, 4)):
                self._write(self._random.choice(sentences()["sentences"]) + " ", case)
        elif slot == "place":
            self._put(case(self._random.choice(listed()["places"]).title()), "place")
        elif slot in _LABELLED:
            self._put(case(self._plain(slot)), _LABELLED[slot])
        else:
            self._put(case(self._plain(slot)))

    def _name(self, part: str, case: Callable[[str], str]) -> None:
        chosen = self._random.choice(_trained(part)).title()
        if part == "family" and self._random.random() < 0.1:
            chosen += "-" + self._random.choice(_trained(part)).title()
        at = 0
        for match in re.finditer(r"[^\W\d_]+", chosen):
            self._put(chosen[at : match.start()])
            self._put(case(match.group()), "name")
            at = match.end()

    def _plain(self, slot: str) -> str:
        choose, lists = self._random.choice, listed()
        made: dict[str, Callable[[], str]] = {
            "letter": lambda: choose("ABCDEFGHJKLMNPRSTW"),
            "label": lambda: choose(("Patient", "Patient Name", "Name", "PATIENT", "Pt")),
            "label2": lambda: choose(("MRN", "ID", "Accession", "Record")),
            "number": lambda: str(self._random.randint(10000, 99999999)),
            "date": self._date,
            "age": lambda: str(self._random.randint(1, 89)),
            "mm": lambda: str(self._random.randint(2, 80)),
            "months": lambda: str(self._random.randint(1, 6)),
            "exam": lambda: choose(sentences()["exams"]),
            "history": lambda: choose(sentences()["history"]),
            "quality": lambda: choose(sentences()["qualities"]),
            "Quality": lambda: choose(sentences()["qualities"]).capitalize(),
            "finding": lambda: choose((choose(sentences()["findings"]), choose(lists["clinical"]))),
            "site": lambda: choose(sentences()["sites"]),
            "relative": lambda: choose(sentences()["relatives"]),
            "inst": lambda: choose(sentences()["institutions"]),
            "title": lambda: choose(sentences()["titles"]),
            "mr": lambda: choose(("Mr.", "Mrs.", "Ms.", "Mr", "Ms", "Miss")),
            "Eponym": lambda: choose(lists["eponym"]).title(),
            "clinical": lambda: choose(lists["clinical"]),
            "heading": lambda: self._words("english").title(),
            "words": lambda: self._words("english"),
            "foreign": lambda: self._words(choose(_LANGUAGES)),
            "foreignsent": lambda: self.sentence(choose(SPOKEN)),
            "foreignlabel": lambda: choose(sentences()["foreign labels"]),
            "eponymlist": self._eponyms,
            "head": lambda: choose(sentences()["heads"]),
            "device": lambda: choose(lists["device"]).title(),
            "vendor": lambda: choose(lists["vendor"]).title(),
            "gene": lambda: choose(lists["abbreviation"]).upper(),
            "acronym": lambda: choose(lists["abbreviation"]).upper(),
            "business": lambda: choose(sentences()["businesses"]),
            "street": lambda: choose(sentences()["streets"]),
        }
        return made[slot]()

    def _date(self) -> str:
        month, day = self._random.randint(1, 12), self._random.randint(1, 28)
        return f"{month}/{day}/{self._random.randint(2010, 2026)}"

    def _eponyms(self) -> str:
        """``Lisfranc, Chopart and Stener lesions``."""
        count = self._random.randint(1, 4)
        names = [self._random.choice(listed()["eponym"]).title() for _ in range(count)]
        head = self._random.choice(sentences()["heads"])
        joint = self._random.choice((" and ", " or ", ", ", "/"))
        return f"{joint.join([', '.join(names[:-1]), names[-1]]) if count > 1 else names[0]} {head}"

    def sentence(self, language: str) -> str:
        """Words of a language as sentences have them: little, everyday and medicine's ones."""
        little, spoken = listed()[f"{language} general"], listed()[f"{language} spoken"]
        medical = listed()[f"{language} descriptor"]
        words: list[str] = []
        for _ in range(self._random.randint(4, 12)):
            kind = self._random.random()
            source = little if kind < 0.4 else spoken if kind < 0.75 else medical
            word = self._random.choice(source)
            noun = language == "de" and kind >= 0.4 and self._random.random() < 0.6
            words.append(word.capitalize() if noun else word)
        return " ".join([words[0].capitalize(), *words[1:]]) + self._random.choice(
            (".", ",", ":", ".")
        )

    def _words(self, language: str) -> str:
        lists, count = listed(), self._random.randint(3, 10)
        words = [
            self._random.choice(lists[language if self._random.random() < 0.6 else "clinical"])
            if language == "english"
            else self._random.choice(lists[language])
            for _ in range(count)
        ]
        share = 0.5 if language == "de" else 0.1
        words = [word.title() if self._random.random() < share else word for word in words]
        return " ".join([words[0].capitalize(), *words[1:]])


_LABELLED = {"inst": "house", "business": "house", "date": "date"}
_COMPOSED = {
    "person": "persons",
    "doctor": "doctors",
    "sentence": "sentences",
    "eponym": "eponyms",
}
