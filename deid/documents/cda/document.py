# SPDX-License-Identifier: Apache-2.0
"""A clinical document built anew from what may leave of another.

What is not known by name is left out, so no extension, comment or attribute carries anything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

from deid.documents.cda.names import (
    BLOCKS,
    CODED,
    CONTAINERS,
    INLINE,
    MASKED,
    MEASURES,
    NAMESPACE,
    PEOPLE,
    SCHEMA_INSTANCE,
    STRUCTURE,
    TIMES,
)
from deid.documents.cda.values import CdaValues
from deid.reports.errors import ReportError
from deid.reports.xml_tree import local, parsed
from deid.text.kinds import Kind

PdfCleaner = Callable[[bytes], bytes]
"""Makes an embedded PDF fit to leave; raises ``ReportError`` where it can't."""

_TYPE = f"{{{SCHEMA_INSTANCE}}}type"
_TYPE_ID = {"root": "2.16.840.1.113883.1.3", "extension": "POCD_HD000040"}
_MSK = {"nullFlavor": "MSK"}
_SPANS = frozenset({"colspan", "rowspan"})
_MEASURE_TYPES = frozenset({"PQ", "INT", "REAL"})


class ClinicalDocument:
    """One document.

    Parameters
    ----------
    content:
        XML.

    Raises
    ------
    ReportError
        If it is no CDA release 2.
    """

    def __init__(self, content: bytes) -> None:
        self._root = parsed(content)
        if local(self._root, NAMESPACE) != "ClinicalDocument":
            raise ReportError("the document is no HL7 CDA release 2")

    def people(self) -> list[tuple[str, Kind]]:
        """The persons whom the typed fields name, as ``family^given``."""
        return list(_people(self._root))

    def cleaned(self, values: CdaValues, texts: Callable[[list[str]], list[str]],
                pdf: PdfCleaner) -> bytes:  # fmt: skip
        """The document as it may leave, in UTF-8.

        Parameters
        ----------
        values:
            Makes identifiers, codes, times and numbers fit.
        texts:
            Cleans all texts of the document together; as many come back, in order.
        pdf:
            Cleans a PDF that is its body.
        """
        builder = _Builder(values, pdf)
        root = Element("ClinicalDocument", {"xmlns": NAMESPACE, "xmlns:xsi": SCHEMA_INSTANCE})
        root.attrib |= values.structural(self._root)
        builder.children(self._root, root)
        builder.fill(texts)
        return bytes(tostring(root, encoding="utf-8", xml_declaration=True))

    def identifier(self, values: CdaValues) -> str:
        """What stands for the document's own identifier, as ``root^extension`` (PS3.3 C.24.2)."""
        found = self._root.find(f"{{{NAMESPACE}}}id")
        made = {} if found is None else values.identifier(found, "ClinicalDocument")
        return "^".join(part for part in (made.get("root"), made.get("extension")) if part)


class _Builder:
    """Builds the new tree; texts are noted, to be cleaned together at the end."""

    def __init__(self, values: CdaValues, pdf: PdfCleaner) -> None:
        self._values = values
        self._pdf = pdf
        self._texts: list[tuple[Element, str]] = []
        self._bodies: list[Element] = []

    def fill(self, texts: Callable[[list[str]], list[str]]) -> None:
        """Put the cleaned texts where they belong."""
        cleaned = texts([text for _, text in self._texts])
        for (element, _), text in zip(self._texts, cleaned, strict=True):
            element.text = _xml_text(text)
        for element in self._bodies:
            element.text = base64.b64encode((element.text or "").encode()).decode("ascii")

    def children(self, source: Element, target: Element) -> None:
        """The children of an element that may leave."""
        parent = local(source, NAMESPACE)
        for child in source:
            name = local(child, NAMESPACE)
            if name in STRUCTURE:
                self.children(child, SubElement(target, name, self._values.structural(child)))
            elif name:
                self._leaf(child, name, parent, target)

    def _leaf(self, child: Element, name: str, parent: str, target: Element) -> None:
        if name in MASKED:
            SubElement(target, name, _MSK)
        elif name == "typeId":
            SubElement(target, name, _TYPE_ID)
        elif name == "templateId":
            known = self._values.template(child)
            if known is not None:
                SubElement(target, name, known)
        elif name in ("id", "setId"):
            SubElement(target, name, self._values.identifier(child, parent))
        elif name == "title":
            self._note(SubElement(target, name), "".join(child.itertext()))
        elif name == "text":
            self._body(child, parent, target)
        else:
            self._value(child, name, target)

    def _value(self, child: Element, name: str, target: Element) -> None:
        """A coded, timed, measured or textual value."""
        kind = child.get(_TYPE, "").rsplit(":", 1)[-1]
        structural = self._values.structural(child)
        if name in TIMES and not child.get("unit"):
            made = SubElement(target, name, structural | self._values.time(child, name))
            if name in ("effectiveTime", "time"):
                self.children(child, made)
        elif name in MEASURES and (kind in _MEASURE_TYPES or name != "value"):
            SubElement(target, name, structural | self._values.measure(child))
        elif name == "value" and kind == "ST":
            self._note(SubElement(target, name, structural), "".join(child.itertext()))
        elif name in CODED and child.get("code"):
            made = SubElement(target, name, structural | self._values.code(child, name))
            self.children(child, made)
        elif name in CODED:
            SubElement(target, name, structural | _MSK)

    def _note(self, element: Element, text: str) -> None:
        self._texts.append((element, " ".join(text.split())))

    def _body(self, child: Element, parent: str, target: Element) -> None:
        if parent == "nonXMLBody":
            self._embedded(child, SubElement(target, "text"))
        elif parent == "section":
            self._narrative(child, SubElement(target, "text"))
        else:
            # Of an entry it repeats, or points to, what the narrative says.
            SubElement(target, "text", _MSK)

    def _embedded(self, source: Element, target: Element) -> None:
        """The body of a document that is no XML: plain text or PDF."""
        content, kind = "".join(source.itertext()), source.get("mediaType", "text/plain")
        if source.get("representation") == "B64":
            try:
                data = base64.b64decode("".join(content.split()), validate=True)
            except (binascii.Error, ValueError):
                data = b""
        else:
            data = content.encode()
        if kind == "text/plain":
            target.attrib |= {"mediaType": "text/plain", "representation": "B64"}
            text = data.decode("utf-8", "replace").replace("\f", "\n")
            self._texts.append((target, text))
            self._bodies.append(target)
        elif kind == "application/pdf" and data:
            target.attrib |= {"mediaType": "application/pdf", "representation": "B64"}
            target.text = base64.b64encode(self._pdf(data)).decode("ascii")
        else:
            target.attrib |= _MSK

    def _narrative(self, source: Element, target: Element) -> None:
        """Narrative blocks (CDA.xsd, StrucDoc.Text); words inside a block lose their mark-up."""
        blocks = [child for child in source if _is_block(child)]
        if not blocks and target.tag not in CONTAINERS:
            self._note(target, _flat(source))
            return
        inside = target.tag not in CONTAINERS
        run = [source.text or ""]
        for child in source:
            if child in blocks:
                self._run(run, target, inside=inside)
                made = SubElement(target, local(child, NAMESPACE), _spans(child))
                self._narrative(child, made)
                run = [child.tail or ""]
            else:
                run += [_flat(child), child.tail or ""]
        self._run(run, target, inside=inside)

    def _run(self, run: list[str], target: Element, *, inside: bool) -> None:
        """Words between blocks become a block of their own."""
        text = "".join(run)
        if inside and text.strip():
            self._note(SubElement(target, "content" if target.tag != "text" else "paragraph"), text)


def _is_block(element: Element) -> bool:
    """Whether it stands for itself: ``content`` does where it holds blocks."""
    name = local(element, NAMESPACE)
    if name in INLINE:
        return any(_is_block(child) for child in element)
    return name in BLOCKS


def _flat(element: Element) -> str:
    """All words of an element; a line break is a space."""
    parts = [element.text or ""]
    for child in element:
        name = local(child, NAMESPACE)
        parts += [" " if name == "br" or name in BLOCKS else "", _flat(child), child.tail or ""]
    return "".join(parts)


def _spans(element: Element) -> dict[str, str]:
    return {
        key: value
        for key, value in element.attrib.items()
        if key in _SPANS and value.isdecimal() and len(value) < 3
    } | ({"listType": "ordered"} if element.get("listType") == "ordered" else {})


def _people(element: Element) -> Iterator[tuple[str, Kind]]:
    name = local(element, NAMESPACE)
    for child in element:
        if local(child, NAMESPACE) == "name" and name in PEOPLE:
            yield _person(child), PEOPLE[name]
        elif local(child, NAMESPACE) == "name" and name.endswith("rganization"):
            yield " ".join("".join(child.itertext()).split()), Kind.INSTITUTION
        elif local(child, NAMESPACE) in ("addr", "telecom"):
            yield from _contact(child)
        elif local(child, NAMESPACE) == "id":
            yield child.get("extension", ""), Kind.IDENTIFIER
        yield from _people(child)


def _contact(element: Element) -> Iterator[tuple[str, Kind]]:
    if local(element, NAMESPACE) == "telecom":
        yield element.get("value", "").partition(":")[2], Kind.PHONE
    for line in element:
        if local(line, NAMESPACE) == "streetAddressLine":
            yield "".join(line.itertext()).strip(), Kind.ADDRESS


def _person(name: Element) -> str:
    """``Doe^Jane`` of a name in parts; words of one that is not are given names."""
    parts: dict[str, list[str]] = {"family": [], "given": []}
    for part in name:
        parts.setdefault(local(part, NAMESPACE), []).append("".join(part.itertext()).strip())
    if parts["family"] or parts["given"]:
        return "^".join(" ".join(parts[key]) for key in ("family", "given"))
    words = "".join(name.itertext()).replace(",", " ").split()
    return "^".join([words[-1], " ".join(words[:-1])]) if words else ""


def _xml_text(text: str) -> str:
    """Without the characters that XML 1.0 has not."""
    return "".join(letter for letter in text if letter >= " " or letter in "\t\n\r")


def words_of_people(people: Collection[tuple[str, Kind]]) -> Iterator[str]:
    """The words of persons' names alone."""
    for name, kind in people:
        if kind not in (Kind.INSTITUTION, Kind.PHONE, Kind.ADDRESS, Kind.IDENTIFIER):
            yield from name.replace("^", " ").split()
