# SPDX-License-Identifier: Apache-2.0
"""What a de-identified object must say of itself (PS3.15 section E.1.1), exactly as done."""

from __future__ import annotations

from collections.abc import Set

from deid.elements import Element
from deid.options import Option
from deid.pseudonyms import Pseudonyms
from deid.report import Action, ElementRecord
from deid.stages import Instance

METHOD = "Sidelight: DICOM PS3.15 Annex E, Table E.1-1 2026c"
"""De-identification Method (0012,0063)."""

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E


def mark(instance: Instance, options: Set[Option], pseudonyms: Pseudonyms) -> None:
    """Add the marks, and the UIDs without which nothing can be stored.

    A missing UID is made of what is there: equal files get equal ones.
    """
    codes = [
        [
            Element(0x00080100, "SH", code.encode("ascii")),
            Element(0x00080102, "SH", b"DCM"),
            Element(0x00080104, "LO", meaning.encode("ascii")),
        ]
        for code, meaning in sorted(instance.methods.items())
    ]
    _add(instance, 0x00120062, "CS", b"YES")
    _add(instance, 0x00120063, "LO", "\\".join([METHOD, *instance.notes]).encode("ascii"))
    _add(instance, 0x00120064, "SQ", instance.encoding.items(codes))
    _add(instance, 0x00280303, "CS", _dates(options))
    _complete(instance, pseudonyms)


def _dates(options: Set[Option]) -> bytes:
    """Longitudinal Temporal Information Modified (PS3.3 section C.12.1)."""
    if Option.MODIFIED_DATES in options:
        return b"MODIFIED"
    return b"UNMODIFIED" if Option.FULL_DATES in options else b"REMOVED"


def _complete(instance: Instance, pseudonyms: Pseudonyms) -> None:
    original = instance.original
    if not _has(instance, _SOP_CLASS):
        _add(instance, _SOP_CLASS, "UI", original.sop_class.encode("ascii", "ignore"))
    if not _has(instance, _SOP_INSTANCE):
        named = original.sop_instance or f"without a UID {_fingerprint(instance)}"
        _add(instance, _SOP_INSTANCE, "UI", pseudonyms.uid(named).encode("ascii"))
    for tag, beside in ((_STUDY, _SERIES), (_SERIES, _STUDY)):
        if not _has(instance, tag):
            known = instance.elements.get(beside) or instance.elements[_SOP_INSTANCE]
            named = f"{tag:08X} beside {bytes(known.value).decode('latin-1')}"
            _add(instance, tag, "UI", pseudonyms.uid(named).encode("ascii"))


def _has(instance: Instance, tag: int) -> bool:
    element = instance.elements.get(tag)
    return element is not None and bool(element.value)


def _fingerprint(instance: Instance) -> str:
    content = b"".join(instance.encoding.encode(instance.elements.values()))
    return content.hex()


def _add(instance: Instance, tag: int, vr: str, value: bytes) -> None:
    instance.elements[tag] = Element(tag, vr, value)
    instance.records.append(ElementRecord(f"{tag:08X}", "PS3.15 E.1.1", Action.ADDED))
