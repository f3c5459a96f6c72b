# SPDX-License-Identifier: Apache-2.0
"""Dates in running text, in any common writing, and how they are shifted.

Numeric in either order, with month names of twenty languages, as DICOM and ISO 8601 write them,
with Chinese, Japanese and Korean marks, Japanese eras, Buddhist years, partial. A time of day that
follows stays. A shifted date keeps its writing; where a writing can't be shifted its place is
taken by the placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from deid.text.dates_in_words import ORDINALS, spoken_dates
from deid.text.folding import aligned
from deid.text.kinds import Kind, Span
from deid.text.months import months

_YEAR = r"(?P<y>(?:19|20)\d{2})"
_BUDDHIST = 2400
_BUDDHIST_OFFSET = 543
_PIVOT = 40
_ANY_YEAR = 2001
_LAST_YEAR = 2040
_UNIT = (
    r"(?!\s?(?:mm|cm|m?sv|mgy|ml|cc|mg|kg|g|hu|%|sec|s|ms|min|mins|minutes?|hours?|h|hz|mhz|kv|kvp|"
    r"mas?|mci|mbq|x|views?|films?|cores?|segments?|nodes?|levels?|vessels?|degrees?|slices?|images?|frames?|cells|units?|iu)\b)"
)
_TIME = (
    r"(?P<time>[t ,]{0,2}(?:at |@ ?|um |a las |a |alle |om |klo |в |- )?"
    r"(?:[01]?\d|2[0-3])[:h.][0-5]\d(?![\d.])(?::?[0-5]\d(?:\.\d+)?)?"
    r" ?(?:[ap]\.?m\.?\b|hrs\b|uhr\b|h\b|z\b|[+-]\d\d:?\d\d\b)?)?"
)
_ORDINAL = r"(?:st|nd|rd|th|er|\.|º|°|-?го)?"
_JOIN = r"[\s\-./,]{0,2}(?:of |de |del |den )?"
_SEASONED = frozenset(
    str.split(
        "tr te ti b hu matrix kv window level width wl ww fov zoom version v grid cpt id "
        "no nr x iso series image slice # jpeg jpg "
    )
)
_WEEKDAYS = (
    r"mon|tues?|wed|thu|thurs|fri|sat|sun|(?:mon|tues|wednes|thurs|fri|satur|sun)day|mo|di|mi|do|fr|sa|so|"
    r"montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|"
    r"dimanche|lunes|martes|miercoles|jueves|viernes|sabado|domingo|lunedi|martedi|mercoledi|giovedi|venerdi|"
    r"sabato|domenica|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|"
    r"mandag|tirsdag|onsdag|torsdag|fredag|tisdag|segunda|terca|quarta|quinta|sexta|"
    r"poniedzialek|wtorek|sroda|czwartek|piatek|понедельник|вторник|среду|четверг|пятницу"
)
# Months of one language, words of English: "the set. 5 Fr" is no fifth of September.
_WORDS_TOO = frozenset(("set", "out", "ago", "gen", "mag"))
_CUED = (
    rf"(?:\b(?:{_WEEKDAYS}|tomorrow|today|yesterday|lmp|edd|edc|due|dob|appt|appointment|admitted|discharged|"
    rf"(?:re)?sched(?:uled?)?(?: (?:to|for))?|through|thru|till|before|after|by|next|done|ago|"
    rf"seen|call|called|"
    rf"rebook(?:ed)?(?: after| for)?|last|expires?|exp|ends?|ending|begins?|beginning|"
    rf"cancel(?:led|ed)?|r/s|"
    r"(?:re-?)?booked(?: for)?|postponed(?: to)?|moved to|dos|starting|started|dnad?|scanned|"
    r"imaged|"
    r"on|from|comparison|compared (?:to|with)|dated|since|of|study|exam|prior|until|to|date"
    r"|performed|vom|am|seit|bis|du|le|zum|ab|el dia|del dia|il giorno|op|dato|den|le"
    r"|aterbesok|kontroll|kontrolle|termin|rdv|rendez-vous|cita|controle|controllo|kontrola|wizyta|afspraak|"
    r"besok|mote|dum|ddr|avp|fur|wv|op-termin"
    r"|del|el|dal|il|em|op|dd|z|dnia|от|с|la|den)\.?[ :,]{1,2}(?:the )?)"
)

_WEEKDAY_BEFORE = re.compile(
    rf"(?<![^\W\d_])(?:(?!\w\w\b[^.,])(?:{_WEEKDAYS}))\b\.?,? (?:(?:the|den|dem|le|el|il|der) )?$"
)

_BIRTH_CUE = 32
_BIRTH = re.compile(
    r"(?:\bborn|\bd\.?o\.?b\b\.?|\bbirth ?da(?:te|y)|\bdate of birth|\bb\.?d\.?:|"
    r"\bgeb(?:oren|\.|urtsdatum)?|\bne(?:\(?e\)?)? le|\bdate de naissance|\bnacid[oa](?:/a|\(a\))?|"
    r"\bf\.? ?(?:echa de |de )?nac(?:imiento|\.)?|\bnat[oa](?: il| a)?|\bdata di nascita|"
    r"\bgeboortedatum|\bdata de nascimento|\bd\.? ?n\.?:|\bur\.|\burodz(?:on[ya]|\.)|"
    r"\bdata urodzenia|\bfodt|\bfodd|\bfodelsedatum|\bfodselsdato|\bnarozen[ay]?|\bnar\.|"
    r"\bdogum tarihi|\bd\.? ?t\.?:|\bг\.?р\.?|\bд\.?р\.?|\bродил(?:ся|ась)|\bдата рождения|"
    r"生年月日|出生日期|出生|생년월일)[\s:.,=-]*(?:is|on|am|le|il|el|den|em|the|dnia)?[\s:]*$"
)

# "Pain 8/10 to 2/10"
_OUT_OF_TEN = re.compile(r"\d/10(?: to | ?[-–>]+ ?| at \w+,? )\d{1,2}/10(?!\d)")


class _Writing(NamedTuple):
    pattern: re.Pattern[str]
    can_shift: bool = True


@cache
def _writings() -> tuple[_Writing, ...]:
    names = "|".join(re.escape(name) for name in sorted(months(), key=len, reverse=True))
    month = rf"(?P<name>{names})(?![^\W\d_])\.?"
    year = r"(?P<y>'?\d{2}\b|\d{4})"
    day = r"(?P<d>[0-3]?\d)"
    start = r"(?<![\d.])"
    wide = r"(?<![\d.])(?<!\d[/-])(?<![^\W\d_])"
    until = r"(?:(?<![\d.])(?<!\d[/-])|(?<=[/.]\d\d-)|(?<=[/.]\d{4}-))(?<![^\W\d_])"
    sources = (
        rf"{start}(?P<y>\d{{4}})(?P<s>[-/.])(?P<m>\d{{1,2}})(?P=s)(?P<d>\d{{1,2}})(?!\d){_TIME}",
        (
            rf"{until}(?P<a>\d{{1,2}})\s?(?P<s>[-/.])\s?(?P<b>\d{{1,2}})\s?(?P=s)\s?"
            rf"(?P<y>'?\d{{2}}|\d{{4}})(?!\d)(?![/.]\d|-\d(?!\d?(?P=s)\d\d?(?P=s)\d)){_UNIT}{_TIME}"
        ),
        (
            rf"(?<!\d){_YEAR}(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"
            r"(?:[t_ -]?(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?)?(?!\d)"
        ),
        rf"{wide}{day}{_ORDINAL}{_JOIN}{month}(?:{_JOIN}{year})?(?!\d){_TIME}",
        (
            rf"(?<![^\W\d_]){month}(?:[\s-]|(?=\d\d?,?[\s-]?\d{{4}}))(?:the )?{day}(?:st|nd|rd|"
            rf"th)?(?!\d)"
            rf"(?:,?[\s-]{{0,2}}{year})?(?![\d]){_UNIT}{_TIME}"
        ),
        rf"(?<![^\W\d_]){month}{_JOIN}(?P<y>'\d{{2}}|\d{{4}})(?!\d)",
        rf"{wide}(?P<m>0?[1-9]|1[0-2])[-/.]{_YEAR}(?![\d]){_UNIT}",
        r"(?P<y>\d{4})\s*[年년]\s*(?P<m>\d{1,2})\s*[月월](?:\s*(?P<d>\d{1,2})\s*[日일号])?",
        rf"{_CUED}(?<![\d.])(?P<a>\d{{1,2}})(?P<s>/)(?P<b>\d{{1,2}})(?!\d)(?![-/.]\d){_UNIT}",
        (
            r"\b(?:am|vom|bis|seit|zum|ab|dnia|от|с|по) (?P<a>\d{1,2})(?P<s>\.)"
            rf"(?P<b>0?[1-9]|1[0-2])(?!\d)(?!\.\d){_UNIT}"
        ),
        rf"(?<![\d.,/+-])(?<![^\W\d_]){_YEAR}(?![\d/]|[.,]\d|-\d){_UNIT}(?![^\W\d_年년])",
    )
    ordinal = "|".join(ORDINALS)
    in_words = (
        rf"(?<![^\W_])(?:the )?(?:{ordinal})(?: day)? (?:of )?(?:{names})(?![^\W\d_])"
        r"(?:,? (?:in (?:the year )?)?\d{4})?"
    )
    fixed = (
        (
            r"(?<![\d.])[0-3]?\d\s?(?P<rs>[-/. ])\s?(?:xi{0,2}|i{1,3}|iv|vi{0,3}|ix)\s?(?P=rs)"
            r"\s?(?:19|20)\d{2}(?!\d)"
        ),
        r"(?:令和|平成|昭和|大正|(?<![^\W_])[rhs])\s?(?:\d{1,2}|元)[年./]\s?\d{1,2}[月./]\s?\d{1,2}日?",
        r"(?:民國|民国)\s?\d{1,3}\s?年(?:\s?\d{1,2}\s?月)?(?:\s?\d{1,2}\s?日)?",
        (
            r"(?<=\bthe )\d{1,2}(?:st|nd|rd|th)(?=\s*(?:[.,;)]|$|at\b|for\b|and\b|with\b|"
            r"of this\b|of last\b|of next\b))"
        ),
        r"(?<![\d/.])[01]?\d/[0-3]?\d(?= (?:[01]\d|2[0-3])[0-5]\d(?:\s?h(?:rs)?)?(?![\d:]))",
        (
            r"(?:date of birth|d\.?o\.?b\.?|born)(?: is| on)?:? (?P<spoken>(?:(?:(?:thir|four|"
            r"fif|six|seven|eigh|nine)teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|"
            r"ninety|"
            r"eleven|twelve|one|two|three|four|five|six|seven|eight|nine|ten|oh|"
            r"hundred|thousand|first|second|third|and)[ -]?){3,8})"
        ),
        # As a scanner misreads them: "l2/O4/1961".
        r"(?<!\w)(?=[lio/.\-]*\d)[\dlio]{1,2}([/.\-])[\dlio]{1,2}\1[12l][\dlio]{3}(?!\w)",
        *_short_dates(day, names),
        r"\d{4}\s?[年년]",
        r"\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일号]",
    )
    return (
        _Writing(re.compile(in_words), can_shift=False),
        *(_Writing(re.compile(source), can_shift=False) for source in spoken_dates()),
        *(_Writing(re.compile(source)) for source in sources),
        *(_Writing(re.compile(source), can_shift=False) for source in fixed),
        _Writing(re.compile(_cued_month()), can_shift=False),
    )


def _short_dates(day: str, names: str) -> tuple[str, ...]:
    """Days without a year, where nothing says that they are dates but their form."""
    first = day.replace("?P<d>", "?:")
    return (
        # "2 au 9 février", "05.–12. März": the first day of a span of days
        (
            rf"(?<![\d.,/]){first}(?:\.|er)?\s?(?:au|bis|al|a|to|do|tot|til|"
            rf"till|et|und|and|y|e|i|-|–)\s?"
            rf"(?=[0-3]?\d{_ORDINAL}{_JOIN}(?:{names})(?![^\W\d_]))"
        ),
        # "vom 02. bis 09.11.2023", "van 17-04 tot 21-04-2024"
        (
            r"(?<![\d.,/])(?:0?[1-9]|[12]\d|3[01])\.(?=\s?(?:bis|und|til|till|-|–)\s?"
            r"(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.)"
        ),
        (
            r"(?<![\d.,/-])[0-3]?\d([-/.])[01]?\d(?=\s?(?:tot|t/m|bis|to|till|au|al|a|do|-|–)\s?"
            r"[0-3]?\d\1[01]?\d\1\d\d)"
        ),
        # "22.05." at the end of a clause, "AVP 24/08": a nought where no number has one.
        r"(?<![\d.,/])(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.(?![\d.])",
        rf"(?<![\d.,/])(?:0?[1-9]|[12]\d|3[01])/0[1-9](?![\d/%]|[.,]\d){_UNIT}",
        # More than there are in all: "16/9" is no ratio. Pressures and acuities are.
        (
            r"(?=(?:1[3-9]|2\d|3[01])/)(?<![\d.,/+\-])"
            r"(?<!pa )(?<!rv )(?<!niv )(?<!pap )(?<!ipap )(?<!bp )(?<!va "
            r")(?<!ure )(?<!ures )(?<!uity )(?<!ision )"
            rf"(?:1[3-9]|2\d|3[01])/(?:0?[1-9]|1[0-2])(?![\d/%]|[.,]\d|\s?mmhg|\s?kpa){_UNIT}"
        ),
        # "passou para dia 17."
        (
            r"(?<=\b)(?:para o?|no|el|al|del|ate o?|il) ?(?:dia|giorno) "
            r"(?P<ordinal>\d{1,2})(?=\s*(?:[.,;)]|$))"
        ),
        # "MDT on Thursday 14th", "booked 30th at"
        (
            rf"(?<=\b)(?:(?:{_WEEKDAYS}|booked|due|until|till|by)(?: the)? "
            rf")(?P<ordinal>\d{{1,2}}(?:st|nd|rd|th))(?! (?:centile|percentile|rib|week|"
            r"toe|finger|digit|metatarsal|metacarpal|ray|nerve|ventricle|intercostal))(?!\w)"
        ),
    )


def _cued_month() -> str:
    unclear = {"may", "march", "mar", "mai", "mars", "jan", "out", "set", "sep", "dec", "marks"}
    long = [name for name in months() if len(name) > 3 and name not in unclear]
    names = "|".join(re.escape(name) for name in sorted(long, key=len, reverse=True))
    cue = (
        r"(?:in|since|last|from|until|till|by|of|early|late|mid|next|this|following|previous|coming|past|"
        r"the|during|before|after|through|between|around|about|beginning|end|im|seit|anfang|ende|mitte|en|"
        r"depuis|fin|debut|desde|hasta|dal|da|nel|sinds|begin|eind|od|w|в|с|с|до|i|fra|till)"
    )
    return (
        rf"(?<=\b)(?:{cue}[ -])(?P<only>{names}|may|march)\b(?! (?:be|have|not|represent|reflect))"
    )


def dates_in(
    text: str, days: int | None = None, year: int = _ANY_YEAR, born: date | None = None
) -> Iterator[Span]:
    """Find dates; with ``days`` each brings its shifted writing.

    Parameters
    ----------
    text:
        Any text.
    days:
        The patient's date shift; ``None`` for placeholders.
    year:
        The year of dates that have none, that of the study.
    born:
        The patient's date of birth. Neither it nor a date that the text calls one is shifted:
        beside the shifted date of the study it would tell the age in days.
    """
    plain = aligned(text)
    day_first = _is_day_first(plain)
    taken = [False] * len(plain)
    for writing in _writings():
        for match in writing.pattern.finditer(plain):
            start, end = match.start(), _date_end(match)
            if (group := _core_start(match)) is not None:
                start = group
            if any(taken[start:end]) or not _is_plausible(match, plain, text, day_first):
                continue
            taken[start : match.end()] = [True] * (match.end() - start)
            if (weekday := _weekday_before(plain, start)) is not None:
                yield Span(weekday, start, Kind.DATE, "pattern", "")
            shifted = None
            if days is not None and writing.can_shift and not _tells_birth(match, plain, start):
                shifted = _shifted(match, text, start, (days, born), (day_first, year))
            yield Span(start, end, Kind.DATE, "pattern", shifted)


def _date_end(match: re.Match[str]) -> int:
    """Where it ends: a time of day is no element of a date, 45 CFR 164.514(b)(2)(i)(C)."""
    timed = "time" in match.re.groupindex and match["time"] is not None
    return match.start("time") if timed else match.end()


def _weekday_before(plain: str, start: int) -> int | None:
    """Where the weekday before a date begins: an element of the date, and it tells the shift."""
    match = _WEEKDAY_BEFORE.search(plain, max(0, start - 16), start)
    return match.start() if match is not None else None


def _core_start(match: re.Match[str]) -> int | None:
    """Where the date begins behind its cue."""
    groups = match.re.groupindex
    for cued in ("only", "feast", "ordinal", "spoken"):
        if cued in groups:
            return match.start(cued)
    return match.start("a") if "a" in groups and match.start("a") >= 0 else None


def _is_day_first(plain: str) -> bool:
    """Tell from the clear dates of a text how to read the unclear ones."""
    pairs = re.findall(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(?:\d{4}|\d{2})(?!\d)", plain)
    if any(int(a) > 12 for a, _ in pairs):
        return True
    if any(int(b) > 12 for _, b in pairs):
        return False
    return not plain.isascii()


def _parts(match: re.Match[str], day_first: bool) -> tuple[int | None, int | None, int | None]:
    """Year, month and day, as far as written."""
    found = {key: value for key, value in match.groupdict().items() if value is not None}
    month = int(found["m"]) if "m" in found else None
    day = int(found["d"]) if "d" in found else None
    if "name" in found:
        month = months()[found["name"]][0]
    if "a" in found:
        first, second = int(found["a"]), int(found["b"])
        day, month = (first, second) if _day_leads(match, day_first) else (second, first)
    return (_full_year(found["y"]) if "y" in found else None), month, day


def _day_leads(match: re.Match[str], day_first: bool) -> bool:
    first, second = int(match["a"]), int(match["b"])
    if first > 12 or second > 12:
        return first > 12
    return day_first or match["s"] == "."


def _full_year(text: str) -> int:
    number = int(text.lstrip("'"))
    if len(text.lstrip("'")) == 2:
        return number + (2000 if number < _PIVOT else 1900)
    return number - _BUDDHIST_OFFSET if number > _BUDDHIST else number


def _is_plausible(match: re.Match[str], plain: str, text: str, day_first: bool) -> bool:
    if "only" in match.re.groupindex:
        return text[match.start("only")].isupper() or not text[match.start("only")].isascii()
    year, month, day = _parts(match, day_first)
    if year is None and _is_no_day(match, plain):
        return False
    if year is not None and not 1850 < year < 2150:
        return False
    in_calendar = (month is None or 1 <= month <= 12) and (day is None or 1 <= day <= 31)
    if in_calendar and year is not None and month is None:
        # 2047 and 2048 are levels and sizes of images, not years that anybody writes of.
        return year < _LAST_YEAR and not _is_setting(plain, match.start())
    return in_calendar


def _is_no_day(match: re.Match[str], plain: str) -> bool:
    """Whether what has no year is a word of English and a number, or a score out of ten."""
    if match.groupdict().get("name") in _WORDS_TOO:
        return True
    return _OUT_OF_TEN.search(plain, max(0, match.start() - 12), match.end()) is not None


def _is_setting(plain: str, start: int) -> bool:
    """Whether a four-digit number is a value of technique: ``TR 2000``, ``b2000``."""
    before = re.search(r"([^\W\d_]+|#)[\s=:]*$", plain[max(0, start - 16) : start])
    return before is not None and before[1] in _SEASONED


def _tells_birth(match: re.Match[str], plain: str, start: int) -> bool:
    """Whether the text says before a date that somebody was born then."""
    if _BIRTH.search(match[0][: start - match.start()]):
        return True
    return _BIRTH.search(plain, max(0, start - _BIRTH_CUE), start) is not None


def _shifted(
    match: re.Match[str],
    text: str,
    start: int,
    patient: tuple[int, date | None],
    reading: tuple[bool, int],
) -> str | None:
    (days, born), (day_first, default_year) = patient, reading
    year, month, day = _parts(match, day_first)
    try:
        written = date(year or default_year, month or 1, day or 1)
        moved = written + timedelta(days)
    except (ValueError, OverflowError):
        return None
    if written == born and year is not None and month is not None and day is not None:
        return None
    fields = _fields(match, day_first)
    result, at = [], start
    for place, role in sorted((match.span(group), role) for group, role in fields.items()):
        result.append(text[at : place[0]])
        result.append(_written(text[slice(*place)], role, moved, match))
        at = place[1]
    return "".join(result) + text[at : _date_end(match)]


def _fields(match: re.Match[str], day_first: bool) -> dict[str, str]:
    fields = {"y": "y", "m": "m", "d": "d", "name": "name"}
    if match.re.groupindex.get("a"):
        fields |= {"a": "d", "b": "m"} if _day_leads(match, day_first) else {"a": "m", "b": "d"}
    return {key: role for key, role in fields.items() if match.groupdict().get(key) is not None}


def _written(old: str, role: str, moved: date, match: re.Match[str]) -> str:
    if role == "name":
        names = months()[match["name"]][1]
        # "May" is long and short; between hyphens and in capitals months are short.
        if match["name"] == "may" and (old.isupper() or match.string[match.end("name")] == "-"):
            names = months()["jan"][1]
        new = names[moved.month - 1]
        return new.upper() if old.isupper() else new.title() if old[0].isupper() else new
    if role == "y":
        bare = old.lstrip("'’")
        year = moved.year + (_BUDDHIST_OFFSET if int(bare) > _BUDDHIST else 0)
        digits = f"{year % 100:02d}" if len(bare) == 2 else f"{year:04d}"
        return old[: len(old) - len(bare)] + digits
    return f"{moved.day if role == 'd' else moved.month:0{len(old)}d}"
