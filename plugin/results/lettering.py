# SPDX-License-Identifier: AGPL-3.0-or-later
"""The typeface of pictures and pages: Bitstream Vera, which ReportLab brings along.

A server often has no fonts at all, so the system's aren't asked for.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import reportlab
from PIL import ImageFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR = "Vera"
BOLD = "VeraBd"


def readable(text: str) -> str:
    """``text`` in the typeface's characters: others lose their accents or become a question mark.

    The typeface has Western and Central European letters; the DICOM objects that hold text keep
    the original words.
    """
    return "".join(_nearest(mark) for mark in text)


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """The typeface for drawing, ``size`` in pixels."""
    return ImageFont.truetype(str(_file(name)), size)


@cache
def register() -> None:
    """Make the typeface known to ReportLab."""
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(_file(name))))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD)


def wrapped(text: str, face: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """Lines that fit into ``width`` pixels; a word that doesn't is broken."""
    lines: list[str] = [""]
    for word in readable(text).split():
        tried = f"{lines[-1]} {word}".strip()
        if face.getlength(tried) <= width:
            lines[-1] = tried
            continue
        if lines[-1]:
            lines.append("")
        lines[-1:] = _broken(word, face, width)
    return lines


def _broken(word: str, face: ImageFont.FreeTypeFont, width: float) -> list[str]:
    pieces = [""]
    for mark in word:
        if pieces[-1] and face.getlength(pieces[-1] + mark) > width:
            pieces.append("")
        pieces[-1] += mark
    return pieces


@cache
def _nearest(mark: str) -> str:
    known = _characters()
    if ord(mark) in known:
        return mark
    base = [part for part in unicodedata.normalize("NFKD", mark) if ord(part) in known]
    return "".join(base) or "?"


@cache
def _characters() -> frozenset[int]:
    return frozenset(TTFont("probe", str(_file(REGULAR))).face.charToGlyph)


def _file(name: str) -> Path:
    return Path(reportlab.__file__).parent / "fonts" / f"{name}.ttf"
