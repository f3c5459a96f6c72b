# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - templates with a place in every element
"""Reports of every kind with an identifier in each place that has one."""

from __future__ import annotations

import base64
import io
import itertools
import re
import zipfile
from collections.abc import Callable, Iterator

from pypdf import PdfReader
from reportlab.pdfgen.canvas import Canvas

Word = Callable[[str], str]
"""Gives an identifier for a place, another for each."""

_ESCAPED = r"\rtf1\ansi{\info{\author %s}}{\header %s\par}Mr. %s was seen.\par Liver normal.\par"
_HTML = """<!DOCTYPE html><html><head><title>{}</title><meta name="author" content="{}">
<!-- {} --><script>var x = "{}";</script></head><body onload="{}"><p id="{}">Mr. {} was seen.</p>
<table><tr><td>Name:</td><td>{}</td></tr></table><img alt="{}" src="{}"><p>Liver normal.</p>
</body></html>"""
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


class Words:
    """Words that occur nowhere by chance, by place."""

    def __init__(self) -> None:
        self.planted: dict[str, bytes] = {}
        self._numbers = itertools.count(101)

    def __call__(self, place: str) -> str:
        """A word, noted under its place."""
        word = f"QX{next(self._numbers)}YV"
        self.planted[place] = word.encode()
        return word


def filled(template: str, word: Word, place: str) -> str:
    """A template with a word in each ``{}``."""
    parts = template.split("{}")
    words = [word(f"{place}, {number}") for number in range(len(parts) - 1)]
    return "".join(itertools.chain(*zip(parts, [*words, ""], strict=True)))


def rtf(word: Word) -> bytes:
    """A document in RTF with properties and a header."""
    return ("{" + filled(_ESCAPED.replace("%s", "{}"), word, "rtf") + "}").encode()


def html(word: Word) -> bytes:
    """A page with scripts, comments and attributes."""
    return filled(_HTML, word, "html").encode()


def docx(word: Word) -> bytes:
    """A document with properties, comments, headers, revisions and a custom part."""

    def paragraph(text: str) -> str:
        return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"

    name = filled("Mr. {} was seen.", word, "docx body")
    gone = filled(
        '<w:p><w:del w:author="{}"><w:r><w:delText>{}</w:delText></w:r></w:del></w:p>',
        word,
        "docx revision",
    )
    body = paragraph(name) + gone + paragraph("Liver normal.")
    parts = {
        "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
        "word/header1.xml": f'<w:hdr xmlns:w="{_WORD}">'
        f"{paragraph(filled('Patient: {}', word, 'docx header'))}</w:hdr>",
        "word/comments.xml": f'<w:comments xmlns:w="{_WORD}">{word("docx comment")}</w:comments>',
        "docProps/core.xml": f"<creator>{word('docx creator')}</creator>",
        f"customXml/{word('docx part')}.xml": "<x/>",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return file.getvalue()


def pdf(word: Word) -> bytes:
    """A PDF with an author, a subject and a text."""
    file = io.BytesIO()
    canvas = Canvas(file, pageCompression=0)
    canvas.setAuthor(word("pdf author"))
    canvas.setSubject(word("pdf subject"))
    canvas.drawString(72, 700, f"Mr. {word('pdf text')} was seen.")
    canvas.drawString(72, 680, "Liver normal.")
    canvas.save()
    return file.getvalue()


def encoded(content: bytes) -> str:
    """In base64."""
    return base64.b64encode(content).decode()


DOCUMENTS = {"rtf": rtf, "html": html, "docx": docx, "pdf": pdf}
_SEGMENTS = (
    "MSH|^~\\&|{}|{}|{}|{}|20240315101500||ORU^R01|{}|P|2.5.1|||||||||{}",
    "PID|1|{}|{}^^^{}^MR|{}|{}^{}||19510204|F|{}||1 {} St^^{}||{}|||||{}|{}",
    "NK1|1|{}^{}|SPO|{}|{}", "PV1|1|O|{}||||8812^{}^{}|||||||||||{}",
    "ORC|RE|{}|{}|||||||^{}^{}|||||||||{}", "OBR|1|{}|{}|71260^CT CHEST of Mr. {}^CPT|||20240315||||||{}|||^{}^{}||{}|{}|||||||||||||{}&{}&{}",
    "OBX|1|TX|GDT^{}^L||Mr. {} was seen by\\X0D\\Dr. {}||||||F|||20240315|{}|^{}",
    "OBX|2|FT|GDT^x^L||Dr. \\H\\{}\\N\\ told\\.br\\Mr. {}~Mrs. {}||||||F",
    "OBX|3|RP|{}^x^L||http://x/{}^APP^IM^JPEG||||||F", "OBX|4|XCN|X||{}^{}^{}||||||F",
    "OBX|5|CX|X||{}||||||F", "OBX|6|ZZ|X||{}||||||F", "OBX|7|CWE|{}^Mr. {}^L||{}^Mr. {}^99X||||||F",
    "NTE|1|{}|Mr. {} called", "ZDS|{}^RIS", "Z99|{}",
)  # fmt: skip


def hl7(word: Word) -> bytes:
    """A message with a word in every field that takes one, and a document of each kind."""
    lines = [filled(line, word, f"hl7 {line[:5]}") for line in _SEGMENTS]
    for number, (kind, make) in enumerate(DOCUMENTS.items(), 20):
        data = encoded(make(lambda place, kind=kind: word(f"hl7 {kind}: {place}")))
        lines.append(f"OBX|{number}|ED|DOC||^Application^{kind}^Base64^{data}||||||F")
        lines.append(f"OBX|{number + 20}|TX|DOC||{data}||||||F")
    picture = encoded(b"\x89PNG" + word("hl7 picture").encode() * 20)
    lines.append(f"OBX|60|ED|DOC||^IM^PNG^Base64^{picture}||||||F")
    text = word("hl7 text in base64")
    lines.append(
        f"OBX|61|ED|DOC||^TEXT^x^Base64^{encoded(f'Mr. {text} was seen.'.encode())}||||||F"
    )
    hexadecimal = f"Mr. {word('hl7 text in hexadecimal')} was seen.".encode().hex()
    lines.append(f"OBX|62|ED|DOC||^TEXT^x^Hex^{hexadecimal}||||||F")
    lines.append(f"OBX|63|ED|DOC||^TEXT^x^A^Mr. {word('hl7 text')} was seen.||||||F")
    return "\r".join(lines).encode()


_EXTENSION = (
    '"extension":[{"url":"http://x/{}","valueString":"{}"}],"modifierExtension":[{"url":"{}"}]'
)
_FHIR = """{"resourceType":"Bundle","id":"{}","type":"collection","identifier":{"value":"{}"},
"entry":[{"fullUrl":"http://{}.example/fhir/DiagnosticReport/{}","link":[{"url":"{}"}],
"resource":{"resourceType":"DiagnosticReport","id":"{}",
"meta":{"source":"{}","profile":["http://{}"],"tag":[{"display":"{}"}]},"language":"{}",
"implicitRules":"{}","text":{"status":"{}","div":"<div id='{}'><p title='{}'>Mr. {} was seen.</p></div>"},
EXT,"contained":[{"resourceType":"Patient","id":"{}","name":[{"family":"{}","given":["{}"],"text":"{}"}],
"identifier":[{"system":"http://{}","value":"{}","assigner":{"display":"{}"}}],"telecom":[{"value":"{}"}],
"address":[{"line":["{}"],"city":"{}"}],"photo":[{"data":"{}"}],"birthDate":"1937-04-12"},
{"resourceType":"{}"},{"resourceType":"Organization","name":"{}"}],
"identifier":[{"use":"{}","type":{"coding":[{"code":"{}","display":"Mr. {}"}]},"value":"{}"}],
"status":"{}","_status":{EXT},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0074",
"code":"{}","display":"Mr. {}","version":"{}"}],"text":"Mr. {}"}],"code":{"coding":[{"system":"http://{}","code":"{}"},
{"system":"http://loinc.org","code":"{}","display":"CT of Mr. {}"}]},
"subject":{"reference":"Patient/{}","display":"{}","type":"{}","identifier":{"value":"{}"}},
"encounter":{"reference":"Encounter/{}"},"effectiveDateTime":"{}","issued":"2024-03-15T{}",
"performer":[{"reference":"http://{}.example/Practitioner/{}","display":"{}"}],"result":[{"reference":"#{}"}],
"note":[{"authorString":"{}","text":"Mr. {} called"}],"media":[{"comment":"Mr. {}","link":{"reference":"Media/{}"}}],
"conclusion":"Mr. {} was seen.","conclusionCode":[{"text":"Mr. {}"}],"unheard":"{}",
"presentedForm":[{"contentType":"{}","title":"Mr. {}","url":"http://{}","hash":"{}","data":"DATA"}]}},
{"fullUrl":"urn:uuid:{}","resource":{"resourceType":"ImagingStudy","identifier":[{"system":"urn:dicom:uid",
"value":"urn:oid:{}"}],"series":[{"uid":"{}","modality":{"code":"{}","system":"{}"},"number":"{}",
"instance":[{"uid":"{}","sopClass":{"system":"urn:ietf:rfc:3986","code":"urn:oid:{}"},"title":"Mr. {}"}]}]}},
{"resource":{"resourceType":"Observation","valueString":"Mr. {}","valueQuantity":{"value":"{}","unit":"Mr. {}"},
"component":[{"valueQuantity":{"value":9,"comparator":"{}","code":"{}","system":"{}"}}]}},
{"resource":{"resourceType":"DocumentReference","content":[{"attachment":{"data":"BASE","title":"{}"},
"format":{"code":"{}"}}],"context":{"related":[{"display":"Mr. {}"}]}}},
{"resource":{"resourceType":"Composition","title":"Mr. {}","section":[{"title":"Mr. {}","text":{"status":"generated",
"div":"<div>Mr. {} was <b>seen</b></div>"},"section":[{"title":"Mr. {}"}]}]}},
{"resource":{"resourceType":"Binary","contentType":"{}","data":"OTHER"}},
{"resource":{"resourceType":"Practitioner","name":[{"text":"{}"}],"text":{"div":"<div>{}</div>"}}}]}"""


def fhir_json(word: Word) -> bytes:
    """A bundle with a word in every element that takes text, and documents in it."""
    text = _FHIR.replace("EXT", _EXTENSION)
    for mark, kind in (("DATA", "pdf"), ("BASE", "rtf"), ("OTHER", "docx")):
        make = DOCUMENTS[kind]
        text = text.replace(mark, encoded(make(lambda p, k=kind: word(f"fhir {k}: {p}"))))
    return filled(text, word, "fhir").encode()


def reports(word: Word) -> Iterator[tuple[str, bytes]]:
    """A report of each kind by the ending of its file's name."""
    for kind, make in {**DOCUMENTS, "hl7": hl7, "json": fhir_json}.items():
        yield kind, make(word)


def unpacked(content: bytes) -> bytes:
    """The bytes, and what base64 and PDF in them say."""
    told = [content]
    if content.startswith(b"%PDF"):
        told += [page.extract_text().encode() for page in PdfReader(io.BytesIO(content)).pages]
    for piece in re.findall(rb"[A-Za-z0-9+/]{40,}={0,2}", content):
        told.append(unpacked(base64.b64decode(piece)) if len(piece) % 4 == 0 else b"")
    return b"\n".join(told)
