# SPDX-License-Identifier: Apache-2.0
"""Identifiers that have a form: numbers, phones, e-mails, addresses, URLs, ages above 89."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.folding import aligned
from deid.text.high_ages import high_ages
from deid.text.kinds import Kind, Span
from deid.text.segments import coded_places

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
            r"(?<![\w.+%'\-])[\w.+%'\-]+\s?(?:@|\(at\)|\[at\]|＠)\s?[\w\-]+(?:\s?(?:\.|\(dot\)|\[dot\])\s?[\w\-]+)+"
        ),
    ),
    (
        Kind.URL,
        _compiled(
            r"(?:[a-z][a-z0-9+.\-]{0,30}://|www\.)[^\s<>\"']+[^\s<>\"'.,;:)\]]",
            rf"{_START}(?:[a-z0-9\-]{{1,63}}\.){{1,10}}(?:com|org|net|edu|gov|info|health|hospital|"
            rf"local|de|fr|uk|es|it|nl|pl|ru|jp|cn|kr|ch|at|br|eu|io|int|lan)(?:/[^\s<>\"']*[^\s<>\"'.,;:)])?{_END}",
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
            rf"patienten(?:nummer|-?id|-?nr)|numero de (?:dossier|historia)|h\.\s?c\.|hist\. "
            rf"clin\.|historia clinica|nhc|"
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
            rf"{_START}(?:room|rm|bed|zimmer|bett)\s*(?P<value>[a-z]?\d+[a-z]?"
            rf"(?:\s(?:north|south|east|west|wing|ward|tower)\s?\d*)?){_END}",
            rf"{_START}(?:licen[cs]e|number|registration) plate\s*(?:no\b\.?)?[:# ]*"
            r"(?P<value>(?=[a-z\- ]{0,8}\d)(?:[a-z]{1,3}|\d{1,4})"
            r"(?:[ \-](?:[a-z]{1,3}|\d{1,4})(?!\w)){1,4})",
            rf"{_START}(?:reg(?:istration|n)?\.?|licen[cs]e|plates?|kennzeichen|kfz|immatriculation|plaque|"
            r"matricula|targa|kenteken|placa|rejestracyjny|рег)(?: (?:mark|no|nr|number|"
            r"nummer)\b\.?)?[:#. ]*"
            r"(?P<value>(?=[a-z\- ]{0,8}\d|\d)(?:[a-z]{1,3}\d{0,4}|\d{1,4}[a-z]{0,3})"
            r"(?:[ \-](?:[a-z]{1,3}\d{0,3}|\d{1,4}[a-z]{0,3})(?!\w)){1,3})",
            rf"{_START}[a-z]{{2}}\d\d ?[a-z]{{3}}{_END}(?<!\dmm)(?<!\dcm)(?<!\dsec)(?<!\dmin)"
            r"(?<!\ddeg)",
            rf"{_START}(?:s/n|sn|serial(?: (?:no|number|nr))?|lot|batch|model no|ref|"
            rf"seriennummer|chargen?-?(?:nr|nummer)?|"
            rf"n/s|matricola|numero de serie)\b[.:#№ ]*"
            r"(?P<value>(?=[a-z\d\- ]{0,12}\d)[a-z\d]{1,10}(?:[ \-](?=[a-z]{0,3}\d|"
            r"[a-z](?!\w))[a-z\d]{1,8}){0,4})(?!\w)",
            rf"{_START}(?:nass|nuhsa|cip|m\.n\.|m\.p\.|m\.n|processo|proc\.|expediente|exp\.|matr(?:icula)?\.?|model|modell|snils|collar|badge|warrant|locker|token|ticket|claim|voucher|pin|passcode|login|crm|"
            r"rpps|adeli|gmc|nmc|hcpc|lanr|bsnr|big|agb|col(?:egiado)?|colegiad[oa]|num\.? col|"
            r"ordine|nº|n\.º|núm|num|"
            r"nummer|hkid|nric|aadhaar|abha|uhid|hetu|cpr|personnr|personnummer|fodselsnummer|kimlik|tckn|rut|curp|"
            r"rfc|cedula|cc|ci|ssin|rijksregister\w*|egn|cnp|jmbg|oib|taj|emso|rodne cislo|rc|"
            r"amka|eik)"
            r"\s*(?:no|nr|num|number|n[º°o])?\b[.:#№ ]*"
            r"(?P<value>(?=[a-z/\-]{0,5}\d)[a-z]{0,5}[/\- ]?\d[\d./\-]{2,}[a-z\d]*)",
            rf"{_START}(?:cama|letto|lit|bett|chambre|ch\.|stanza|camera|habitacion|hab\.|quarto|leito|pokoj|pok\.|lozko|"
            r"палата|палате|койка|oda|yatak|kamer|rum|huone|sang|seng|sangplats|bay|cubicle|bay/bed|trolley)"
            r"\s*(?:n[°ºo]\.?|no\.?|nr\.?|№)?\s*(?P<value>\d{1,4}[a-z]?)(?!\s?(?:mm|cm|%)|\w|[.,]\d)",
            r"(?<![\d-])\d{6}-\d\d-\d{4}(?![\d-])",
            rf"{_START}(?:nhi|chi|hcn|ird|nrn|uci)(?:\s?(?:no\.?|number))?(?:\s?[:#]\s?|\s)(?P<value>(?=[a-z\d]{{0,8}}\d)[a-z\d]{{6,12}}){_END}",
            (
                rf"{_START}(?:(?:id|ref|reference|nr|number)(?:\s?[:#]\s?|\s)|(?:case|no)\s?[:#.]\s?)"
                rf"(?P<value>[a-z]{{2,5}}(?: \d{{2,9}}(?:/\d{{2,4}})?|"
                rf"(?:-[a-z]{{1,5}})+-\d{{2,8}})){_END}{_UNITS}"
            ),
            (
                rf"{_START}(?:cad|incident|callsign) (?!(?:19|"
                rf"20)\d\d)(?P<value>\d{{3,6}})(?![\w.,/-]*\d)"
            ),
            rf"{_START}user (?P<value>[a-z]+(?:[._][a-z\d]+|\d+)){_END}",
            r"(?<=; user )[a-z]+[._]?[a-z\d.]+",
            # Nothing that is measured has so many figures.
            rf"(?<![a-z\d_.,/\-+])\d{{7,14}}(?![a-z\d_/\-]|[.,]\d){_UNITS}",
            rf"{_START}(?:opd|ipd|op|ip|uhid|crn?|unit|hosp(?:ital)?|reg(?:n|d|istration)?|emergency|ae|"
            r"a&e|lab|bill|token|folio|encounter|episode|admission|registro|registre|registrazione)"
            r"\.?\s?(?:no|nr|num|number|n[º°])\b[.:# ]*(?P<value>[a-z]{0,4}[/\- "
            r"]?\d[\w/\-]*\d)(?!\w)",
            # Behind a name, in brackets: "(RX1 220 9187)".
            r"\((?P<value>(?=(?:[^)\d]{0,4}\d){6})[a-z]{0,3}\d[a-z\d/ \-]{4,18})\)",
            rf"{_START}(?:film|cassette|job|folder|envelope|disc|cd|case|locker)\s?[#№]\s?(?P<value>\d+[a-z]?){_END}",
            rf"{_START}(?:ending|ends)(?: in| with)? (?P<value>\d{{3,4}}){_END}",
            rf"{_START}(?:our |your )?ref(?:erence)?\.?\s*:\s*(?P<value>[\w/\-.]*\d[\w/\-.]*\w)",
            rf"{_START}[a-z]{{2,6}}/\d{{2,4}}/\d{{2,6}}{_END}",
            rf"{_START}(?:flight|flug|seat|case|locker(?: key)?|key|chip|microchip|model|car|"
            rf"vehicle|parking)"
            r"(?: (?:no|nr|number)\b\.?)?[:# ]+(?P<value>[a-z]{1,4}[ \-]?\d[a-z\d]*(?:[\- "
            r"]\d[a-z\d]*)*(?![\w.])|\d{1,3}[a-z](?!\w)"
            r"|[a-z]{2}-\d{3}-[a-z]{2}|(?<=key )\d+|\d{3}(?: \d{3}){3,})",
            rf"{_START}[a-z]{{2}}-\d{{3}}-[a-z]{{2}}{_END}",
            r"(?<![\w.\-])(?:nass|naf) ?\d{2}[ /]?\d{8}[ /]?\d{0,2}(?!\d)",
            r"(?<!\d)\d{3}-\d{3}-\d{3}[ -]\d\d(?!\d)",
            r"(?<!\d)\d{2} \d{10}(?!\d)",
            rf"{_START}ae(?: ?t| ?title)[:= ]+(?P<value>(?=\S*[_\d])[a-z][\w\-]{{2,15}}){_END}",
            # Who signs on somewhere, under which name.
            rf"{_START}(?:logged (?:in|on)(?: [^\W\d_]+){{0,3}} as|user ?name|user ?id|login|"
            rf"account|userid|uid)[: ]+"
            r"(?P<value>[a-z][\w.\-]{2,24})",
            rf"{_START}(?:skype|wechat|telegram|signal|instagram|insta|ig|snapchat|tiktok|twitter|facebook|fb|viber|"
            r"discord|line id|kakao|kakaotalk|threads|mastodon|handle)(?: id| name)?\s?[: "
            r"]\s?(?P<value>[a-z@][\w.:@\-]*(?:[\d_@]|[.:](?=\w))[\w.\-]*)",
            rf"{_START}(?:workstation|work station|console|station|scanner|terminal|pc|"
            rf"host)\s?(?:id|name|no)?\s?[:#]\s?"
            r"(?P<value>(?=[a-z\-_]{0,20}\d)[a-z][\w\-]{2,28})",
            (
                rf"{_START}(?:chart|file|folder|file no|"
                rf"unit)\s(?P<value>\d{{2,6}}-\d{{2,6}}(?:-\d{{1,6}})?){_END}"
            ),
            rf"{_START}(?:pc|dc|wpc|ps|sgt|constable|officer) (?P<value>\d{{3,5}}){_END}",
            (
                rf"{_START}(?:key ?safe|lock ?box|digicode|turcode|portkod|dorkode|"
                r"(?:door|gate|entry|alarm|access|lock|building|key ?pad) code)"
                r"(?: (?:no|nr|number|code|is))?\.?[:# ]{1,3}"
                r"(?P<value>[a-z]?\d{3,8}[a-z#*]?)(?!\w)"
            ),
            # Accounts behind a sign of equality, as exports of a RIS have them.
            (
                rf"{_START}(?:tech(?:nologist)?|user|operator|reader|typist|author|login|reporter|"
                rf"radiologist|modified_?by|created_?by|signed_?by|read_?by|dictated_?by|performed_?by)\s?=\s?\"?"
                rf"(?P<value>[a-z][\w.\-]{{1,24}})"
            ),
            # France's number of persons (NIR), Switzerland's, Denmark's, Czechia's.
            r"(?<!\d)[12][ .]?\d\d[ .]?(?:0[1-9]|1[0-2])[ .]?(?:\d\d|2[ab])[ .]?\d{3}[ "
            r".]?\d{3}(?:[ .]?\d\d)?(?!\d)",
            r"(?<!\d)756\.\d{4}\.\d{4}\.\d\d(?!\d)",
            r"(?<![\d/])\d{6}[/-]\d{3,4}(?![\d/])",
            r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d\d(?!\d)",
            r"(?<!\d)\d{2,3}\.\d{3}\.\d{3}(?:-[\dk])?(?![\d.])",
            r"(?<![\d.,])\d{2,3}\.\d{3}-\d(?![\d.])",
            rf"{_START}(?:m\.?n\.?|m\.?p\.?|mat\.?|crm(?:[- /][a-z]{{2}})?|prontuario|registro|"
            rf"atendimento|colegiad[oa]|rg|rghc|"
            r"cnes|tarjeta|ced\.? ?prof\.?|cedula)\s?(?:n[º°o.]*)?[:# "
            r"]{0,2}(?P<value>\d{1,3}\.\d{3}(?:-\d)?)(?![\d.])",
            r"(?<!\w)[\dxyz]\d{7}[ -]?[a-z](?!\w)",
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
            rf"{_START}(?!\d+x\d)(?=(?:[a-z]*\d){{5}})(?=[a-z0-9]*[a-z])[a-z0-9]{{7,20}}{_END}{_UNITS}(?<!\dmm)(?<!\dms)(?<!\dml)",
            rf"{_START}(?!\d+x\d)\d{{1,8}}[a-z]{{1,4}}\d{{3,}}[a-z0-9]*{_END}",
            rf"{_START}\d{{4,}}[\-_/]?[a-z]{{1,3}}\d*{_END}(?<!\dmm)(?<!\dcm)(?<!\dhu)(?<!\dms)(?<!\ds)"
            r"(?<!\dml)(?<!\dmg)(?<!\dx)(?<!\dw)(?<!\dth)(?<!\dg)(?<!\dhz)(?<!\dk)",
            rf"{_START}(?=(?:\d[\-/]?){{7}})\d{{2,}}(?:[\-/]\d{{3,}})+(?:[\-/]\d+)*{_END}",
            rf"{_START}(?!b\d)(?<!_b)(?:[a-z]+\d+|\d+[a-z]+)(?:[\-_][a-z0-9]*\d{{3,}}[a-z0-9]*)+{_END}",
            rf"(?<![^\W_])(?<![.,]\d)(?<!\d[.,])\d{{5,}}(?:[\s\-]\d{{4,}})*(?![.,]?\d)(?![^\W_]){_UNITS}",
            r"(?<![^\W_])(?<![.,])\d{3}[ .]\d{3}[ .]\d{3,4}(?!\d)",
            r"(?<![^\W_])(?:hcn|ohip|phn|ihi|health card)(?: no\.?| number|#)?:? ?"
            r"(?P<value>\d[\d -]{6,14}\d(?: ?[a-z]{2}(?!\w))?)",
            r"(?<![^\W_])policy(?: no\.?| number|#)?:? ?(?P<value>[a-z]{1,4} ?\d[\d -]{3,}\d)",
            # Between the commas of a table; digits behind a decimal comma are fewer.
            rf"(?<=\d\d,)\d{{6,}}(?![.,]?\d)(?![^\W_]){_UNITS}",
            r"(?<![^\W_])(?:nr|no|num|id|nº|#)\.? ?(?P<value>\d{1,6}(?:[.\-/]\d{1,6}){2,})(?!\w)",
            rf"{_START}(?!x\d)[a-z]{{2,4}}\d{{3,}}[a-z]{{2,4}}{_END}(?<!\dmm)(?<!\dcm)(?<!\dms)"
            r"(?<!\dhu)(?<!\dml)(?<!\dmg)(?<!\dhz)(?<!\dkv)(?<!\dsec)(?<!\ddeg)(?<!\dmas)(?<!\dmbq)",
            r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
        ),
    ),
    (
        Kind.PHONE,
        _compiled(
            r"(?<![^\W_])(?:tel(?:e(?:ph?on\w*|fono?))?|phone|ph|fax|cell|mobil\w*|pager|beeper|bleep|blp|"
            r"handy|tfno|tlfn?o?|telf|tél|gsm|mob|cep|puh(?:elin)?|matkapuhelin|mobil\w*|whatsapp|dect|piepser|sucher|"
            r"funk|apparat|app|dw|nst|klappe|int(?:erno|erne)?|ramal|toestel|wew|anknytning|vaxel|bip|busca|cel(?:ular)?|"
            r"poste|pstn|extn|ext(?:ension)?|call(?:ed)?(?: back)?(?! at (?:[01]\d|"
            r"2[0-3])[0-5]\d(?!\d))(?: at)?|durchwahl|тел\w*|факс|"
            r"電話\w*|电话|전화\w*|โทร\w*|هاتف|جوال|טלפון|τηλ\w*)"
            r"\s*(?:no|nr|number|nummer|#)?\s*[.:：#]*\s*(?:is |at )?"
            r"(?P<value>[+(]?-?\d(?:[\d \t().\-/x]{2,20}\d)"
            r"(?: ?(?:ext|x)\.? ?\d{1,5}(?!\w))?)(?![\d:])",
            (
                rf"{_START}(?:call|ring|phone|text|contact)\b[^.\n\d]{{0,40}}\b(?:at|on) "
                r"(?P<value>\d{3,5}[ -]\d{3,4}(?:[ -]\d{3,4})?)(?![\w.,/-]*\d)"
            ),
            r"\((?P<value>-\d{3,5})\)",
            r"(?<![^\W_])(?:bleep|blp|pager|dect)\.? ?(?P<value>\d{3})(?![\w:.,]?\d)",
            r"(?<![^\W_])page (?P<value>\d{4,5})(?![\w:.,]?\d)",
            r"(?<![^\W_])(?:bleep|pag)(?:ed|ing) ?\(?(?P<value>\d{3,5})(?![\w:.,]?\d)",
            rf"{_START}ext(?:ension)?\.?\s*(?P<value>\d{{2,6}}){_END}",
            rf"{_START}x(?P<value>\d{{4,5}}){_END}",
            rf"(?<=\d{{4}}) x (?P<value>\d{{2,6}}){_END}",
            r"(?<![\w.,/\-])3\d{2} \d{6,7}(?!\d)",
            r"(?<![\w.,/\-+])(?:8|\+?7)[ -]?\(?\d{3}\)?[ -]?\d{3}[ -]?\d\d[ -]?\d\d(?![\w-])",
            rf"{_START}(?:sein|pieper|semafoon|buzzer|searcher|sokare|anexo|klapka|linka|вн|доб)\.?\s?(?P<value>\d{{3,5}}){_END}",
            r"(?<![\w.,/\-])[6-9]\d{2}(?: \d{2}){3}(?![\w.,/\-]| \d)",
            r"(?<![\w.,/\-])\d{3} \d{3} \d{3}(?![\w.,/\-]| \d)",
            r"(?<![\w.,/\-])0\d(?:[ .\-]\d\d){4}(?![\w.,/\-])",
            r"(?<![\w.])\+\d{1,3}[\s.\-/(]*\d(?:[\s.\-/()]*\d){5,13}(?!\d)",
            r"(?<![\w.])\(0?\d{2,5}\)\s?\d{2,4}(?:[\s.\-/]?\d{2,4}){1,4}(?!\d)",
            r"(?<![\w.\-])(?:1[\s.\-])?\d{3}[\s.\-]\d{3}[\s.\-]\d{4}(?![\w])(?:\s?(?:x|ext\.?)\s?\d+)?",
            r"(?<![\w.\-])\d{3}-\d{4}(?![\w\-])",
            # Six figures at least: "08.45" is a time.
            r"(?<![\w.])(?=\d(?:[\s.\-/]?\d){5})0\d{1,5}(?:[\s.\-/]\d{2,8}){1,5}(?![\w])",
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
            r"(?:^|\n|[;|] ?)(?:home |postal |permanent |patient )?(?:address|addr|adresse|"
            r"anschrift|direccion|domicilio|"
            r"indirizzo|endereco|morada|adres|adress|osoite|адрес)\s?[:：]\s?(?P<value>[^\n;|]{4,90}?)"
            r"(?=\s*(?:\n|;|\||$|(?<!co)(?<!st)(?<!rd)(?<!ave)\.\s|,? ?(?:phone|tel|fax|dob|"
            r"mrn|age|sex|nhs|gp)\b))",
            r"(?:p\.?\s?o\.? box|postbus|postfach|boite postale|b\.?p\.|apartado|casella postale|"
            r"postboks|"
            r"skr\. poczt\.|pier|suite|ste\.?|apt\.?|кв\.|"
            r"корп\.)\s?#?\s?\d+[a-z]?(?!\s?[mc]m)(?!\w)",
            r"(?<=, )(?:piso )?\d{1,2}\s?[º°ªo]\s?(?:izq|dcha?|dta|[a-d])\b\.?",
            r"(?<![\d\-/])\d\d-\d{3}(?= [^\W\d_])",
            r"〒?\s?\d{3}-\d{4}\s?[\u4e00-\u9fff][^\s、。,;]{2,30}",
            r"[\u4e00-\u9fff]{2,3}[都道府県][^\s、。,;]{1,10}[市区町村][^\s、。,;]{0,20}",
            r"[\u4e00-\u9fff]{2,8}[省市][\u4e00-\u9fff]{1,8}[市区县區縣][^\s、。,;]{0,24}[路街道巷号號]\d*号?",
            r"[\uac00-\ud7a3]{2,6}[시도]\s[\uac00-\ud7a3]{1,5}[구군시](?:\s[\uac00-\ud7a3\d]+[로길동])?(?:\s\d+)?",
        ),
    ),
)

_NAMEWORD = r"[^\W\d_a-zß-öø-ÿ][^\W\d_]*\.?"
_CITYWORD = (
    r"(?!(?:[Tt]el|[Ff]ax|Phone|Ph|Mob|E-?[Mm]ail|DOB|NHS|MRN|TEL|FAX)\b)[^\W\d_a-zß-öø-ÿ][^\W\d_]+"
)
_SUFFIX = (
    r"(?:St|Street|Ave|Avenue|Rd|Road|Ln|Lane|Dr(?!\.?\s+[A-Z][a-z])|Drive|Blvd|Boulevard|Court|Way|Pl|Place|Terrace|"
    r"Ter|Hwy|Highway|Pkwy|Parkway|Cir|Circle|Sq|Square|Crescent|Gardens|Cottages|Cottage|Villas|Mansions|Buildings|Yard|Croft|Vale|Wynd|Brae|Chase|Meadows|Orchard|Paddock|Trail|Turnpike|"
    r"Approach|Alley|Mews|Hill|Grove|Plaza|Ct|Trl|Cv|Xing|Close|Walk|Row|Rise|Green|Parade|Quay|Wharf|Loop|Ridge|Broadway|"
    r"Esplanade|Promenade|Bypass|Embankment|ST|STREET|AVE|AVENUE|RD|ROAD|LANE|LN|DRIVE|"
    r"BLVD|COURT|WAY|PLACE)\b\.?"
)
_TAIL = (
    r"(?:,?\s*(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|APT|SUITE|#)\.?\s*#?\w+)?"
    rf"(?:,?\s+(?:{_CITYWORD}\s?){{1,3}},?\s+[A-Z]{{2}}\.?\s+\d{{5}}(?:-\d{{4}})?)?"
    rf"(?:,\s*(?:(?:D-|A-|CH-|F-|B-)?\d{{4,6}}|\d\d-\d{{3}})(?:\s?[A-Z]{{2}})?\s+{_CITYWORD}"
    rf"(?:[ -]{_CITYWORD}){{0,2}})?"
    rf"(?:,\s*{_CITYWORD}(?:[ -](?!(?:NSW|VIC|QLD|TAS|ACT)\b){_CITYWORD})?"
    r"(?:,?\s(?:NSW|VIC|QLD|SA|WA|TAS|NT|ACT|ON|QC|BC|AB|MB|SK|NS|NB|NL|PE)\s(?:\d{4}|"
    r"[A-Z]\d[A-Z] ?\d[A-Z]\d))?"
    r"(?:,\s(?:Co\.?|County)\s[A-Z][a-z]+)?)?"
)
# On the text as written: capitals tell.
_WRITTEN = _compiled(
    rf"(?<![\w.])\d{{1,5}}[A-Za-z]?(?:-\d+)?,?[ \t]+(?:[NSEW]\.?[ \t]+)?(?:(?:{_NAMEWORD}|"
    rf"\d+(?:st|nd|rd|th))[ \t]+){{1,4}}?{_SUFFIX}(?:[ ]{_SUFFIX})?{_TAIL}",
    r"(?<!\w)(?:[A-ZÄÖÜ][\wäöüß.]*[ -]){0,3}?[A-ZÄÖÜ]?[\wäöüß]*"
    r"(?:[Ss]tr(?:a(?:ß|ss)e|\.)|weg|platz|gasse|[Aa]llee|damm|(?<![Ss]p)(?<!St)(?<![Mm]easu)(?<=[a-zäöüß]{2})ring|ufer|straat|laan|gatan|vej|vegen|katu|gade|utca|plein|gracht|singel|kade|steeg|chaussee)"
    rf"\s+\d{{1,4}}\s?[a-z]?(?!\s?[mc]m)\b{_TAIL}",
    rf"(?<!\w)(?:\d{{1,4}}(?:\s?bis)?,?\s+)?(?:(?<=\d\s)(?:place|allée|route|cours|square|passage|sentier|hameau|"
    r"faubourg|esplanade|villa|cité|montée)|Jr\.|jr\.|Jirón|jirón|Pasaje|Psje\.?|Urb\.|Col\.|Colonia|Fracc\.|Carrera|Cra\.|Cll\.|"
    r"Calzada|Privada|Cerrada|Alameda|Rodovia|Praça|Praceta|Largo|"
    rf"rue|Rue|avenue|boulevard|bd|quai|impasse|chemin|calle|Calle|C/|"
    rf"avenida|Avenida|Av\.|Avda\.|paseo|Paseo|(?:(?<=in )|(?<=, )|(?<=: ))via|Via|viale|Viale|"
    rf"corso|piazza|Piazza|largo|rua|Rua|"
    rf"travessa|ul\.|ulica|al\.|os\.|ул\.|улица|пр\.|проспект|пер\.|Οδός|οδός)\s+"
    rf"(?:(?:de|des|du|la|le|les|del|della|dei|da|do|dos|das|l'|d')\s?){{0,2}}{_NAMEWORD}"
    rf"(?:\s+(?:(?:de|du|la|del|da)\s)?{_NAMEWORD}){{0,3}}(?:,?\s*(?:д\.|n[°ºo.]?\s?)?\d{{1,4}}[a-zA-Z]?(?:/\d{{1,4}})?"
    rf"(?:,\s?\d{{1,2}}\.?\s?[º°o]\s?(?:[Ee]sq|[Dd]to|[Dd]t|[Ff]te|[Ii]zq|[Dd]cha)\.?)?)?{_TAIL}",
    rf"(?<!\w){_NAMEWORD}(?:\s{_NAMEWORD})?,\s?(?!ID\s+(?!83))[A-Z]{{2}}\s+\d{{5}}(?:-\d{{4}})?(?!\d)",
    r"(?<![A-Z\d])(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})(?![A-Z\d])",
    rf"(?<!\w)(?:D|A|CH|F|PL|NL|B)-\d{{4,5}}(?:\s{_NAMEWORD})?",
    rf"(?<=, )\d{{4,5}} {_CITYWORD}(?! ?\d)",
    rf"(?<!\w)(?:{_CITYWORD}(?:'s)?\s){{1,2}}(?:Street|Road|Lane|Avenue|Crescent|Boulevard|Parade|Mews|Approach)\b{_TAIL}",
    rf"(?<!\w)(?:Flat|Apt|Apartment|Villa|Plot|House|Block|Shop)\.?\s(?:No\.?\s)?\d{{1,4}}[A-Za-z]?"
    rf"(?:,\s(?:The\s)?(?:{_CITYWORD}\s?){{1,3}})?",
    rf"(?<!\w)(?:The\s)?(?:{_CITYWORD}(?:'s)?\s){{1,2}}(?:Cottage|Farm|Farmhouse|Barn|Bungalow|Rectory|"
    r"Vicarage|Caravan Park|Trailer Park|Estate)\b",
    r"(?<!\w)(?:calle|rua|via|ul\.|rue)\s[a-zß-öø-ÿ][^\W\d_]+(?:\s[^\W\d_]+){0,3},?\s\d{1,4}(?!\s?[mc]m)",
    r"(?<!\w)\d{4,5}\s?(?!(?:AT|BY|TO|IN|ON|OF|OR|PT|LT|RT|NO|IS|AS|FX|SP|RE|MG|MM|CM|CC|ML|HR|AM|PM|US|CT|MR|XR|IV|HU|UG|WK|YR|MO|HX|DX|SX)\s)"
    rf"[A-Z]{{2}}\s{_CITYWORD}",
    rf"(?<!\w)(?:Am|An der|An den|Auf der|Auf dem|Im|In der|In den|Unter den|Zum|Zur|Hinter der|"
    rf"Beim)\s(?:{_CITYWORD}\s){{1,2}}"
    rf"\d{{1,3}}\s?[a-z]?(?=,\s*(?:D-|A-|CH-)?\d{{4,5}}\s|\s*\n\s*(?:D-|A-|CH-)?\d{{4,5}}\s){_TAIL}",
    r"(?<!\w)[A-Z]{2}(?= [A-Z]\d[A-Z] ?\d[A-Z]\d(?!\w))",
    rf"(?<!\w)(?:Unit|Flat|Apt|Shop|Villa) \d{{1,3}}[A-Za-z]?/\d{{1,4}}[A-Za-z]?(?= {_CITYWORD})",
    rf"(?<=\d{{5}} )(?:{_CITYWORD}[ -]){{0,2}}{_CITYWORD} \([A-Z]{{2}}\)",
)

_PROCEDURE_CODE = re.compile(
    r"(?<![^\W_])(?:cpt|loinc|snomed|icd|hcpcs|radlex|rid|atc|rxnorm|omim|orpha|"
    r"(?<!door )(?<!gate )(?<!entry )(?<!alarm )(?<!access )(?<!lock )(?<!pad )(?<!building )code)"
    r"[^\w\n]{0,3}"
    r"(?:(?:codes?|ct|cm|pcs|no|nr|id|10|9|11|o|rxnorm|snomed)[^\w\n]{1,2}){0,2}"
    r"(?:\d{5}(?:-\d\d)?[^\w\n]{1,2}(?:(?:and|or|und|et|y|e)[^\w\n])?){0,6}$"
)
_LONGEST_CODES = 64


def formal_identifiers(text: str) -> Iterator[Span]:
    """Find everything that its form gives away, but dates.

    Ages above 89 become 90, the cap that headers have (45 CFR 164.514(b)(2)(i)(C)).
    """
    plain = aligned(text)
    codes = coded_places(text)
    for kind, patterns in _PLAIN:
        for pattern in patterns:
            for match in pattern.finditer(plain):
                start, end = match.span("value" if pattern.groupindex else 0)
                span = Span(start, end, kind, "pattern")
                if not is_code(plain, span, codes):
                    yield span
    for pattern in _WRITTEN:
        for match in pattern.finditer(text):
            yield Span(*match.span(), Kind.ADDRESS, "pattern")
    yield from high_ages(text, plain)


def is_code(plain: str, span: Span, codes: list[tuple[int, int]]) -> bool:
    """Whether a number is the code of a procedure or finding in a named scheme: ``CPT 74177``.

    Parameters
    ----------
    plain:
        The text in small letters.
    span:
        What was found in it.
    codes:
        Where coded entries stand, as ``coded_places`` finds them.
    """
    if span.kind is not Kind.IDENTIFIER:
        return False
    before = _PROCEDURE_CODE.search(plain, max(0, span.start - _LONGEST_CODES), span.start)
    inside = any(start <= span.start and span.end <= end for start, end in codes)
    return inside or before is not None
