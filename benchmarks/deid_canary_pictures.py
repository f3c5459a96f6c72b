# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identifiers planted where they are no bytes: on scanned pages, and in the pictures of videos.

One is left if a fifth of its ink is still there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pydicom
import pypdfium2
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from deid import Deidentifier
from deid.videos.syntaxes import Codec
from tests.deid.made_scans import ct, file_of
from tests.deid.videos.made_videos import stream, video

_LEFT = 0.2
_WORDS = (
    "Quillfeather", "Brannoch", "58204117", "12.04.1937", "Zephyrine", "0171-5551234", "Oduya",
    "mq.brannoch@example.org",
)  # fmt: skip
_LINES = (
    "Patient: Quillfeather, Zephyrine", "Record 58204117, born 12.04.1937", "Seen by Dr. Oduya",
    "Mr. Brannoch was told by phone 0171-5551234", "mail to mq.brannoch@example.org",
)  # fmt: skip
_SIZE = (1000, 640)
_TEXT_PLACE = (slice(12, 24), slice(12, 100))


def leaked(deidentifier: Deidentifier) -> tuple[int, list[str]]:
    """How many places were planted, and those at which ink is left."""
    found = list(chain(_pages(deidentifier), _videos(deidentifier)))
    return len(found), [place for place, share in found if share > _LEFT]


def _pages(deidentifier: Deidentifier) -> Iterator[tuple[str, float]]:
    for size in (24, 32):
        for turns in range(2):
            page, ink = _page(size)
            file = io.BytesIO()
            page.rotate(90 * turns, expand=True).save(file, "PDF", resolution=100)
            left = _shown(_cleaned(deidentifier, file.getvalue()))
            for word, places in ink.items():
                scale = np.array(left.shape, np.float32) / np.array(page.size[::-1], np.float32)
                at = np.minimum(np.round(places * scale).astype(int), np.array(left.shape) - 1)
                share = float((left[at[:, 0], at[:, 1]] < 120).mean())
                yield f"{word} of {size} pixels on a page turned {turns} times", share


def _page(size: int) -> tuple[Image.Image, dict[str, NDArray[np.intp]]]:
    page, font = Image.new("L", _SIZE, 250), ImageFont.load_default(size)
    ink: dict[str, NDArray[np.intp]] = {}
    for number, line in enumerate(_LINES):
        x = 60.0
        for word in line.split():
            alone = Image.new("L", _SIZE, 250)
            for one in (alone, page):
                ImageDraw.Draw(one).text((x, 60 + 100 * number), word, fill=20, font=font)
            if word.strip(",.:") in _WORDS:
                ink[word.strip(",.:")] = np.argwhere(np.asarray(alone) < 100)
            x += font.getlength(word + " ")
    return page, ink


def _cleaned(deidentifier: Deidentifier, pdf: bytes) -> bytes:
    dataset = ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", PatientName="Quillfeather^Zephyrine",
        PatientID="58204117", MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=pdf + b"\0" * (len(pdf) % 2), EncapsulatedDocumentLength=len(pdf),
    )  # fmt: skip
    left = pydicom.dcmread(io.BytesIO(deidentifier.deidentify(file_of(dataset)).to_bytes()))
    return bytes(left.EncapsulatedDocument)[: left.EncapsulatedDocumentLength]


def _shown(pdf: bytes) -> NDArray[np.uint8]:
    (page,) = pypdfium2.PdfDocument(pdf)
    return np.asarray(page.render(scale=2).to_pil().convert("L"))


def _videos(deidentifier: Deidentifier) -> Iterator[tuple[str, float]]:
    content = video(stream("h264_text.mp4"), Codec.H_264)
    left = pydicom.dcmread(io.BytesIO(deidentifier.deidentify(content).to_bytes()))
    for number, picture in enumerate(left.pixel_array):
        share = float((picture[_TEXT_PLACE].min(axis=2) > 160).mean())
        yield f"picture {number} of a video", share
