# SPDX-License-Identifier: Apache-2.0
"""Made-up people and their identifiers, for the free-text benchmark."""

from __future__ import annotations

import random
import unicodedata
from functools import cache
from typing import NamedTuple

from deid.text.lexicon import english_words, is_held_out, names, place_words

_STREETS = (
    "Maple Street",
    "Oak Avenue",
    "Church Road",
    "Kings Lane",
    "Harbour Drive",
    "Mill Court",
)
_HOUSES = (
    "General Hospital",
    "Medical Center",
    "Memorial Hospital",
    "Clinic",
    "University Hospital",
)

_JA = ("長谷部 慎也", "大久保 由美", "河村 誠", "今井 千尋", "西野 裕介", "柴崎 真由")
_ZH = ("欧阳建国", "蒋丽娜", "邓志强", "萧美玲", "范文博", "彭晓东")
_KO = ("남궁민수", "황보라영", "채은비", "도경환", "서지원", "백승호")
_RU = ("Заболоцкий Игорь Львович", "Кравчук Оксана Юрьевна", "Мещеряков Глеб", "Шишкина Вера")

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}  # fmt: skip


class Person(NamedTuple):
    """A name as a header has it."""

    given: str
    family: str


@cache
def _pool(part: str) -> tuple[str, ...]:
    """Held-out names in Latin letters, among them none that is a word with another meaning."""
    words = english_words() | place_words()
    return tuple(
        sorted(
            name
            for name in names(part)
            if is_held_out(name) and name.isascii() and len(name) > 3 and name not in words
        )
    )


def person(chance: random.Random) -> Person:
    """Someone; one in eight has a double family name."""
    family = chance.choice(_pool("family")).title()
    if chance.random() < 0.125:
        family += "-" + chance.choice(_pool("family")).title()
    return Person(chance.choice(_pool("given")).title(), family)


def _accented(name: str) -> str:
    table = str.maketrans({"a": "á", "o": "ö", "e": "é", "u": "ü", "n": "ñ", "i": "í"})
    return name[0] + unicodedata.normalize("NFC", name[1:].translate(table))


def _typo(chance: random.Random, name: str) -> str:
    at = chance.randrange(1, len(name) - 1)
    return name[:at] + name[at + 1 :] if len(name) > 5 else name


def _month(language: str, month: int) -> str:
    return _MONTHS[language].split()[month - 1]


def _numbers(chance: random.Random) -> dict[str, str]:
    def digits(*counts: int) -> list[str]:
        return [str(chance.randint(10 ** (count - 1), 10**count - 1)) for count in counts]

    def one_of(*forms: str) -> str:
        return chance.choice(forms)

    a, b, c, d = digits(3, 2, 4, 3)
    return {
        "mrn": one_of(*digits(7), *digits(8), f"{a}-{b}-{c}", "P" + digits(6)[0]),
        "accession": one_of("A" + digits(7)[0], f"20{b}-{digits(5)[0]}", "RAD" + digits(6)[0]),
        "ssn": f"{a} {d} {c}",
        "specimen": f"S{b}-{digits(5)[0]}",
        "policy": chance.choice("ABCX") + digits(8)[0],
        "room": digits(3)[0],
        "ext": c,
        "phone": one_of(f"({a}) {d}-{c}", f"+44 20 {c} {c}", f"{a}.{d}.{c}", f"0{b} {c} {d}"),
    }


def _dates(chance: random.Random) -> dict[str, str]:
    made: dict[str, str] = {}
    for key in ("date", "date2", "date3", "dob"):
        year, month, day = chance.randint(1936, 2026), chance.randint(1, 12), chance.randint(1, 28)
        name = _month("en", month)
        us = f"{month:02d}/{day:02d}/{year}", f"{month}/{day}/{year % 100:02d}"
        named = f"{day} {name} {year}", f"{name} {day}, {year}", f"{name[:3]} {day}, {year}"
        iso = f"{year}-{month:02d}-{day:02d}"
        plain = iso, iso.replace("-", ""), f"{day}.{month}.{year}"
        made[key] = chance.choice((*us, *named, *plain, f"{day:02d}-{name[:3].upper()}-{year}"))
        made |= {
            "month_year": f"{name} {year}",
            "date_de": f"{day:02d}.{month:02d}.{year}",
            "dob_de": f"{day}.{month}.{year}",
            "date_fr": f"{day} {_month('fr', month)} {year}",
            "date_es": f"{day} de {_month('es', month)} de {year}",
            "date_ru": f"{day} {_month('ru', month)} {year} г",
            "date_ja": f"{year}年{month}月{day}日",
            "date_ko": f"{year}년 {month}월 {day}일",
        }
    return made


def slots_of(
    chance: random.Random, patient: Person, referrer: Person, other: Person
) -> dict[str, str]:
    """Everything that templates name."""
    given, family = patient
    is_man = chance.random() < 0.5
    joined = [
        f"{family}, {given}",
        f"{given} {family}",
        f"{family} {given}",
        f"{given[0]}. {family}",
    ]
    ja, ja2 = chance.sample(_JA, 2)
    zh, zh2 = chance.sample(_ZH, 2)
    ko, ko2 = chance.sample(_KO, 2)
    ru, ru2 = chance.sample(_RU, 2)
    place = chance.choice(_pool("family")).title()
    return {
        **_numbers(chance), **_dates(chance),
        "patient": chance.choice(joined), "given": given, "family": family,
        "given_upper": given.upper(), "family_upper": family.upper(),
        "upper_family": family.upper(), "upper_given": given.upper(),
        "lower_family": family.lower(), "lower_given": given.lower(),
        "FAMILY_FIRST_UPPER": f"{family}, {given}".upper(),
        "other_family_upper": other.family.upper(),
        "middle": chance.choice("ABCDEFGHJKLMNPRSTW"),
        "initials_dotted": f"{given[0]}.{family[0]}.",
        "joined": chance.choice((family + given, given[0] + family, f"{family}_{given}")).replace(
            "-", ""
        ),
        "split_family": " ".join(family.split("-")[0].upper()),
        "accentless": f"{_accented(given)} {_accented(family)}",
        "typo": f"{given} {_typo(chance, family)}",
        "patient_id_form": f"{given} {family}",
        "referrer": f"{referrer.given} {referrer.family}",
        "other": f"{other.given} {other.family}", "other_family": other.family,
        "other_initials": f"{other.given[0]}{other.family[0]}",
        "relative": chance.choice(_pool("given")).title(),
        "He": "He" if is_man else "She", "His": "His" if is_man else "Her",
        "Mr": "Mr." if is_man else "Ms.", "Mrs": "Mrs." if not is_man else "Mr.",
        "address": f"{chance.randint(1, 999)} {chance.choice(_STREETS)}",
        "city_address": f"{chance.randint(1, 999)} {chance.choice(_STREETS)}, {place}",
        "hospital": f"{place} {chance.choice(_HOUSES)}",
        "email": f"{given}.{family}@example.org".lower(),
        "url": f"https://pacs.example.org/view?study={chance.randint(1000, 9999)}",
        "path": f"D:\\export\\{family}_{given}\\IM001",
        "patient_ru": ru, "referrer_ru": ru2,
        "patient_ja": ja.replace(" ", chance.choice(("", "　", " "))),
        "other_ja": ja2.split(" ")[0],
        "patient_zh": zh, "other_zh": zh2, "patient_ko": ko, "other_ko": ko2,
    }  # fmt: skip
