# SPDX-License-Identifier: Apache-2.0
"""Names of hospitals, practices and other places where a patient was or lives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from deid.text.cue_words import cues, is_little_word
from deid.text.kinds import Kind, Span
from deid.text.passage import Passage
from deid.text.tokens import Token
from deid.vocabulary import folded

_MOST_WORDS = 5
_PLACE_WORDS = 3
_LONGEST_SHORT_FORM = 3
_UNSPACED = re.compile(
    r"[\u4e00-\u9fff\u3040-\u30ff]{2,12}?(?:病院|医院|醫院|クリニック|診療所|医療センター|卫生院|大学)"
    r"|[\uac00-\ud7a3]{2,10}(?:병원|의원|의료원|대학교)"
    r"|(?!소화기|순환기|호흡기|내분비|신장|혈액|종양|감염|류마|신경|흉부|성형|일반|대장|구강|소아|노년|심장)[\uac00-\ud7a3]{2,6}(?:정형외과|신경외과|내과|외과|안과|치과|피부과|이비인후과|산부인과|소아과|비뇨기과|영상의학과|한의원|요양원|클리닉)(?=\s|[,.]|$)"
    r"|โรงพยาบาล[\u0e00-\u0e7f]{2,20}"
)
_LEGAL_FORM = re.compile(
    r",? (?:LLC|LLP|PLLC|Inc|Ltd|P\.?C|P\.?A|GmbH|AG|S\.?A|S\.?p\.?A|B\.?V)\b\.?"
)
# "Fisher & Hunt LLP", "Kowalski sp. z o.o.": what stands before a legal form.
_FIRM = re.compile(
    r"(?<![\w'’-])(?P<house>[^\W\d_a-zß-öø-ÿ][\w'’-]{1,40}"
    r"(?:,? (?:& |and |und |et |y |e )?[^\W\d_a-zß-öø-ÿ][\w'’-]{1,40}){0,3})"
    r",? (?:LLC|LLP|PLLC|Inc|Ltd|Limited|plc|GmbH|AG|KG|S\.A\.|SARL|S\.r\.l\.|S\.p\.A\.|B\.V\.|"
    r"N\.V\.|A/S|ApS|AB|Oy|sp\. z o\.o\.|s\.r\.o\.|Kft\.?|Ltda)(?![^\W_])"
)
# "prev surg @ mercy", "done @ Lakeside"; not "@ 10:40", "@ L4", "@ bedside".
_AT_SIGN = re.compile(
    r"(?<=\s)@ ?(?P<house>(?:(?:[Ss][Tt]|[Ss]aint|SAINT|[Mm][Tt])\.? )?[^\W\d_]{4,})(?![\w.@])"
)
_OF_PLACE = re.compile(r" (?:of|at) (?:the )?[A-Z][^\W\d_]{2,}(?: [A-Z][^\W\d_]{2,})?")
_WAYS = frozenset(
    str.split(
        "lane road street avenue park green gate bridge meadow meadows valley grove court "
        "square hill terrace"
    )
)
# "PRIOR AT MERCY GENERAL", "KAISER SUNSET": in capitals no capital tells them.
_AT_GENERAL = re.compile(
    r"(?<!\w)(?:(?:AT|FROM|@|VIA|IN) (?P<house>[A-Z][A-Z.']+(?: [A-Z]+)? (?:GENERAL|MEMORIAL|"
    r"REGIONAL|COUNTY|"
    r"BAPTIST|METHODIST|PRESBYTERIAN|LUTHERAN|COMMUNITY|CITY|CENTRAL|UNIVERSITY|HEALTH|MEDICAL))"
    r"|(?P<lane>[A-Z][A-Z']+ (?:LANE|ROAD|STREET|AVENUE|PARK|GREEN|BRIDGE|HILL|VALLEY) "
    r"(?:SURGERY|PRACTICE|CLINIC|MEDICAL|HEALTH)(?: CENTRE| CENTER| PRACTICE)?)"
    r"|(?:AT|FROM|VIA|@) (?P<clinic>[A-Z][A-Z']{3,} (?:ORTHO(?:PEDICS|PAEDICS)?|RADIOLOGY|"
    r"IMAGING|CARDIOLOGY|UROLOGY|ONCOLOGY|NEUROLOGY|DENTAL|PEDIATRICS|SURGICAL|EYE|SPINE|"
    r"DIAGNOSTICS)(?: CENTER| CENTRE| GROUP| CLINIC)?)"
    r"|(?P<manor>[A-Z][A-Z']{3,} (?:MANOR|LODGE|GRANGE|VILLA|HALL|(?:NURSING|CARE|REST|"
    r"RETIREMENT) HOME))"
    r"|(?P<system>(?:KAISER|SUTTER|BANNER|ASCENSION|DIGNITY|GEISINGER|OCHSNER|INTERMOUNTAIN|SCRIPPS|CEDARS|MAYO|"
    r"NUFFIELD|SPIRE|RAMSAY|BUPA|MEDICLINIC|NETCARE|APOLLO|FORTIS|HELIOS|ASKLEPIOS|SANA|VIVANTES|UPMC|UCLA|UCSF|NYU|"
    r"Kaiser|Sutter|Banner|Ascension|Nuffield|Spire|Mediclinic|Netcare|Apollo|Fortis|Helios|"
    r"Asklepios|Vivantes) "
    r"(?P<site>[A-Z]\w{3,})))(?![\w])"
)
# "Hospital General de Zona 24", "Station Nonne-Haus 2"
_NUMBER_BEHIND = re.compile(
    r" (?:N[.º°o]{0,2} ?|№ ?)?\d{1,3}(?![\w.,/]\w)(?!\s?(?:mm|cm|ml|mg|Jahre|ans|años))"
)
_HOUSE_BEHIND = re.compile(r"(?: [A-Z][a-z]+){1,4}")
# "Brustzentrum Havelland", "Station Nonne-Haus 2": the kind of house ends a word of German.
_GERMAN_HOUSES = ("zentrum", "klini", "haus", "spital", "stift", "institut", "heim", "praxis")
_COMPOUND_HOUSE = re.compile(
    r"(?<!\w)(?:[A-ZÄÖÜ][a-zäöüß]{3,}(?:zentrum|klinik|kliniken|krankenhaus|spital|stift|hospital|institut|heim|praxis)"
    r" (?!Dr|Prof|Herr|Frau|In |Am |Und)[A-ZÄÖÜ][\w-]{2,}(?: [A-ZÄÖÜ][\w-]{3,})?"
    r"|[A-ZÄÖÜ][\w]+-(?:Haus|Klinik|Hospital|Stift|Heim|Krankenhaus|Spital)(?: \d{1,2}(?!\w))?)"
)
# "Hausarztpraxis Dres. Kiefer & Lang", "Cabinet du Dr Petit", "Centre d'Imagerie des Tilleuls"
_SPA = re.compile(r"(?<!\w)Bad [A-ZÄÖÜ][a-zäöüß]{3,}")
_OF_PERSON = re.compile(
    r"(?<!\w)(?:[A-ZÄÖÜ]?[a-zäöüß]*[Pp]raxis|[Cc]abinet(?: du| de la)?|[Ss]tudio|[Cc]onsultorio|"
    r"[Hh]uisartsenpraktijk) (?:Prof\.? )?(?:Dres|Drs|Dr|Dott|Dra)\.? (?:med\. )?[A-ZÀ-Ž][\w-]+"
    r"(?: (?:&|u\.|und|et|e|y|en) [A-ZÀ-Ž][\w-]+)*"
    r"|(?<!\w)(?:Centre|Institut|Cabinet|Pôle|Maison) d['’][A-ZÀ-Ža-zà-ž][\w-]+(?: [a-zà-ž]+)?"
    r"(?: (?:de la|de|des|du|d['’]))? ?[A-ZÀ-Ž][\w-]+"
)
_TOWN = re.compile(r", (?P<town>[A-ZÀ-Ž][^\W\d_]{2,})(?: [A-ZÀ-Ž][^\W\d_]+)?")
_LADY = re.compile(
    r"(?<!\w)(?:Our Lady(?:['’]s| of (?:the )?[A-Z]\w+(?: [A-Z]\w+)?)?|Sacred Heart|Good "
    r"Samaritan|Good Shepherd|"
    r"Holy (?:Cross|Family|Spirit|Trinity|Name|Redeemer)|Queen of [A-Z]\w+|Mount (?:Sinai|"
    r"Carmel|Zion)|"
    r"Notre[- ]Dame(?: de[s]? [A-Z]\w+)?)(?: [A-Z][a-z]+){0,3}(?:, [A-Z][a-z]+)?"
)
_WITHIN = frozenset(
    str.split("am im an in bei der den dem of de la le les du des del della van het")
)
_PARTS = frozenset(
    str.split("unit ward maternity department dept clinic ct mri xray for with on in")
)
# "at St. Thomas' before"; a disease or device called so is protected.
_SAINT = re.compile(
    r"(?<!\w)(?:St|Ste|Saint|Sainte|Sankt|San|Santa|Santo|São|Sint|Św)\.?[ "
    r"-](?P<saint>[A-ZÀ-Ž][^\W\d_]{2,})(?:['’]s?)?"
)
# "né le 5 juin 1962 à Limoges"
_NATIVE = re.compile(
    r"(?<!\w)(?:n[ée]e?|nat[oa]|nacid[oa]|nascid[oa]|geboren|geb\.|born|ur\.|urodzon[ya]|født|född)\b[^\n.;()]{0,30}?\s"
    r"(?:à|a|en|in|em|te|w|i)\s(?P<town>[A-ZÀ-Ž][^\W\d_]{2,}(?:[ -][A-ZÀ-Ž][^\W\d_]+){0,2})"
)
# "l'hôpital Saint-Louis", "ziekenhuis De Linde": in many languages the house has no capital.
_LEADS = re.compile(
    r" (?:(?:de|des|du|del|della|da|do|im|am) (?:la |los |las )?)?[A-ZÀ-Ž][^\W\d_]{2,}"
)
_WEAK_HOUSES = frozenset(
    str.split(
        "ambulance police steel house surgery practice primary residence shelter nursery "
        "grammar "
        "limited logistics construction general imaging radiology oncology "
        "cardiology school college partners company corp kg school arms "
        "united "
        "dialysis orthopaedics orthopedics insurance"
    )
)
# A form's field for a house or a ward.
_FIELD = re.compile(
    r"(?:^|\n|[;|,]\s*)(?:[Ww]ard|[Ll]ocation|[Cc]linic|[Hh]ospital|[Ss]ite|[Ff]acility|[Pp]ractice|WARD|LOCATION|"
    r"HOSPITAL|FACILITY|CLINIC|[Ss]tation|[Ss]chool|[Ee]mployer|[Aa]rbeitgeber|[Kk]lasse)\s*:\s*\n?\s*"
    r"(?P<house>[A-Z][^\W\d_]+(?:[ -][A-Z][^\W\d_]+){0,3})"
)
_GENERIC = re.compile(r"^(当|本|他|貴|大学|総合|외부|타|본)?(病院|医院|醫院|병원|의원|大学病院)$")


def institution_spans(passage: Passage) -> Iterator[Span]:
    """Find institutions by their kind of house, and places by what is said of them."""
    for pattern, forwards in ((_pattern("institution after"), False), (_before(), True)):
        for match in pattern.finditer(passage.plain):
            yield from _around(passage, match.start(), match.end(), forwards=forwards)
    for match in _UNSPACED.finditer(passage.text):
        if not _GENERIC.match(match.group()):
            yield Span(*match.span(), Kind.INSTITUTION, "context")
    for match in _numbered().finditer(passage.plain):
        yield Span(*match.span(), Kind.INSTITUTION, "context")
    yield from _in_form(passage)
    yield from _by_pattern(passage)
    yield from _places(passage)


def _firms(passage: Passage) -> Iterator[Span]:
    """Firms and chambers by their legal form, but no manufacturers."""
    for match in _FIRM.finditer(passage.text):
        folds = [folded(word) for word in re.findall(r"[^\W\d_]+", match["house"])]
        others = any(fold in cues(cue) for fold in folds for cue in ("vendor", "role", "title"))
        if not others and not all(passage.lexicon.is_own(fold) for fold in folds):
            yield Span(*match.span(), Kind.INSTITUTION, "context")


def _in_form(passage: Passage) -> Iterator[Span]:
    """Houses and towns that a sign, a field or a birth gives away."""
    lexicon = passage.lexicon
    for match in _AT_SIGN.finditer(passage.text):
        fold = folded(match["house"])
        if fold not in cues("institution generic") and not lexicon.is_own(fold):
            yield Span(*match.span("house"), Kind.INSTITUTION, "context")
    yield from _firms(passage)
    for match in _SAINT.finditer(passage.text):
        if match.start("saint") not in passage.protected_starts:
            yield Span(match.start(), _house_end(passage, match.end()), Kind.INSTITUTION, "context")
    for match in _SPA.finditer(passage.text if passage.language == "de" else ""):
        yield Span(*match.span(), Kind.PLACE, "context")
    for match in _NATIVE.finditer(passage.text):
        yield Span(*match.span("town"), Kind.PLACE, "context")
    for match in _FIELD.finditer(passage.text):
        if not all(lexicon.is_own(folded(word)) for word in match["house"].split()):
            yield Span(*match.span("house"), Kind.INSTITUTION, "context")


def _by_pattern(passage: Passage) -> Iterator[Span]:
    """Houses that a form of words gives away."""
    lexicon = passage.lexicon
    for match in _AT_GENERAL.finditer(passage.text):
        found = str(match.lastgroup if match["site"] is None else "system")
        fold = folded((match["site"] or match[found]).split()[0])
        generic = is_little_word(fold) or fold in cues("institution generic")
        own = lexicon.is_own(fold) and found == "system"
        if found in ("house", "lane") or not (own or generic):
            yield Span(*match.span(found), Kind.INSTITUTION, "context")
    german = passage.is_cased and any(word in passage.plain for word in _GERMAN_HOUSES)
    for match in _COMPOUND_HOUSE.finditer(passage.text if german else ""):
        yield Span(*match.span(), Kind.INSTITUTION, "context")
    for match in _OF_PERSON.finditer(passage.text):
        yield Span(*match.span(), Kind.INSTITUTION, "context")
    for match in _LADY.finditer(passage.text):
        yield Span(*match.span(), Kind.INSTITUTION, "context")


@cache
def _pattern(cue: str) -> re.Pattern[str]:
    phrases = "|".join(map(re.escape, sorted(cues(cue), key=len, reverse=True)))
    return re.compile(rf"(?<![^\W_])(?:{phrases})(?![^\W_])")


def _before() -> re.Pattern[str]:
    return _pattern("institution before")


@cache
def _numbered() -> re.Pattern[str]:
    """``поликлиника №14``, ``Hospital No. 5``."""
    cue = _pattern("institution before").pattern
    return re.compile(rf"{cue}\s?(?:№|#|no\.?|nr\.?|n[°º])\s?\d{{1,4}}(?!\w)")


def _around(passage: Passage, start: int, end: int, *, forwards: bool) -> Iterator[Span]:
    """The capitalised words before (or behind) the word for the house."""
    if not _may_be_house(passage, start, end, forwards=forwards):
        return
    tokens = passage.tokens
    if forwards and passage.text[end : end + 1] == ".":
        return
    if forwards:
        following = [token for token in tokens if token.start >= end][: 2 * _MOST_WORDS]
        words = _capitals(passage, following)
    else:
        preceding = [token for token in tokens if token.end <= start][-2 * _MOST_WORDS :]
        words = _capitals(passage, preceding[::-1])
    specific = [token for token in words if _is_specific(passage, token)]
    if not forwards and (place := _of_place(passage, end)) is not None:
        # "Breast Health Center of Tulsa"
        yield Span(words[-1].start if words else start, place.end(), Kind.INSTITUTION, "context")
        return
    if not forwards and words and (town := _town_behind(passage, end)) is not None:
        # "University College Hospital, Ibadan": general words, and the town they are in.
        yield Span(words[-1].start, town.end(), Kind.INSTITUTION, "context")
        return
    if not specific:
        return
    far = specific[-1]
    form = _LEGAL_FORM.match(passage.text, end)
    numbered = _NUMBER_BEHIND.match(passage.text, far.end) if forwards else None
    last = numbered.end() if numbered else far.end
    span = (start, last) if forwards else (far.start, form.end() if form else end)
    yield Span(*span, Kind.INSTITUTION, "context")


def _may_be_house(passage: Passage, start: int, end: int, *, forwards: bool) -> bool:
    """Whether it is written as the kind of a house is: with a capital, or before one."""
    if not passage.is_cased or passage.text[start:end].isupper():
        return passage.plain[start:end] not in _WEAK_HOUSES or _follows_unknown(passage, start)
    leads = forwards and _LEADS.match(passage.text, end) is not None
    return passage.text[start].isupper() or leads


def _follows_unknown(passage: Passage, start: int) -> bool:
    """``LAKESHORE IMAGING``, ``HEATH LANE SURGERY``: no word before it that medicine would have."""
    before = [token for token in passage.tokens if token.end <= start][-1:]
    if not before or not before[0].is_word or len(before[0].text) <= _LONGEST_SHORT_FORM:
        return False
    fold = before[0].fold
    unknown = not passage.lexicon.is_known(fold) and not passage.lexicon.is_name(fold)
    return unknown or fold in _WAYS


def _of_place(passage: Passage, end: int) -> re.Match[str] | None:
    """``of Tulsa`` behind the house, but not ``of Brain``."""
    match = _OF_PLACE.match(passage.text, end)
    if match is None or not passage.is_cased:
        return None
    folds = [folded(word) for word in re.findall(r"[A-Z][^\W\d_]+", match.group())]
    return None if any(passage.lexicon.is_own(fold) for fold in folds) else match


def _house_end(passage: Passage, end: int) -> int:
    """Where the kind of house behind a saint ends: ``St Kevin's Hospice``."""
    house = _HOUSE_BEHIND.match(passage.text, end)
    if house is None:
        return end
    words = [folded(word) for word in house.group().split()]
    kinds = cues("institution after") | cues("institution generic")
    return house.end() if all(word in kinds for word in words) else end


def _town_behind(passage: Passage, end: int) -> re.Match[str] | None:
    match = _TOWN.match(passage.text, end)
    if match is None or not passage.is_cased:
        return None
    fold = folded(match["town"])
    lexicon = passage.lexicon
    stranger = not lexicon.is_known(fold) and not lexicon.is_own(fold)
    return match if lexicon.is_place(fold) or stranger else None


def _capitals(passage: Passage, tokens: list[Token]) -> list[Token]:
    words: list[Token] = []
    untitled = 0
    for at, token in enumerate(tokens):
        if token.fold in cues("title") and (token.text[0].isupper() or not passage.is_cased):
            # "DR OKONKWO ORTHO CLINIC": the name belongs to the title.
            return words if at and tokens[0].start < token.start else words[:untitled]
        if _ends_sentence(tokens, at):
            break
        joins = token.text in ".'-’&" or token.fold in cues("particle") or token.fold in _WITHIN
        if not passage.is_cased and is_little_word(token.fold) and not joins:
            break
        if token.is_word and (token.text[0].isupper() or (not passage.is_cased and not joins)):
            words.append(token)
        elif not joins:
            break
        elif token.is_word:
            untitled = len(words)
        if len(words) >= _MOST_WORDS:
            break
    return words


def _ends_sentence(tokens: list[Token], at: int) -> bool:
    """Whether a full stop behind a whole word parts them, in either direction."""
    if tokens[at].text != ".":
        return False
    beside = [token for token in tokens[max(0, at - 1) : at + 2] if token.end == tokens[at].start]
    shortest = _LONGEST_SHORT_FORM - (tokens[at].spaced or any(t.is_upper for t in beside))
    return any(len(token.text) > shortest for token in beside)


def _is_specific(passage: Passage, token: Token) -> bool:
    """Whether a word tells one house from another."""
    if token.fold in cues("institution generic") or len(token.text) < 2:
        return False
    lexicon = passage.lexicon
    if token.fold in cues("institution after") or token.fold in cues("institution before"):
        return False
    common = lexicon.is_common(token.fold) and not lexicon.is_name(token.fold)
    if not passage.is_cased and common and (not token.is_capital or lexicon.is_own(token.fold)):
        return False
    if passage.is_stranger(passage.tokens.index(token)):
        return True
    # A word of medicine in another language is a name here: "Arcos Medical Center".
    clinical = lexicon.is_own(token.fold) and lexicon.is_common(token.fold)
    return not clinical or lexicon.is_name(token.fold)


def _ends_place(passage: Passage, token: Token, *, clinical: bool) -> bool:
    """Whether no name of a place goes on, or begins, with the word."""
    if token.start in passage.protected_starts or token.fold in _PARTS:
        return True
    return clinical and not _is_called(passage, token)


def _is_called(passage: Passage, token: Token) -> bool:
    """``Sunrise Assisted Living``: a word of medicine, and another with a capital behind it."""
    after = passage.word_after(passage.tokens.index(token), "")
    if after is None or not token.is_capital:
        return False
    following = passage.tokens[after]
    return following.is_capital and following.fold not in _PARTS


def _places(passage: Passage) -> Iterator[Span]:
    starts = {token.start: at for at, token in enumerate(passage.tokens)}
    for match in _pattern("place cue").finditer(passage.plain):
        at = starts.get(match.end() + 1)
        if at is None or not passage.is_cased:
            continue
        found = False
        strong = match.group() not in ("from", "aus", "seen at", "ne a", "done at", "prior from")
        for token in passage.tokens[at : at + 2 * _PLACE_WORDS]:
            if token.text in ",.-'" and strong:
                if token.text == ".":
                    break
                continue
            if not token.is_word or not token.text[0].isupper():
                break
            lexicon, own = passage.lexicon, passage.lexicon.is_own(token.fold)
            if _ends_place(passage, token, clinical=own and not found):
                break
            if lexicon.is_place(token.fold) or strong:
                found = True
                yield Span(token.start, token.end, Kind.PLACE, "context")
