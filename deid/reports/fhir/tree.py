# SPDX-License-Identifier: Apache-2.0
"""FHIR in JSON and XML as one tree, and back (HL7 FHIR R4 sections 2.6.1 and 2.6.2).

A node has its elements by name, each a list of nodes or of primitive values as text. Attributes of
primitive values (extensions) and what belongs to other namespaces are left out as they are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from deid.reports.errors import ReportError
from deid.reports.fhir.schema import lines_of
from deid.reports.xml_tree import local, parsed

NAMESPACE = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
TYPE = "resourceType"
Node = dict[str, list[Any]]
"""``TYPE`` has the name of a resource."""
_DEEPEST = 100
_BOOLEAN = frozenset({"boolean"})
_NUMBERS = frozenset({"number", "decimal"})
_MARK = "\x02"
"""Around numbers while JSON is written; no cleaned text has it."""


def from_json(content: bytes) -> Node:
    """Read a resource.

    Raises
    ------
    ReportError
        If it is none, or is nested more than 100 deep.
    """
    try:
        read = json.loads(content, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"the report is no JSON ({type(error).__name__})") from None
    if not isinstance(read, dict) or not isinstance(read.get(TYPE), str):
        raise ReportError("the report is no FHIR resource: resourceType is missing")
    return _node(read, 0)


def _node(read: dict[str, Any], depth: int) -> Node:
    if depth > _DEEPEST:
        raise ReportError(f"the resource is nested more than {_DEEPEST} deep")
    made: Node = {}
    for name, value in read.items():
        if name.startswith("_") or name in ("extension", "modifierExtension"):
            continue
        values = value if isinstance(value, list) else [value]
        kept = [_value(one, depth) for one in values if one is not None]
        if kept:
            made[name] = kept
    return made


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return _node(value, depth + 1)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def from_xml(content: bytes) -> Node:
    """Read a resource.

    Raises
    ------
    ReportError
        If it is none, declares a document type, or is nested more than 100 deep.
    """
    root = parsed(content)
    name = local(root, NAMESPACE)
    if not name:
        raise ReportError("the report is no FHIR resource: its namespace is another")
    return {TYPE: [name]} | _children(root)


def _children(element: Element) -> Node:
    made: Node = {}
    for child in element:
        name = local(child, NAMESPACE)
        if local(child, XHTML) == "div":
            made["div"] = [tostring(child, encoding="unicode")]
        elif name and name not in ("extension", "modifierExtension"):
            made.setdefault(name, []).append(_child(child))
    return made


def _child(element: Element) -> Any:
    inner = local(element[0], NAMESPACE) if len(element) == 1 else ""
    if inner[:1].isupper():
        return {TYPE: [inner]} | _children(element[0])
    children = _children(element)
    return children if children or "value" not in element.attrib else element.attrib["value"]


def walk(node: Node, inside: str = "") -> Iterator[tuple[str, Node]]:
    """Every node, with the name of the resource that it belongs to."""
    kind = next((one for one in node.get(TYPE, ()) if isinstance(one, str)), inside)
    yield kind, node
    for values in node.values():
        for value in values:
            if isinstance(value, dict):
                yield from walk(value, kind)


def to_json(node: Node) -> bytes:
    """The resource in JSON, in UTF-8."""
    text = json.dumps(_plain(node, node[TYPE][0]), ensure_ascii=False, indent=1)
    return _numbered(text).encode()


def _plain(node: Node, kind: str) -> dict[str, Any]:
    made: dict[str, Any] = {TYPE: node[TYPE][0]} if TYPE in node else {}
    for name, inner, many in _lines(node, kind):
        values = [_leaf(value, inner) for value in node[name]]
        made[name] = values if many else values[0]
    return made


def _leaf(value: Any, kind: str) -> Any:
    if isinstance(value, dict):
        return _plain(value, value[TYPE][0] if TYPE in value else kind)
    if kind in _BOOLEAN:
        return value == "true"
    return f"{_MARK}{value}{_MARK}" if kind in _NUMBERS else value


def _numbered(text: str) -> str:
    """Marked texts as the numbers that they spell."""
    mark = json.dumps(_MARK)[1:-1]
    return text.replace(f'"{mark}', "").replace(f'{mark}"', "")


def to_xml(node: Node) -> bytes:
    """The resource in XML, in UTF-8."""
    root = Element(node[TYPE][0], {"xmlns": NAMESPACE})
    _grow(root, node, node[TYPE][0])
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _grow(target: Element, node: Node, kind: str) -> None:
    for name, inner, _ in _lines(node, kind):
        for value in node[name]:
            if name == "div":
                target.append(parsed(value.encode()))
            elif isinstance(value, dict) and TYPE in value:
                resource = SubElement(SubElement(target, name), value[TYPE][0])
                _grow(resource, value, value[TYPE][0])
            elif isinstance(value, dict):
                _grow(SubElement(target, name), value, inner)
            else:
                SubElement(target, name, {"value": value})


def _lines(node: Node, kind: str) -> list[tuple[str, str, bool]]:
    """The lines of a type that a node has."""
    return [line for line in lines_of(kind) if node.get(line[0])]
