# SPDX-License-Identifier: Apache-2.0
"""Days, years and feasts in words: ``the third of May``, ``nineteen eighty-four``, ``Easter``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.months import months, months_of

ORDINALS = (
    *str.split("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"),
    *str.split("thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"),
    r"twentieth|twenty[ -](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)",
    r"thirtieth|thirty[ -]first",
)
_DAYS_IN_WORDS = {
    "de": "ersten zweiten dritten vierten funften sechsten siebten siebenten achten neunten "
    "zehnten elften "
    "zwolften dreizehnten vierzehnten funfzehnten sechzehnten siebzehnten achtzehnten neunzehnten "
    "zwanzigsten (?:ein|zwei|drei|vier|funf|sechs|sieben|acht|neun)undzwanzigsten dreisigsten "
    "dreissigsten einunddreisigsten einunddreissigsten",
    "fr": "premier deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze "
    "quinze seize "
    "dix-sept dix-huit dix-neuf vingt(?:[ -](?:et[ -])?(?:un|deux|trois|quatre|cinq|six|sept|"
    "huit|neuf))? "
    "trente(?:[ -]et[ -]un)?",
    "es": "primero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
    "quince "
    "dieciseis diecisiete dieciocho diecinueve veinte veinti(?:uno|dos|tres|cuatro|cinco|seis|"
    "siete|ocho|"
    "nueve) treinta(?:[ ]y[ ]uno)?",
    "it": "primo due tre quattro cinque sei sette otto nove dieci undici dodici tredici "
    "quattordici "
    "quindici sedici diciassette diciotto diciannove venti vent(?:uno|otto) "
    "venti(?:due|tre|quattro|cinque|sei|sette|nove) trenta trentuno",
    "nl": "eerste tweede derde vierde vijfde zesde zevende achtste negende tiende elfde twaalfde "
    "dertiende veertiende vijftiende twintigste",
    "pt": "primeiro um dois tres quatro cinco seis sete oito nove dez onze doze treze quatorze "
    "catorze "
    "quinze dezesseis dezasseis dezessete dezoito dezenove vinte trinta",
}
_HOLIDAYS = (
    r"new year'?s'? (?:day|eve)|christmas (?:day|eve)|boxing day|easter (?:sunday|monday|"
    r"saturday|weekend)|"
    r"good friday|thanksgiving(?: day)?|halloween|labou?r day|memorial day|independence day|"
    r"(?:the )?fourth of july|valentine'?s'? day|st\.? patrick'?s'? day|mother'?s'? day|"
    r"father'?s'? day|"
    r"chinese new year|lunar new year|silvester|neujahr(?:stag)?|heiligabend|ostermontag|"
    r"ostersonntag|"
    r"karfreitag|pfingstmontag|pfingstsonntag|nochebuena|nochevieja|noche buena|(?:jour|veille) "
    r"de noel|"
    r"(?:lundi|dimanche) de paques|vigilia di natale|capodanno|ferragosto|koningsdag|oudejaarsdag|"
    r"martin luther king day|mlk day|veterans'? day|columbus day|juneteenth|midsummer(?:'s)? "
    r"(?:day|eve)|"
    r"bonfire night|black friday|cyber monday|ash wednesday|palm sunday|mardi gras|rosenmontag|"
    r"groundhog day|super bowl sunday|st\.? stephen'?s'? day|may day"
)
_CUED_HOLIDAYS = (
    r"christmas|easter|weihnachten|ostern|pfingsten|noel|paques|navidad|natale|"
    r"pasqua|kerst|pasen|diwali|eid|hanukkah|ramadan"
)
_TENS = r"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
_ONES = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_TEENS = r"(?:ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)"
_SPOKEN_YEAR = (
    rf"(?:two thousand(?:,? and)?(?:[ -](?:{_TEENS}|{_TENS}(?:[ -]{_ONES})?|{_ONES}))?|"
    rf"nineteen[ -](?:{_TENS}(?:[ -]{_ONES})?|oh[ -]{_ONES})|twenty[ -](?:{_TEENS}|twenty(?:[ "
    rf"-]{_ONES})?))"
)


def spoken_dates() -> Iterator[str]:
    """Days and years in words, and feasts."""
    for language, words in _DAYS_IN_WORDS.items():
        days = "|".join(words.split())
        names = "|".join(map(re.escape, months_of(language)))
        yield (
            rf"(?<![^\W_])(?:{days}) (?:de |di |du )?(?:{names})(?![^\W\d_])(?: (?:de |del |di "
            rf")?\d{{4}})?"
        )
    ordinal = "|".join(ORDINALS)
    long = "|".join(name for name in sorted(months()) if len(name) > 3 or name == "may")
    yield (
        rf"(?<![^\W_])(?:{long}) (?:the )?(?:{ordinal})(?![^\W_])(?:,? (?:\d{{4}}|"
        rf"{_SPOKEN_YEAR}))?"
    )
    yield (
        rf"(?<![^\W_]){_SPOKEN_YEAR}(?![^\W_])(?! (?:mm|cm|mg|ml|percent|degrees|to|times|"
        rf"years|per))"
    )
    yield rf"(?<![^\W_])(?:{_HOLIDAYS})(?![^\W_])(?:,? (?:of )?\d{{4}})?"
    cue = (
        r"(?:at|on|over|since|after|before|around|by|an|zu|uber|nach|vor|seit|a|en|depuis|por|"
        r"desde|met|sinds)"
    )
    yield (
        rf"(?<=\b)(?:{cue} )(?P<feast>{_CUED_HOLIDAYS})(?! (?:tree|disease|"
        rf"factor))(?![^\W_])(?: \d{{4}})?"
    )
    yield rf"(?<![^\W_])(?:{_CUED_HOLIDAYS}) (?:19|20)\d\d(?!\d)"
