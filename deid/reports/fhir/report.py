# SPDX-License-Identifier: Apache-2.0
"""A FHIR resource built anew from what may leave of another, in the form in which it came."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from deid.reports.errors import ReportError
from deid.reports.fhir.people import references_of, terms_of, texts
from deid.reports.fhir.schema import REPORTS, RESOURCES, lines_of
from deid.reports.fhir.tree import TYPE, XHTML, Node, from_json, from_xml, to_json, to_xml
from deid.reports.fhir.values import FhirValues, subject_or
from deid.reports.linking import References
from deid.reports.plain import text_of_html
from deid.reports.report import Cleaning, Report
from deid.text import KnownTerms

Opener = Callable[[bytes], Report]
_XML = re.compile(rb"[\s\xef\xbb\xbf]*<[^>]{0,400}?\bxmlns(?::\w+)?=[\"']http://hl7\.org/fhir[\"']")
_DECLARED = re.compile(rb"^[\s\xef\xbb\xbf]*(?:<\?xml[^>]*\?>)?(?:\s|<!--.*?-->)*", re.DOTALL)
_JSON = re.compile(rb"[\s\xef\xbb\xbf]*\{")
_TYPES = {"pdf": "application/pdf", "txt": "text/plain; charset=utf-8"}
_CONTROLS = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


class FhirReport:
    """One resource, or a bundle of them.

    Parameters
    ----------
    content:
        JSON or XML.
    opener:
        Opens documents in it (``Attachment.data``, ``Binary.data``).

    Raises
    ------
    ReportError
        If it is no resource of a kind that is cleaned here.
    """

    def __init__(self, content: bytes, opener: Opener) -> None:
        self._is_json = _JSON.match(content) is not None
        self.suffix = "json" if self._is_json else "xml"
        self._root = from_json(content) if self._is_json else from_xml(content)
        if self._root[TYPE][0] not in REPORTS:
            raise ReportError("the FHIR resource is no report, study, document or bundle of them")
        self._references = references_of(self._root)
        self._opener = opener
        self._noted: dict[str, str] = {}
        self._inside: dict[str, Report] = {}
        _Walk(self._note, self._open, FhirValues(Cleaning({}))).resource(self._root, "")

    @staticmethod
    def looks_like(content: bytes) -> bool:
        """Whether it is FHIR in JSON or XML by its beginning."""
        if _JSON.match(content):
            return b'"resourceType"' in content
        return _XML.match(_DECLARED.sub(b"", content)) is not None

    @property
    def known_terms(self) -> KnownTerms:
        """What the typed fields identify people and orders by."""
        return KnownTerms.of(terms_of(self._root))

    @property
    def references(self) -> References:
        """What links it to its study for sure."""
        return self._references[0]

    @property
    def mentioned(self) -> frozenset[str]:
        """Identifiers of no type."""
        return self._references[1]

    def texts(self) -> dict[str, str]:
        """Its free text by the path of the element, that of documents by their parts too."""
        inner = {
            f"{path}/{part}": text
            for path, report in self._inside.items()
            for part, text in report.texts().items()
        }
        return self._noted | inner

    def cleaned(self, cleaning: Cleaning) -> bytes:
        """The resource as it may leave."""

        def document(path: str, _: bytes) -> tuple[str, bytes] | None:
            report = self._inside.get(path)
            if report is None:
                return None
            try:
                return _TYPES[report.suffix], report.cleaned(cleaning.of(path))
            except ReportError:
                return None

        def text(path: str, _: str) -> str:
            return _CONTROLS.sub(" ", cleaning.text(path))

        made = _Walk(text, document, FhirValues(cleaning)).resource(self._root, "")
        if made is None:
            raise ReportError("nothing of the FHIR resource may leave")
        return to_json(made) if self._is_json else to_xml(made)

    def _note(self, path: str, text: str) -> str:
        self._noted[path] = text
        return text

    def _open(self, path: str, data: bytes) -> tuple[str, bytes] | None:
        try:
            self._inside[path] = self._opener(data)
        except ReportError:
            return None  # nothing of it leaves
        return "text/plain", b"-"


class _Walk:
    """Builds a resource by the lists; run once to gather its texts, and once with them cleaned.

    Parameters
    ----------
    text, document:
        What is made of a free text, and of a document, by its path.
    values:
        Makes all other values.
    """

    def __init__(
        self,
        text: Callable[[str, str], str],
        document: Callable[[str, bytes], tuple[str, bytes] | None],
        values: FhirValues,
    ) -> None:
        self._text = text
        self._document = document
        self._values = values

    def resource(self, node: Node, path: str) -> Node | None:
        """A resource of the list; None of another."""
        kind = str(node.get(TYPE, [""])[0])
        if kind not in RESOURCES:
            return None
        made = self._node(node, kind, (f"{path}{kind}", kind))
        built: Node = {TYPE: [kind], "meta": [self._values.meta()]}
        return built | made

    def _node(self, node: Node, kind: str, at: tuple[str, str]) -> Node:
        if "data" in node and kind in ("Attachment", "Binary"):
            return self._attachment(node, kind, at)
        made: Node = {}
        for name, inner, _ in lines_of(kind):
            path = f"{at[0]}.{name}"
            values = [
                self._value(value, inner, (f"{path}[{number}]", subject_or(at[1], name)))
                for number, value in enumerate(node.get(name, ()))
            ]
            kept = [value for value in values if value not in (None, "", {})]
            if kept:
                made[name] = kept
        if "div" in made:
            made.setdefault("status", ["generated"])
        return made

    def _value(self, value: Any, kind: str, at: tuple[str, str]) -> Any:
        path, resource = at
        if isinstance(value, str):
            return self._primitive(value, kind, path)
        if kind == "resource":
            return self.resource(value, f"{path}.")
        if kind == "identifier":
            return self._values.identifier(value, resource)
        if kind == "concept":
            kind = "coding" if "coding" not in value and "text" not in value else "CodeableConcept"
        if kind == "coding":
            return self._values.coding(value, self._words(value, "display", path))
        if kind == "quantity":
            return self._values.quantity(value, self._words(value, "unit", path))
        return self._node(value, kind, at) if kind[:1].isupper() else None

    def _words(self, node: Node, name: str, path: str) -> str:
        told = next(iter(texts(node, name)), "")
        return self._text(f"{path}.{name}", told) if told else ""

    def _primitive(self, value: str, kind: str, path: str) -> str | None:
        if kind == "text":
            return self._text(path, value)
        if kind == "narrative":
            lines = self._text(path, text_of_html(value)).split("\n")
            told = "".join(f"<p>{escape(line)}</p>" for line in lines if line.strip())
            return f'<div xmlns="{XHTML}">{told or "<p>-</p>"}</div>'
        if kind in ("type", "data") or kind[:1].isupper() or kind not in _SIMPLE:
            return None
        return self._values.primitive(kind, value)

    def _attachment(self, node: Node, kind: str, at: tuple[str, str]) -> Node:
        """Documents are cleaned as reports of their own; sizes, digests and addresses go."""
        bare = {name: values for name, values in node.items() if name not in ("data", "url")}
        made = self._node(bare, kind, at)
        try:
            data = base64.b64decode("".join("".join(texts(node, "data")).split()), validate=True)
        except (binascii.Error, ValueError):
            return made
        document = self._document(f"{at[0]}.data", data)
        if document is None:
            return made
        told, content = document
        encoded = base64.b64encode(content).decode("ascii")
        return made | {"contentType": [told], "data": [encoded]}


_SIMPLE = frozenset(
    {"number", "decimal", "code", "boolean", "language", "date", "uid", "id", "url", "reference"}
)
