# SPDX-License-Identifier: Apache-2.0
"""The slower parts of a check: texts that name somebody, and writing that is left in pixels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from numpy.typing import NDArray

from deid.checking import Finding
from deid.context import encodings_of
from deid.errors import DeidentificationError, PixelsNotReadableError
from deid.identifiers import told_texts
from deid.pixels import Keep, QuickText, find_text, representatives
from deid.pixels.frames import decoded
from deid.pixels.terms import undressed
from deid.profile import row_of
from deid.reading import Original, read
from deid.source_files import SourceFile
from deid.text import Kind, TextDeidentifier, header_terms
from deid.videos.errors import StreamError
from deid.videos.pictures import seen as look_through
from deid.videos.streams import fragments_of
from deid.videos.syntaxes import is_video

_CHARACTER_SET, _PIXEL_DATA = 0x00080005, 0x7FE00010
_LONG = frozenset({"LT", "ST", "UT"})
_FREE = _LONG | {"LO", "SH", "UC"}
# Dates are shifted and UIDs mapped where the profile says so; neither shows by its looks.
_NO_FINDING = frozenset({Kind.DATE, Kind.UID, Kind.AGE})
_PLACEHOLDER = re.compile(r"%[A-Z ]+%")
_STAND_IN = re.compile(r"\b[A-Z2-7]{16}\b")
_MARK = 0x00120063
_NAMES = frozenset({Kind.PATIENT_NAME, Kind.PHYSICIAN_NAME, Kind.NAME})
_UIDS = (0x00080018, 0x0020000D, 0x0020000E)
_SHORTEST = 5
_LAST_CREATOR = 0xFF
_PARTS = re.compile(r"[\^=\\\s,]+")


def texts_of(content: bytes) -> Iterator[Finding]:
    """Free texts of a file in which the detectors of ``deid.text`` find somebody."""
    header = read(content, pixels=False).header
    detectors = TextDeidentifier()
    for tag, vr, text in told_texts(header, encodings_of(header.text(_CHARACTER_SET))):
        if not text or not _is_prose(tag, vr):
            continue
        shown = _STAND_IN.sub(" ", _PLACEHOLDER.sub(" ", text))
        kinds = {span.kind for span in detectors.clean(shown).spans} - _NO_FINDING
        yield from (Finding(f"{tag:08X}", f"reads like: {kind}") for kind in sorted(kinds))


def _is_prose(tag: int, vr: str) -> bool:
    """Whether people write in it: names of devices, codes and methods read like names."""
    if tag == _MARK:
        return False
    return vr in _LONG or (vr in _FREE and (row_of(tag) is not None or _is_private(tag)))


def _is_private(tag: int) -> bool:
    """Whether an element is private, and no creator of a block (PS3.5 section 7.8.1)."""
    return bool(tag >> 16 & 1) and tag & 0xFFFF > _LAST_CREATOR


class PixelCheck:
    """Looks for text in pixels, upright and turned.

    Parameters
    ----------
    keep:
        What text is no finding.
    """

    def __init__(self, keep: Keep = Keep.NOTHING) -> None:
        self._keep = keep
        self._detector = QuickText(reading=keep is not Keep.NOTHING)

    def of(self, content: bytes) -> Iterator[Finding]:
        """Findings of a file; pixels that can't be decoded are one."""
        original: Original = read(content)
        if not any(element.tag == _PIXEL_DATA for element in original.pixels):
            return
        try:
            seen = _seen(original)
        except PixelsNotReadableError:
            yield Finding("7FE00010", "pixels that can't be decoded")
            return
        for turned in (False, True):
            if find_text(seen, self._detector, keep=self._keep, turned=turned).any():
                yield Finding("7FE00010", "text in the pixels")
                return


def _seen(original: Original) -> NDArray[Any]:
    """Frames that stand for all: ``(n, rows, columns)``, or with a fourth dimension of colours."""
    if not is_video(original.transfer_syntax):
        return representatives(decoded(undressed(original)).visible)
    value = next(bytes(one.value) for one in original.pixels if one.tag == _PIXEL_DATA)
    try:
        return look_through(b"".join(fragments_of(value))).views
    except StreamError:
        raise PixelsNotReadableError("the video can't be decoded") from None


def identifiers_of(files: Iterable[SourceFile]) -> list[str]:
    """Names, numbers and UIDs of original files, to be searched for in what was made of them.

    Parts of names with fewer than five letters are left out: they are in any file by chance.
    """
    found: set[str] = set()
    for file in files:
        try:
            header = read(file.read(), pixels=False).header
        except DeidentificationError:
            # No original that anything was made of.
            continue
        told = list(told_texts(header, encodings_of(header.text(_CHARACTER_SET))))
        for term in header_terms(told).terms:
            parts = [term.value] if term.kind not in _NAMES else _PARTS.split(term.value)
            found.update(part for part in parts if len(part) >= _SHORTEST and len(set(part)) > 1)
        found.update(header.text(tag) for tag in _UIDS if header.text(tag))
    return sorted(found)
