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


def _numbers(chance: random.Random) -> dict[str, str]:
    number = chance.randint
    return {
        "mrn": chance.choice((f"{number(10**6, 10**8)}", f"{number(100, 999)}-{number(10, 99)}-{number(1000, 9999)}", f"P{number(10**5, 10**7)}")),
        "accession": chance.choice((f"A{number(10**6, 10**8)}", f"{number(2015, 2026)}-{number(10**4, 10**6)}", f"RAD{number(10**5, 10**6)}")),
        "ssn": f"{number(100, 999)} {number(100, 999)} {number(1000, 9999)}",
        "specimen": f"S{number(10, 26)}-{number(10000, 99999)}",
        "policy": f"{chance.choice('ABCX')}{number(10**7, 10**8)}",
        "room": f"{number(1, 9)}{number(10, 40)}",
        "ext": f"{number(1000, 9999)}",
        "phone": chance.choice(
            (f"({number(201, 989)}) {number(200, 999)}-{number(1000, 9999)}", f"+44 20 {number(1000, 9999)} {number(1000, 9999)}",
             f"{number(201, 989)}.{number(200, 999)}.{number(1000, 9999)}", f"0{number(30, 89)} {number(1000, 9999)} {number(100, 999)}")
        ),
    }  # fmt: skip


def _dates(chance: random.Random) -> dict[str, str]:
    made: dict[str, str] = {}
    months = str.split(
        "January February March April May June July August September October November December"
    )
    for key in ("date", "date2", "date3", "dob"):
        year, month, day = chance.randint(1936, 2026), chance.randint(1, 12), chance.randint(1, 28)
        name = months[month - 1]
        made[key] = chance.choice(
            (f"{month:02d}/{day:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day} {name} {year}", f"{name} {day}, {year}",
             f"{day:02d}-{name[:3].upper()}-{year}", f"{year}{month:02d}{day:02d}", f"{month}/{day}/{year % 100:02d}", f"{day}.{month}.{year}",
             f"{name[:3]} {day}, {year}")
        )  # fmt: skip
        made["month_year"] = f"{name} {year}"
        made["date_de"] = f"{day:02d}.{month:02d}.{year}"
        made["dob_de"] = f"{day}.{month}.{year}"
        made["date_fr"] = (
            f"{day} {['janvier', 'février', 'mars', 'avril', 'mai', 'juin', 'juillet', 'août', 'septembre', 'octobre', 'novembre', 'décembre'][month - 1]} {year}"
        )
        made["date_es"] = (
            f"{day} de {['enero', 'febrero', 'marzo', 'abril', 'mayo', 'junio', 'julio', 'agosto', 'septiembre', 'octubre', 'noviembre', 'diciembre'][month - 1]} de {year}"
        )
        made["date_ru"] = (
            f"{day} {['января', 'февраля', 'марта', 'апреля', 'мая', 'июня', 'июля', 'августа', 'сентября', 'октября', 'ноября', 'декабря'][month - 1]} {year} г"
        )
        made["date_ja"] = f"{year}年{month}月{day}日"
        made["date_ko"] = f"{year}년 {month}월 {day}일"
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
        "joined": chance.choice((f"{family}{given}", f"{given[0]}{family}", f"{family}_{given}")).replace("-", ""),
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
        "patient_ja": ja.replace(" ", chance.choice(("", "　", " "))), "other_ja": ja2.split(" ")[0],
        "patient_zh": zh, "other_zh": zh2, "patient_ko": ko, "other_ko": ko2,
    }  # fmt: skip
