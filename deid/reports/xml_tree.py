# SPDX-License-Identifier: Apache-2.0
"""Reads XML that nobody trusts: no document types, no entities, nothing fetched."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from deid.reports.errors import ReportError

_SEPARATOR = "\x1f"
_DEEPEST = 100


def parsed(content: bytes) -> Element:
    """The root element; names are ``{namespace}local``, comments and instructions are left out.

    Raises
    ------
    ReportError
        If it is no well-formed XML, declares a document type, or is nested more than 100 deep.
    """
    builder, depth = TreeBuilder(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ReportError(f"the document is nested more than {_DEEPEST} deep")
        builder.start(_named(name), {_named(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_named(name))

    def doctype(*_: object) -> None:
        raise ReportError(
            "the document declares a document type: documents of HL7 and Office do not"
        )

    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content.rstrip(b"\0 \r\n\t"), True)
        return builder.close()
    except (expat.ExpatError, ValueError, AssertionError) as error:
        raise ReportError(f"the document is no XML ({type(error).__name__})") from None


def local(element: Element, namespace: str) -> str:
    """The name of an element of a namespace; ``""`` for those of others."""
    head = f"{{{namespace}}}"
    return element.tag[len(head) :] if element.tag.startswith(head) else ""


def _named(name: str) -> str:
    namespace, separator, rest = name.partition(_SEPARATOR)
    return f"{{{namespace}}}{rest}" if separator else name
