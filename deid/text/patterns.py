# SPDX-License-Identifier: Apache-2.0
"""Identifiers that have a form: numbers, phones, e-mails, addresses, URLs, ages above 89."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.folding import aligned
from deid.text.kinds import Kind, Span

_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
_NUMBER_WORD = r"(?![^\W\d_])(?:\s*(?:no|nr|num|number|nummer|numero|id|code)\b\.?)?\s*[:#=.\-]*\s*"
_VALUE = r"(?=[a-z\-./_]{0,8}\d)[a-z0-9][a-z0-9\-./_]*[a-z0-9]|\d"
_UNITS = (
    r"(?!\s?(?:mm|cm|ml|cc|mg|kg|g|hu|%|sec|s|ms|minutes?|hours?|hz|mhz|kv|kvp|mas?|mci|mbq|gy|"
    r"mgy|msv|degrees?|counts?|cells|images?|frames?|slices?|units?|iu|dpi|x)\b)"
)


def _compiled(*sources: str, flags: int = 0) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(source, flags) for source in sources)


# On small letters without accents; the group "value" is the identifier where there is one.
_PLAIN: tuple[tuple[Kind, tuple[re.Pattern[str], ...]], ...] = (
    (
        Kind.EMAIL,
        _compiled(
            r"[\w.+%'\-]+\s?(?:@|\(at\)|\[at\]|＠)\s?[\w\-]+(?:\s?(?:\.|\(dot\)|\[dot\])\s?[\w\-]+)+"
        ),
    ),
    (
        Kind.URL,
        _compiled(
            r"(?:[a-z][a-z0-9+.\-]*://|www\.)[^\s<>\"']+[^\s<>\"'.,;:)\]]",
            rf"{_START}(?:[a-z0-9\-]+\.)+(?:com|org|net|edu|gov|info|health|hospital|local|de|fr|uk|"
            rf"es|it|nl|pl|ru|jp|cn|kr|ch|at|br|eu|io|int|lan)(?:/[^\s<>\"']*[^\s<>\"'.,;:)])?{_END}",
            r"(?:\\\\[\w.$\-]+|(?<!\w)[a-z]:)(?:\\[^\s\\<>\"|?*]+)+",
            r"(?<![\w./])/(?:home|users?|mnt|data|media|var|srv|opt|tmp|export)(?:/[^\s/<>\"'|]+)+",
            r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])",
            r"(?<![0-9a-f:])(?:[0-9a-f]{2}[:\-]){5}[0-9a-f]{2}(?![0-9a-f:])",
        ),
    ),
    (Kind.UID, _compiled(r"(?<![\d.])\d+(?:\.\d+){5,}(?![\d.]*\d)")),
    (
        Kind.ACCESSION_NUMBER,
        _compiled(
            rf"{_START}(?:accession|acc(?:ession)?\s?#|acc\b\.?|a/n|zugangsnummer|akzession\w*)"
            rf"{_NUMBER_WORD}(?P<value>{_VALUE})"
        ),
    ),
    (
        Kind.PATIENT_ID,
        _compiled(
            rf"{_START}(?:mrn|m\.r\.n\.|med(?:ical)?\.? rec(?:ord)?\.?|hospital (?:no|number|nr)|"
            rf"patient'?s?[ -]?(?:id|no|number|nr|nummer)|pat[.\-]?\s?(?:id|nr|no)|pid|ipp|nip|"
            rf"patienten(?:nummer|-?id|-?nr)|numero de (?:dossier|historia)|historia clinica|nhc|"
            rf"dossier|n° dossier|cartella|numer pacjenta|patientnummer|бсн|карта|истории? болезни|"
            rf"患者番号|患者id|病历号|病歷號|住院号|门诊号|登记号|환자번호|등록번호|hn){_NUMBER_WORD}"
            rf"[№:：#]*\s*(?P<value>{_VALUE})"
        ),
    ),
    (
        Kind.IDENTIFIER,
        _compiled(
            rf"{_START}(?:ssn|social security|nhs|npi|dea|account|acct|csn|visit|encounter|policy|"
            rf"insurance|member|subscriber|license|licence|medicare|medicaid|passport|serial|s/n|"
            rf"sn|badge|employee|requisition|referral|pesel|bsn|nir|insee|cpf|dni|nif|steuer\w*|"
            rf"versicherten\w*|versicherung\w*|fall|aktenzeichen|снилс|полис|инн|insee|sozialvers\w*)"
            rf"(?![^\W\d_])(?:\s*(?:id|no|nr|num|number|nummer|numero|security)\b\.?)*\s*[:#=.№]*\s*(?P<value>{_VALUE})",
            rf"{_START}(?:case|study|order|exam|chart|file|record|request|specimen|req|unit|plate|"
            rf"device|station|subject|protocol|report|procedure|document|patient|pt|ref|vorgang|"
            rf"auftrag|befund|untersuchung|room|bed|zimmer)"
            r"\s*(?:(?:id|no|nr|num|number|nummer)\b\.?\s*[:#=]?|[#№])\s*[:#]?\s*"
            rf"(?P<value>{_VALUE})",
            rf"{_START}(?:room|rm|bed|zimmer|bett)\s*(?P<value>\d+[a-z]?"
            rf"(?:\s(?:north|south|east|west|wing|ward|tower)\s?\d*)?){_END}",
            rf"{_START}(?:licen[cs]e|number|registration) plate\s*(?:no\b\.?)?[:# ]*"
            r"(?P<value>(?=[a-z\- ]{0,8}\d)(?:[a-z]{1,3}|\d{1,4})"
            r"(?:[ \-](?:[a-z]{1,3}|\d{1,4})(?!\w)){1,4})",
            # Italian, British, Finnish, Indian and Australian numbers of persons, and IBAN.
            rf"{_START}[a-z]{{6}}\d\d[a-z]\d\d[a-z]\d{{3}}[a-z]{_END}",
            rf"{_START}[a-ceghj-prtw-z][a-ceghj-nprtw-z](?:\s?\d\d){{3}}\s?[a-d]{_END}",
            rf"{_START}\d{{6}}[-+a]\d{{3}}[0-9a-y]{_END}",
            rf"{_START}\d{{4}} \d{{4}} \d{{4}}{_END}",
            rf"{_START}\d{{4}} \d{{5}} \d{_END}",
            rf"{_START}[a-z]{{2}}\d\d(?: ?[a-z0-9]{{4}}){{3,7}}(?: ?[a-z0-9]{{1,3}})?{_END}(?<=\d)",
            r"(?<![\w@.])@[a-z][\w.]{2,29}(?<!\.)",
            r"(?<![\w/])/[a-z]{2,3}/(?![\w/])",
            rf"{_START}by (?P<value>[a-z]{{1,12}}\d{{1,4}}){_END}",
            r"[#№]\s?(?P<value>[a-z]{0,4}-?\d{4,}[a-z0-9\-]*)",
            r"(?<![\d\-])\d{3}-\d{2}-\d{4}(?![\d\-])",
            rf"{_START}(?!b\d{{2,5}}(?!\w)|t[re]\d{{2,5}}(?!\w))[a-z]{{1,6}}[\-_/.]?(?:\d{{2,4}}[\-_/.])?\d{{4,}}(?:[\-_/.]?[a-z0-9]+)*{_END}{_UNITS}",
            rf"{_START}(?!\d+x\d)\d{{1,8}}[a-z]{{1,4}}\d{{3,}}[a-z0-9]*{_END}",
            rf"{_START}\d{{4,}}[\-_/]?[a-z]{{1,3}}\d*{_END}(?<!\dmm)(?<!\dcm)(?<!\dhu)(?<!\dms)(?<!\ds)"
            r"(?<!\dml)(?<!\dmg)(?<!\dx)(?<!\dw)(?<!\dth)(?<!\dg)(?<!\dhz)(?<!\dk)",
            rf"{_START}(?=(?:\d[\-/]?){{7}})\d{{2,}}(?:[\-/]\d{{3,}})+(?:[\-/]\d+)*{_END}",
            rf"{_START}(?:[a-z]+\d+|\d+[a-z]+)(?:[\-_][a-z0-9]*\d{{3,}}[a-z0-9]*)+{_END}",
            rf"(?<![^\W_])(?<![.,]\d)(?<!\d[.,])\d{{5,}}(?:[\s\-]\d{{4,}})*(?![.,]?\d)(?![^\W_]){_UNITS}",
            r"(?<![^\W_])(?<![.,])\d{3}[ .]\d{3}[ .]\d{3,4}(?!\d)",
            rf"{_START}(?!x\d)[a-z]{{2,4}}\d{{3,}}[a-z]{{2,4}}{_END}(?<!\dmm)(?<!\dcm)(?<!\dms)"
            r"(?<!\dhu)(?<!\dml)(?<!\dmg)(?<!\dhz)(?<!\dkv)(?<!\dsec)(?<!\ddeg)(?<!\dmas)(?<!\dmbq)",
            r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
        ),
    ),
    (
        Kind.PHONE,
        _compiled(
            r"(?<![^\W_])(?:tel(?:e(?:ph?on\w*|fono?))?|phone|ph|fax|cell|mobil\w*|pager|beeper|bleep|"
            r"handy|ext(?:ension)?|call(?:ed)?(?: back)?(?: at)?|durchwahl|тел\w*|факс|"
            r"電話\w*|电话|전화\w*|โทร\w*|هاتف|جوال|טלפון|τηλ\w*)"
            r"\s*(?:no|nr|number|nummer|#)?\s*[.:：#]*\s*(?:is |at )?"
            r"(?P<value>[+(]?\d(?:[\d\s().\-/x]{2,20}\d))",
            r"(?<![\w.])\+\d{1,3}[\s.\-/(]*\d(?:[\s.\-/()]*\d){5,13}(?!\d)",
            r"(?<![\w.])\(0?\d{2,5}\)\s?\d{2,4}(?:[\s.\-/]?\d{2,4}){1,4}(?!\d)",
            r"(?<![\w.\-])(?:1[\s.\-])?\d{3}[\s.\-]\d{3}[\s.\-]\d{4}(?![\w])(?:\s?(?:x|ext\.?)\s?\d+)?",
            r"(?<![\w.\-])\d{3}-\d{4}(?![\w\-])",
            r"(?<![\w.])0\d{1,5}(?:[\s.\-/]\d{2,8}){1,5}(?![\w])",
            r"(?<![\w.])0\d{2,4}-\d{3,4}-\d{4}(?!\d)",
        ),
    ),
    (
        Kind.ADDRESS,
        _compiled(
            r"(?<![^\W_])(?:home |mailing |street |postal )?(?:address|adresse|anschrift|"
            r"wohnhaft(?: in)?|direccion|domicilio|indirizzo|endereco|adres|"
            r"адрес\w*|住所|地址|주소|ที่อยู่|العنوان|"
            r"عنوان|כתובת|διευθυνση)\s*[:：]\s*(?P<value>[^\n;|]{3,120}?)"
            r"(?=\s*(?:\n|;|\||$|\. |,? ?(?:phone|tel|fax|dob|mrn|age|sex)\b))",
            r"p\.?\s?o\.? box\s*\d+",
            r"〒?\s?\d{3}-\d{4}\s?[\u4e00-\u9fff][^\s、。,;]{2,30}",
            r"[\u4e00-\u9fff]{2,3}[都道府県][^\s、。,;]{1,10}[市区町村][^\s、。,;]{0,20}",
            r"[\u4e00-\u9fff]{2,8}[省市][\u4e00-\u9fff]{1,8}[市区县區縣][^\s、。,;]{0,24}[路街道巷号號]\d*号?",
            r"[\uac00-\ud7a3]{2,6}[시도]\s[\uac00-\ud7a3]{1,5}[구군시](?:\s[\uac00-\ud7a3\d]+[로길동])?(?:\s\d+)?",
        ),
    ),
)

_NAMEWORD = r"[^\W\d_a-zß-öø-ÿ][^\W\d_]*\.?"
_CITYWORD = r"[^\W\d_a-zß-öø-ÿ][^\W\d_]+"
_SUFFIX = (
    r"(?:St|Street|Ave|Avenue|Rd|Road|Ln|Lane|Dr(?!\.?\s+[A-Z][a-z])|Drive|Blvd|Boulevard|Court|Way|Pl|Place|Terrace|"
    r"Ter|Hwy|Highway|Pkwy|Parkway|Cir|Circle|Sq|Square|Crescent|Gardens|Trail|Turnpike|"
    r"Alley|Mews|Hill|Grove|Plaza|ST|STREET|AVE|AVENUE|RD|ROAD|LANE|LN|DRIVE|"
    r"BLVD|COURT|WAY|PLACE)\b\.?"
)
_TAIL = (
    r"(?:,?\s*(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|APT|SUITE|#)\.?\s*#?\w+)?"
    rf"(?:,?\s+(?:{_CITYWORD}\s?){{1,3}},?\s+[A-Z]{{2}}\.?\s+\d{{5}}(?:-\d{{4}})?)?"
    rf"(?:,\s*(?:D-|A-|CH-|F-|B-)?\d{{4,6}}(?:\s?[A-Z]{{2}})?\s+{_CITYWORD}"
    rf"(?:[ -]{_CITYWORD}){{0,2}})?"
    rf"(?:,\s*{_CITYWORD}(?:[ -]{_CITYWORD})?)?"
)
# On the text as written: capitals tell.
_WRITTEN = _compiled(
    rf"(?<![\w.])\d{{1,5}}[A-Za-z]?(?:-\d+)?,?\s+(?:[NSEW]\.?\s+)?(?:(?:{_NAMEWORD}|\d+(?:st|nd|rd|th))\s+){{1,4}}?{_SUFFIX}{_TAIL}",
    r"(?<!\w)(?:[A-ZÄÖÜ][\wäöüß.]*[ -]){0,3}?[A-ZÄÖÜ]?[\wäöüß]*"
    r"(?:[Ss]tr(?:a(?:ß|ss)e|\.)|weg|platz|gasse|[Aa]llee|damm|ring|ufer|straat|laan|gatan|vej|vegen)"
    rf"\s+\d{{1,4}}\s?[a-z]?(?!\s?[mc]m)\b{_TAIL}",
    rf"(?<!\w)(?:\d{{1,4}}(?:\s?bis)?,?\s+)?(?:rue|Rue|avenue|boulevard|bd|quai|impasse|chemin|calle|Calle|C/|"
    rf"avenida|Avenida|Av\.|Avda\.|paseo|Paseo|via|Via|viale|Viale|corso|piazza|Piazza|largo|rua|Rua|"
    rf"travessa|ul\.|ulica|al\.|os\.|ул\.|улица|пр\.|проспект|пер\.|Οδός|οδός)\s+"
    rf"(?:(?:de|des|du|la|le|les|del|della|dei|da|do|dos|das|l'|d')\s?){{0,2}}{_NAMEWORD}"
    rf"(?:\s+(?:(?:de|du|la|del|da)\s)?{_NAMEWORD}){{0,3}}(?:,?\s*(?:д\.|n[°ºo.]?\s?)?\d{{1,4}}[a-zA-Z]?)?{_TAIL}",
    rf"(?<!\w){_NAMEWORD}(?:\s{_NAMEWORD})?,\s?[A-Z]{{2}}\s+\d{{5}}(?:-\d{{4}})?(?!\d)",
    r"(?<![A-Z\d])(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})(?![A-Z\d])",
    rf"(?<!\w)(?:D|A|CH|F|PL|NL|B)-\d{{4,5}}(?:\s{_NAMEWORD})?",
    rf"(?<=,\s)\d{{5}}\s{_NAMEWORD}(?!\s?\d)",
)

_AGE = re.compile(
    r"(?<![\d.])(?P<age>9\d|1[0-2]\d)(?=\s?-?\s?(?:years?|yrs?|y/?o|y\b|yo|jahre|jahrige|jahriger|"
    r"jahr|ans|anos|anni|jaar|jarige|lat|лет|года|летн|歳|岁|歲|세)(?:[\s\-.,;)]|old|oid|[fm]\b|$|[^\W\d_]))"
)
_AGED = re.compile(
    r"(?<![^\W_])(?:age|aged|alter|edad|eta|idade|возраст|年齢|年龄)\s*[:：]?\s*(?P<age>9\d|1[0-2]\d)(?!\d)"
)
_CAPPED_AGE = "90"
_PROCEDURE_CODE = re.compile(
    r"(?:cpt|loinc|snomed|icd|hcpcs|code)[^\w\n]{0,3}(?:[\w]{1,8}[^\w\n]{1,2})?$"
)


def formal_identifiers(text: str) -> Iterator[Span]:
    """Find everything that its form gives away, but dates.

    Ages above 89 become 90, the cap that headers have (45 CFR 164.514(b)(2)(i)(C)).
    """
    plain = aligned(text)
    for kind, patterns in _PLAIN:
        for pattern in patterns:
            for match in pattern.finditer(plain):
                start, end = match.span("value" if pattern.groupindex else 0)
                if kind is Kind.IDENTIFIER and _PROCEDURE_CODE.search(
                    plain, max(0, start - 24), start
                ):
                    continue
                yield Span(start, end, kind, "pattern")
    for pattern in _WRITTEN:
        for match in pattern.finditer(text):
            yield Span(*match.span(), Kind.ADDRESS, "pattern")
    for pattern in (_AGE, _AGED):
        for match in pattern.finditer(plain):
            yield Span(*match.span("age"), Kind.AGE, "pattern", _CAPPED_AGE)
