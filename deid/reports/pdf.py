# SPDX-License-Identifier: Apache-2.0
"""Reports in PDF, and Encapsulated PDF objects (PS3.3 section A.45).

A PDF hides text in metadata, annotations, forms, attachments, earlier revisions and fonts. So
nothing of the file leaves: its text is read, cleaned, and set anew.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfgen.canvas import Canvas

from deid.reports.errors import ReportError
from deid.reports.linking import References
from deid.reports.plain import words_of
from deid.reports.report import Cleaning
from deid.text import KnownTerms

PageReader = Callable[[bytes], str]
"""Reads the text of a scanned page from the bytes of its picture."""

_SIZE, _LEADING = 10, 13
_LATIN = "Helvetica"
# Fonts that every PDF viewer has by the standard's character collections; none is embedded.
_WIDE_FONTS = (
    (re.compile("[\uac00-\ud7a3]"), "HYGothic-Medium"),
    (re.compile("[\u3040-\u30ff\u0370-\u03ff\u0400-\u04ff]"), "HeiseiKakuGo-W5"),
    (re.compile("[\u3400-\u9fff]"), "STSong-Light"),
)
_MARGIN = 20 * mm
_MOST_PAGES = 500


class PdfReport:
    """One PDF.

    Parameters
    ----------
    content:
        The bytes of the file.
    page_reader:
        Reads pages that are pictures; without it such a page is refused.

    Raises
    ------
    ReportError
        If it can't be read, is encrypted, has more than 500 pages, or a page is a picture and there
        is no reader.
    """

    suffix = "pdf"

    def __init__(self, content: bytes, page_reader: PageReader | None = None) -> None:
        try:
            reader = PdfReader(io.BytesIO(content.rstrip(b"\0")))
            if reader.is_encrypted and not reader.decrypt(""):
                raise ReportError("the PDF is encrypted: export the report without a password")
            if len(reader.pages) > _MOST_PAGES:
                raise ReportError(f"the PDF has more than {_MOST_PAGES} pages: split it")
            self._pages = [_page_text(page, page_reader) for page in reader.pages]
        except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ReportError(f"the PDF can't be read ({type(error).__name__})") from None

    @classmethod
    def from_file(cls, path: Path, page_reader: PageReader | None = None) -> PdfReport:
        """Read a file."""
        return cls(path.read_bytes(), page_reader)

    def texts(self) -> dict[str, str]:
        """Text by page: ``page 1``, …"""
        return {f"page {number}": text for number, text in enumerate(self._pages, 1)}

    @property
    def known_terms(self) -> KnownTerms:
        """None: it has no typed fields."""
        return KnownTerms()

    @property
    def references(self) -> References:
        """None: it has no typed fields."""
        return References()

    @property
    def mentioned(self) -> frozenset[str]:
        """The words of its pages, and neighbours run together."""
        return words_of(" ".join(self._pages))

    def cleaned(self, cleaning: Cleaning) -> bytes:
        """The PDF as it may leave, set anew from its cleaned texts."""
        return set_anew([text.text for text in cleaning.texts.values()])


def _page_text(page: object, page_reader: PageReader | None) -> str:
    text = str(page.extract_text()).strip()  # type: ignore[attr-defined]
    pictures = list(page.images)  # type: ignore[attr-defined]
    if pictures and page_reader is not None:
        text = "\n".join([text, *(page_reader(picture.data) for picture in pictures)]).strip()
    elif pictures and not text:
        raise ReportError("a page of the PDF is a picture: give a reader of pictures, or refuse it")
    return text


class Drawn(NamedTuple):
    """A page that is a picture.

    Attributes
    ----------
    picture:
        ``(rows, columns)`` of 8-bit grey.
    size:
        Width and height of the page in points.
    """

    picture: NDArray[np.uint8]
    size: tuple[float, float]


def set_anew(pages: Sequence[str | Drawn]) -> bytes:
    """A PDF with the given texts and pictures and nothing else: no metadata, a fixed date.

    Raises
    ------
    ReportError
        If a page has letters that no font at hand has (Arabic, Hebrew, Thai).
    """
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=True)
    canvas.setTitle("")
    for page in pages:
        if isinstance(page, Drawn):
            _draw_page(canvas, page)
        else:
            _set_page(canvas, page)
    canvas.save()
    return file.getvalue()


def _draw_page(canvas: Canvas, page: Drawn) -> None:
    width, height = page.size
    canvas.setPageSize(page.size)
    canvas.drawImage(ImageReader(Image.fromarray(page.picture)), 0, 0, width, height)
    canvas.showPage()
    canvas.setPageSize(A4)


def _set_page(canvas: Canvas, text: str) -> None:
    width, height = A4
    at = height - _MARGIN
    font = _font(text)
    canvas.setFont(font, _SIZE)
    for line in _lines(text, width - 2 * _MARGIN, font):
        if at < _MARGIN:
            canvas.showPage()
            canvas.setFont(font, _SIZE)
            at = height - _MARGIN
        canvas.drawString(_MARGIN, at, line)
        at -= _LEADING
    canvas.showPage()


def _font(text: str) -> str:
    """A font that has the letters of a page."""
    try:
        text.replace("–", "-").replace("—", "-").encode("cp1252")
    except UnicodeEncodeError:
        pass
    else:
        return _LATIN
    for letters, name in _WIDE_FONTS:
        if letters.search(text):
            registerFont(UnicodeCIDFont(name))
            return name
    raise ReportError("no font has the letters of the report: let it leave as plain text")


def _lines(text: str, width: float, font: str) -> list[str]:
    result: list[str] = []
    for line in text.split("\n"):
        current = ""
        for word in line.split(" "):
            longer = f"{current} {word}" if current else word
            if current and stringWidth(longer, font, _SIZE) > width:
                result.append(current)
                longer = word
            current = longer
        result.append(current)
    return result
