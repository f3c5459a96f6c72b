# SPDX-License-Identifier: Apache-2.0
"""Cleans 3D models (PS3.3 sections A.85.1 to A.85.3): STL, OBJ and MTL without texts and names.

Their geometry stays, and with it whatever can be recognized in it, such as a face.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

import numpy as np

from deid.documents.pdf import put_document
from deid.header import HeaderCleaner
from deid.policy import Models
from deid.report import Action, ElementRecord
from deid.reports.errors import ReportError
from deid.stages import Instance

Rename = Callable[[str], str]
"""The stand-in of a name: equal for equal ones, as models and materials refer to each other."""

_STORAGE = "1.2.840.10008.5.1.4.1.1.104."
_DOCUMENT = 0x00420011
_TRIANGLE = np.dtype([("numbers", "<f4", 12), ("attribute", "<u2")])
_HEAD = 84
_LARGEST, _SMALLEST = 1e6, 1e-12
"""Letters that are read as numbers are larger or smaller than any body."""
_NUMBER = r"[+-]?(?:\d{1,6}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][+-]?\d{1,2})?"
_FACET = re.compile(
    rf"facet normal(?: {_NUMBER}){{3}} outer loop(?: vertex(?: {_NUMBER}){{3}}){{3}} "
    "endloop endfacet "
)
_INDEX = r"-?\d{1,7}(?:/-?\d{0,7}){0,2}"
_OBJ = {
    **dict.fromkeys(("v", "vn", "vt", "vp"), re.compile(rf"{_NUMBER}(?: {_NUMBER}){{0,6}}")),
    **dict.fromkeys(("f", "l", "p"), re.compile(rf"{_INDEX}(?: {_INDEX})*")),
    "s": re.compile(r"off|\d{1,4}"),
}
_MTL = {
    **dict.fromkeys(("Ka", "Kd", "Ks", "Ke", "Tf"), re.compile(rf"{_NUMBER}(?: {_NUMBER}){{2}}")),
    **dict.fromkeys(("Ns", "Ni", "d", "Tr"), re.compile(_NUMBER)),
    "illum": re.compile(r"\d{1,2}"),
}
_NAMED = frozenset({"o", "g", "usemtl", "newmtl"})


class ModelStage:
    """Puts the cleaned model in the place of the original, where the policy says so.

    Parameters
    ----------
    cleaner:
        Has the policy and the stand-ins.
    """

    def __init__(self, cleaner: HeaderCleaner) -> None:
        self._cleaner = cleaner

    def apply(self, instance: Instance) -> None:
        """Do so for models, and nothing to any other; what can't be read leaves empty."""
        clean = _CLEANERS.get(instance.original.sop_class)
        document = instance.original.header.get(_DOCUMENT)
        if clean is None or document is None or self._cleaner.policy.models is Models.EMPTY:
            return
        try:
            made = clean(bytes(document.value).rstrip(b"\0 "), self._renamed)
        except ReportError as error:
            why = f"left empty: {error}"
            instance.records.append(ElementRecord(f"{_DOCUMENT:08X}", why, Action.CLEANED))
            return
        put_document(instance, made, "model without texts")

    def _renamed(self, name: str) -> str:
        return self._cleaner.pseudonyms.identifier("part of a model", name)


def clean_stl(content: bytes, rename: Rename) -> bytes:  # noqa: ARG001 - a solid needs no name
    """A binary STL file with the triangles of a binary or an ASCII one, and zero beside them.

    Raises
    ------
    ReportError
        If it is no STL file, or what should be numbers is text.
    """
    count = struct.unpack_from("<I", content, 80)[0] if len(content) >= _HEAD else -1
    # Zero bytes at its end were taken for padding.
    missing = _HEAD + _TRIANGLE.itemsize * count - len(content)
    if count > 0 and 0 <= missing < _TRIANGLE.itemsize and not content.startswith(b"solid "):
        triangles = np.frombuffer(content + bytes(missing), _TRIANGLE, count, _HEAD).copy()
    else:
        triangles = _written(content)
    sizes = np.abs(triangles["numbers"])
    if not (np.isfinite(sizes) & (sizes < _LARGEST) & ((sizes > _SMALLEST) | (sizes == 0))).all():
        raise ReportError("the numbers of the model are none of a body")
    triangles["attribute"] = 0
    return bytes(80) + struct.pack("<I", len(triangles)) + triangles.tobytes()


def _written(content: bytes) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """The triangles of an ASCII file."""
    lines = content.decode("ascii", "replace").strip().splitlines()
    if len(lines) < 2 or not lines[0].startswith("solid") or not lines[-1].startswith("endsolid"):
        raise ReportError("the model is no STL file")
    body = " ".join(" ".join(lines[1:-1]).split()) + " "
    found = list(_FACET.finditer(body))
    if sum(len(match[0]) for match in found) != len(body):
        raise ReportError("the model has more than triangles")
    triangles = np.zeros(len(found), _TRIANGLE)
    for at, match in enumerate(found):
        words = re.findall(rf" ({_NUMBER})(?= )", match[0])
        triangles["numbers"][at] = [float(word) for word in words]
    return triangles


def clean_obj(content: bytes, rename: Rename) -> bytes:
    """An OBJ file with its points, surfaces, and stand-ins of names.

    Raises
    ------
    ReportError
        If a point or surface can't be read: leaving one out would move all others.
    """
    return _statements(content, _OBJ, rename)


def clean_mtl(content: bytes, rename: Rename) -> bytes:
    """An MTL file with its colours, and stand-ins of names; textures are left out.

    Raises
    ------
    ReportError
        If a colour can't be read.
    """
    return _statements(content, _MTL, rename)


def _statements(content: bytes, known: dict[str, re.Pattern[str]], rename: Rename) -> bytes:
    kept = list(_kept(content.decode("utf-8", "replace"), known, rename))
    if not kept:
        raise ReportError("the model has no statement that is known")
    return ("\n".join(kept) + "\n").encode("ascii")


def _kept(text: str, known: dict[str, re.Pattern[str]], rename: Rename) -> Iterator[str]:
    for line in text.splitlines():
        name, _, rest = " ".join(line.partition("#")[0].split()).partition(" ")
        if name in _NAMED and rest:
            yield f"{name} {rename(rest)}"
        elif name in known:
            if known[name].fullmatch(rest) is None:
                raise ReportError("a statement of the model can't be read")
            yield f"{name} {rest}"


_CLEANERS: dict[str, Callable[[bytes, Rename], bytes]] = {
    f"{_STORAGE}3": clean_stl,
    f"{_STORAGE}4": clean_obj,
    f"{_STORAGE}5": clean_mtl,
}
