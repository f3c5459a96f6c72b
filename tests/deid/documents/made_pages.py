# SPDX-License-Identifier: Apache-2.0
"""Scanned pages, and where their words are."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

SIZE = (720, 400)
POINTS = 72 / 200
"""Per pixel: the page is drawn with 200 dots per inch."""
LINES = (
    "Patient: Fenwick, Marigold", "No pneumothorax is seen in both lungs",
    "Seen by Dr. Oduya on 12.03.1948",
)  # fmt: skip
SECRETS = ("Fenwick", "Marigold", "Oduya", "12.03.1948")


def printed(scribble: bool = False) -> tuple[Image.Image, dict[str, NDArray[np.intp]]]:
    """A page, and the inked pixels (row, column) of each word."""
    page, font = Image.new("L", SIZE, 250), ImageFont.load_default(28)
    ink: dict[str, NDArray[np.intp]] = {}
    for number, line in enumerate(LINES):
        x = 40.0
        for word in line.split():
            alone = Image.new("L", SIZE, 250)
            for one in (alone, page):
                ImageDraw.Draw(one).text((x, 40 + 70 * number), word, fill=20, font=font)
            ink[word.strip(",:")] = np.argwhere(np.asarray(alone) < 100)
            x += font.getlength(word + " ")
    if scribble:
        points = [(60 + 12 * at, 300 + 25 * ((at * 7) % 3)) for at in range(40)]
        ImageDraw.Draw(page).line(points, fill=15, width=4)
    return page, ink


def pdf_of(picture: Image.Image, hidden: str = "") -> bytes:
    file = BytesIO()
    width, height = (side * POINTS for side in picture.size)
    canvas = Canvas(file, pagesize=(width, height))
    canvas.setTitle("Fenwick Marigold")
    canvas.drawInlineImage(picture, 0, 0, width, height)
    if hidden:
        text = canvas.beginText(40, 40)
        text.setTextRenderMode(3)
        text.textLine(hidden)
        canvas.drawText(text)
    canvas.save()
    return file.getvalue()


def seen(pdf: bytes) -> NDArray[np.uint8]:
    (page,) = pypdfium2.PdfDocument(pdf)
    return np.asarray(page.render(scale=1 / POINTS).to_pil().convert("L"))


def inked(picture: NDArray[np.uint8], places: NDArray[np.intp]) -> float:
    return float((picture[places[:, 0], places[:, 1]] < 120).mean())
