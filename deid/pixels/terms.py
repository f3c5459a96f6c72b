# SPDX-License-Identifier: Apache-2.0
"""Names and numbers that are written into an image, for the search in its header."""

from __future__ import annotations

from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from deid.context import encodings_of
from deid.elements import Element, Encoding
from deid.identifiers import told_texts, usual_vr
from deid.pixels.detector import QuickText
from deid.pixels.finding import find_text, representatives
from deid.pixels.frames import decoded
from deid.pixels.reading_kinds import NotingDetector
from deid.reading import Original
from deid.stages import Instance
from deid.text import KnownTerms, TextDeidentifier, header_terms
from deid.videos.syntaxes import is_video

_CHARACTER_SET = 0x00080005
_IMAGE_PIXEL = 0x0028
"""Group of the attributes that pixels are decoded by (PS3.3 section C.7.6.3)."""
_PIXEL_DATA = 0x7FE00010


class PixelTerms:
    """Reads the lines of an image, upright and turned, and tells whom they name."""

    def __init__(self) -> None:
        self._detector = QuickText(reading=True)

    def __call__(self, original: Original) -> KnownTerms:
        """Known terms of the header and what the lines reveal beside them.

        Raises
        ------
        PixelsNotReadableError
            If the pixels can't be decoded.
        """
        encodings = encodings_of(original.header.text(_CHARACTER_SET))
        known = header_terms(told_texts(original.header, encodings))
        if is_video(original.transfer_syntax):
            return known
        if not any(element.tag == _PIXEL_DATA for element in original.pixels):
            return known
        seen = representatives(decoded(undressed(original)).visible)
        noting = NotingDetector(self._detector)
        for turned in (False, True):
            find_text(seen, noting, turned=turned)
        lines = {line.text: line.text for line in noting.lines if line.text}
        return TextDeidentifier(known).terms(lines)


def undressed(original: Original) -> Instance:
    """The pixels with no more of the header than decoding them needs."""
    syntax = original.transfer_syntax
    encoding = Encoding(syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian)
    elements = {
        tag: Element(tag, element.vr or usual_vr(tag), element.value)
        for tag, element in original.header.items()
        if tag >> 16 == _IMAGE_PIXEL and not element.has_items
    }
    return Instance(original, encoding, syntax, elements, list(original.pixels))
