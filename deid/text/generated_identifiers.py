# SPDX-License-Identifier: Apache-2.0
"""Made-up houses, record numbers and days, for training texts.

Each is put together by chance from parts, so that a classifier learns their shape and what stands
around them, not a list of them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from deid.text.lexicon import english_words, is_held_out, names, place_words
from deid.text.months import months_of

_PART = re.compile(r"\{([^{}]+)\}")
_SCRIPTS = (re.compile(r"[a-zà-žß]+"), re.compile("[а-яёіїє]+"), re.compile("[α-ωά-ώ]+"))
_SCRIPT_OF = {"ru": 1, "el": 2}
_INVENTED = 0.3
_WORD_NAME = 0.06
_DOUBLE, _PARTICLE = 0.07, 0.05
_PARTICLES = {
    "de": ("von ", "van ", "zu ", "von der "),
    "nl": ("van ", "van der ", "van den ", "de ", "ter "),
    "fr": ("de ", "du ", "Le ", "La ", "d'", "El ", "Ben "),
    "es": ("de la ", "del ", "de los ", "de "),
    "it": ("Di ", "De ", "D'", "Dalla ", "Lo "),
    "pt": ("da ", "dos ", "de ", "do "),
    "sv": ("af ", "von "),
    "da": ("von ", "de "),
    "no": ("von ", "de "),
    "fi": ("af ", "von "),
    "en": ("O'", "Mc", "Mac", "van der ", "de la ", "Al-", "bin ", "El-", "St. ", "D'", "de "),
}
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


@cache
def material() -> dict[str, Any]:
    """Frames, sentences, houses and days by language, and parts that all of them share."""
    path = Path(__file__).parent / "data" / "training_frames.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@cache
def _listed(part: str, script: int) -> tuple[str, ...]:
    wanted = _SCRIPTS[script]
    known = (n for n in names(part) if len(n) > 1 and not is_held_out(n) and wanted.fullmatch(n))
    return tuple(sorted(known))


@cache
def _words() -> tuple[str, ...]:
    return tuple(
        sorted(word for word in english_words() if 3 < len(word) < 9 and not is_held_out(word))
    )


@cache
def _towns() -> tuple[str, ...]:
    return tuple(sorted(place_words()))


class Identifiers:
    """Makes identifiers of one language.

    Parameters
    ----------
    chance:
        Decides everything.
    language:
        Of ``material()``; Russian and Greek names are of their script.
    """

    def __init__(self, chance: random.Random, language: str) -> None:
        self._chance = chance
        self._material = material()[language]
        self._shared = material()["shared"]
        self._script = _SCRIPT_OF.get(language, 0)
        self._language = language

    def name(self, part: str) -> str:
        """A ``given`` or ``family`` name: of the list, invented, or a word."""
        kind = self._chance.random()
        if kind < _INVENTED:
            return self.invented()
        if kind < _INVENTED + _WORD_NAME and part == "family" and not self._script:
            return self._chance.choice(_words()).capitalize()
        name = self._chance.choice(_listed(part, self._script)).capitalize()
        if part == "family":
            return self._of_parts(name)
        return name

    def _of_parts(self, name: str) -> str:
        """Now and then a family name of two, or with a particle before it."""
        kind = self._chance.random()
        if kind < _DOUBLE:
            return f"{name}-{self._chance.choice(_listed('family', self._script)).capitalize()}"
        if kind < _DOUBLE + _PARTICLE and self._language in _PARTICLES:
            whole = str(self._chance.choice(_PARTICLES[self._language])) + name
            return name if is_held_out(whole.lower()) else whole
        return name

    def invented(self) -> str:
        """A name of two or three syllables that no list need have."""
        starts, vowels, ends = self._shared["syllables"][self._script]
        choose = self._chance.choice
        while True:
            count = self._chance.randint(2, 3)
            name: str = "".join(choose(starts) + choose(vowels) for _ in range(count))
            name += choose(["", choose(ends)])
            if not is_held_out(name):
                return name.capitalize()

    def town(self) -> str:
        """A town, or what could be one."""
        if self._script or self._chance.random() < _INVENTED:
            return self.invented()
        return self._chance.choice(_towns()).title()

    def house(self) -> str:
        """A hospital, practice, ward, home, school or firm: ``Oakfield Surgery``."""
        form = self._chance.choice(self._material["houses"])
        return _PART.sub(lambda match: self._part(match[1]), form)

    def bare_house(self) -> str:
        """What people call a house by: its name alone."""
        kind = self._chance.random()
        if kind < 0.3:
            return self.house()
        return self._own_name() if kind < 0.9 else self._own_name().lower()

    def _part(self, part: str) -> str:
        choose = self._chance.choice
        made: dict[str, Callable[[], str]] = {
            "x": self._own_name,
            "k": lambda: str(self._chance.randint(1, 240)),
            "n": lambda: choose(self._shared["growing" if self._language != "en" else "trees"]),
            "n2": lambda: choose(self._shared["tails"]),
            "s": lambda: choose(self._shared["saints"]),
        }
        return made[part]() if part in made else str(choose(part.split("|")))

    def _own_name(self) -> str:
        kind, choose = self._chance.random(), self._chance.choice
        if kind < 0.3:
            return self.name("family")
        if kind < 0.6 or self._script:
            return self.town()
        if kind < 0.8:
            return f"{choose(self._shared['trees'])}{choose(self._shared['tails'])}"
        return str(choose(self._shared["trees"])) if kind < 0.9 else choose(_words()).title()

    def number(self) -> str:
        """A record number of any shape: ``RX/44-1808 B``."""
        shape = self._chance.choice(self._shared["numbers"])
        return "".join(self._character(sign) for sign in shape if sign != ",")

    def phone(self) -> str:
        """A phone number, or the four digits of a pager."""
        shape = self._chance.choice(self._shared["phones"])
        return "".join(self._character(sign) if sign == "d" else sign for sign in shape)

    def address(self) -> str:
        """A house number and a street, in the order of some country."""
        form = self._chance.choice(self._shared["streets"])
        return _PART.sub(lambda match: self._part(match[1]), form)

    def _character(self, sign: str) -> str:
        if sign == "d":
            return self._chance.choice("0123456789")
        if sign in "Aa":
            letter = self._chance.choice(_LETTERS)
            return letter if sign == "A" else letter.lower()
        return sign

    def date(self) -> str:
        """A day of a year, in numbers or with the month's name."""
        day, month = self._chance.randint(1, 28), self._chance.randint(1, 12)
        year = self._chance.randint(1930, 2029)
        forms = (
            f"{day:02d}/{month:02d}/{year}",
            f"{month}/{day}/{year}",
            f"{day}.{month}.{year}",
            f"{year}-{month:02d}-{day:02d}",
            f"{year}{month:02d}{day:02d}",
            f"{day:02d}-{self._month()}-{year}",
            f"{day} {self._month()} {year}",
            f"{day:02d}/{month:02d}/{year % 100:02d}",
            f"{self._month()} {day}, {year}",
        )
        return self._chance.choice(forms)

    def day(self) -> tuple[str, str, str]:
        """A day, most often without a year, between the words before and behind it."""
        form = str(self._chance.choice(self._material["days"]))
        week = ""
        if form.startswith("{W}"):
            week = self._weekday()
            form = form.removeprefix("{W}")
        start, end = form.index("{"), form.rindex("}") + 1
        day = _PART.sub(lambda match: self._day_part(match[1]), form[start:end])
        return week + form[:start], day, form[end:]

    def month_and_year(self) -> str:
        """``March 2019``, ``03/2019``."""
        year = self._chance.randint(1990, 2029)
        return self._chance.choice(
            (f"{self._month()} {year}", f"{self._chance.randint(1, 12):02d}/{year}", f"{year}")
        )

    def _month(self) -> str:
        months = months_of(self._language) or months_of("en")
        month = self._chance.choice(months)
        return month if self._language not in ("en", "de", "tr", "el") else month.capitalize()

    def _weekday(self) -> str:
        return str(self._chance.choice(self._material["weekdays"]))

    def _day_part(self, part: str) -> str:
        number = self._chance.randint
        day = number(1, 31)
        year = number(1990, 2029)
        ordinal = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
        made = {
            "d": str(day) if self._chance.random() < 0.8 else f"{day:02d}",
            "e": str(number(1, 31)),
            "m": self._chance.choice((str(number(1, 12)), f"{number(1, 12):02d}")),
            "M": self._month(),
            "W": self._weekday(),
            "y": str(year),
            "y2": f"{year % 100:02d}",
            "o": ordinal.get(day, "th"),
        }
        return made[part]
