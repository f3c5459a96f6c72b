# SPDX-License-Identifier: Apache-2.0
"""The pages of a PDF: what is typed on them, and the picture of those that were scanned.

PDFium draws a page as a viewer shows it, so strips of a scan, turned pages and letters drawn as
curves look as they do to a person.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.reports.errors import ReportError
from deid.reports.pdf import PdfReport

_PIXELS_PER_POINT = 200.0 / 72.0
_LONGEST_SIDE = 1990
"""Pixels. The detector of lines shrinks larger pictures; A4 has 170 dots per inch so."""
_MOSTLY = 0.5
"""Share of a page that pictures cover where it is a scan, whatever a hidden text says."""
_LONGEST_STAMP = 40
"""Letters of a text beside pictures that is no page: a number, the line of a fax machine."""
_LEAST_INK = 0.0002
_PAPER = 230
_PDFIUM = Lock()
"""PDFium must not be entered by two threads."""


class Page(NamedTuple):
    """One page.

    Attributes
    ----------
    text:
        What is typed, also where nobody sees it.
    picture:
        ``(rows, columns)`` of 8-bit grey as it is shown, of a scanned page; ``None`` of others.
    size:
        Width and height in points (1/72 inch).
    """

    text: str
    picture: NDArray[np.uint8] | None
    size: tuple[float, float]


def pages_of(content: bytes) -> list[Page]:
    """The pages of a PDF file.

    Raises
    ------
    ReportError
        If it can't be read, is encrypted, or has more than 500 pages.
    """
    # The reader is there for what ``PdfReport`` refuses without one; the pictures are seen below.
    texts = PdfReport(content, lambda _: "").texts().values()
    import pypdfium2  # noqa: PLC0415 - only documents need it

    with _PDFIUM:
        try:
            document = pypdfium2.PdfDocument(content.rstrip(b"\0"))
            try:
                return [_page(document, at, text) for at, text in enumerate(texts)]
            finally:
                document.close()
        except (pypdfium2.PdfiumError, ValueError, MemoryError) as error:
            raise ReportError(f"the PDF can't be drawn ({type(error).__name__})") from None


def _page(document: Any, at: int, text: str) -> Page:
    page = document[at]
    try:
        width, height = page.get_size()
        size = float(width), float(height)
        covered = _covered(page, size)
        if text and covered < _MOSTLY and not (covered and len(text) < _LONGEST_STAMP):
            return Page(text, None, size)
        scale = min(_PIXELS_PER_POINT, _LONGEST_SIDE / max(size))
        bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False)
        drawn = np.array(bitmap.to_numpy(), np.uint8)
        picture = drawn[:, :, 0] if drawn.ndim == 3 else drawn
        if not text and float((picture < _PAPER).mean()) < _LEAST_INK:
            return Page("", None, size)
        return Page(text, picture, size)
    finally:
        page.close()


def _covered(page: Any, size: tuple[float, float]) -> float:
    """Share of the page that its pictures cover together; overlaps count twice."""
    from pypdfium2 import raw  # noqa: PLC0415 - as above

    area = 0.0
    for item in page.get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,)):
        left, bottom, right, top = item.get_bounds()
        wide = min(right, size[0]) - max(left, 0.0)
        high = min(top, size[1]) - max(bottom, 0.0)
        area += max(wide, 0.0) * max(high, 0.0)
    return area / (size[0] * size[1])
