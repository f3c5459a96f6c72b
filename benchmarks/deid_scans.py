# SPDX-License-Identifier: AGPL-3.0-or-later
"""Scanned pages of reports: identifiers left on their pictures, and clinical words kept.

The reports of the free-text benchmark are set in Latin letters, printed in twelve fonts and sizes,
laid on a scanner askew, on the side or upside down, with noise, uneven paper, blur and JPEG. An
identifier is left if a fifth of the ink of one of its words is still on the page; a harmless word
is kept if most of its ink is. Names count as unlisted, as in the free-text benchmark.
"""

from __future__ import annotations

import io
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pydicom.dataset import Dataset

from benchmarks import report
from benchmarks.deid_text import Text, filled, tells
from benchmarks.deid_text_people import person, slots_of
from benchmarks.deid_text_reports import REPORTS
from deid import DeidentificationKey, Option, Policy
from deid.documents.pdf import ENCAPSULATED_PDF, EncapsulatedPdfStage
from deid.header import HeaderCleaner
from deid.policy import Documents, ScannedPages
from deid.pseudonyms import Pseudonyms
from deid.reading import read
from tests.deid.made_scans import ct, file_of

SEED = 20261129
FONTS = Path("/usr/share/fonts/truetype")
_NAMES = (
    "dejavu/DejaVuSans", "dejavu/DejaVuSerif", "dejavu/DejaVuSansMono", "dejavu/DejaVuSans-Bold",
    "liberation/LiberationSans-Regular", "liberation/LiberationSerif-Regular",
    "liberation/LiberationMono-Regular", "liberation/LiberationSerif-Italic", "lato/Lato-Regular",
    "open-sans/OpenSans-Regular", "freefont/FreeSerif", "roboto/unhinted/RobotoTTF/Roboto-Regular",
)  # fmt: skip
SIZE = (1240, 1754)
"""A4 at 150 dots per inch."""
INK, _LEFT, _KEPT = 140, 0.2, 0.5


class Printed(NamedTuple):
    """A word on a page.

    Attributes
    ----------
    text:
        The word.
    ink:
        ``(n, 2)`` x and y of its inked pixels as they were printed.
    identifies:
        Whether it is part of an identifier.
    """

    text: str
    ink: NDArray[np.float32]
    identifies: bool


class Scan(NamedTuple):
    """A page on the scanner: its picture, its words, and by how many degrees it lies askew."""

    picture: Image.Image
    words: list[Printed]
    skew: float
    names: tuple[str, str]
    number: str


def scans(seed: int, count: int) -> Iterator[Scan]:
    """Pages of reports in Latin letters."""
    chance = random.Random(seed)  # noqa: S311
    latin = [template for template in REPORTS if _is_latin(template)]
    for number in range(count):
        patient, referrer, other = person(chance), person(chance), person(chance)
        slots = slots_of(chance, patient, referrer, other)
        text = filled(latin[number % len(latin)], slots)
        font = ImageFont.truetype(
            str(FONTS / f"{_NAMES[number % len(_NAMES)]}.ttf"), chance.choice((20, 22, 25, 30))
        )
        page, words = _printed(text, font)
        skew = chance.choice((0.0, 0.0, 0.6, -0.8, 1.5, -2.0, 2.5))
        known = number % 3 > 0
        names = (f"{patient.family}^{patient.given}", f"{referrer.family}^{referrer.given}")
        picture = _scanned(page, skew, number, chance)
        yield Scan(picture, words, skew, names if known else (names[0], ""), slots["mrn"])


def _is_latin(text: str) -> bool:
    script = ("_ru", "_ja", "_zh", "_ko")
    return all(ord(letter) < 0x250 for letter in text) and not any(end in text for end in script)


def _printed(text: Text, font: Any) -> tuple[Image.Image, list[Printed]]:
    page = Image.new("L", SIZE, 255)
    words: list[Printed] = []
    at, (left, top) = 0, (100, 110)
    for line in text.content.split("\n"):
        x = left
        for word in line.split(" "):
            width = font.getlength(word)
            if x + width > SIZE[0] - 90 and x > left:
                x, top = left, top + int(1.6 * font.size)
            if word:
                places = text.identifiers
                marked = any(start < at + len(word) and at < end for start, end in places)
                words.append(Printed(word, _drawn(page, word, (x, top), font), marked))
            x += int(width + font.getlength(" "))
            at += len(word) + 1
        top += int(1.6 * font.size)
    return page, words


def _drawn(page: Image.Image, word: str, at: tuple[int, int], font: Any) -> NDArray[np.float32]:
    alone = Image.new("L", SIZE, 255)
    ImageDraw.Draw(alone).text(at, word, fill=25, font=font)
    rows, columns = np.nonzero(np.asarray(alone) < INK)
    ImageDraw.Draw(page).text(at, word, fill=25, font=font)
    return np.stack([columns, rows], axis=1).astype(np.float32)


def _scanned(page: Image.Image, skew: float, number: int, chance: random.Random) -> Image.Image:
    turned = page.rotate(skew, Image.Resampling.BICUBIC, fillcolor=255)
    if number % 4 == 1:
        turned = turned.filter(ImageFilter.GaussianBlur(0.7))
    light = np.linspace(1.0, chance.choice((1.0, 0.9, 0.8)), SIZE[0])[np.newaxis]
    noise = np.random.default_rng(number).normal(0, chance.choice((2, 6, 10)), SIZE[::-1])
    grey = np.clip(np.asarray(turned) * 0.96 * light + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(np.rot90(grey, (0, 0, 0, 1, 2, 3)[number % 6]))


def pdf_of(picture: Image.Image) -> bytes:
    """A PDF whose page is the picture."""
    file = io.BytesIO()
    picture.save(file, "PDF", resolution=150, quality=85)
    return file.getvalue()


def header_of(scan: Scan) -> Dataset:
    """The object that the page travels in."""
    return ct(
        SOPClassUID=ENCAPSULATED_PDF, PatientName=scan.names[0], PatientID=scan.number,
        ReferringPhysicianName=scan.names[1] or None,
    )  # fmt: skip


def measure(quick: bool) -> tuple[dict[str, float], dict[str, object]]:
    """The figures ``scan_identifiers_left`` and ``scan_clinical_kept``."""
    return measured("scan", list(scans(SEED, 6 if quick else 36)))


def measured(kind: str, pages: Sequence[Scan]) -> tuple[dict[str, float], dict[str, object]]:
    """The figures of pages of a kind, by whose name theirs begin."""
    policy = Policy(encapsulated_documents=Documents.MASK, scanned_pages=ScannedPages.MASK)
    pseudonyms = Pseudonyms(DeidentificationKey(bytes(range(32))), policy.date_shift_days)
    cleaner = HeaderCleaner(pseudonyms, frozenset({Option.MODIFIED_DATES}), policy)
    stage = EncapsulatedPdfStage(cleaner)
    left: list[str] = []
    lost: Counter[str] = Counter()
    identifiers = harmless = 0
    for number, scan in enumerate(pages):
        report.say(f"page {number + 1} of {len(pages)}, {len(left)} left")
        context = cleaner.context(read(file_of(header_of(scan))))
        (page,) = stage.cleaned(pdf_of(scan.picture), context)
        if isinstance(page, str):
            raise TypeError("not taken for a scan")
        for word in scan.words:
            share = _share(word, page.picture, scan.skew)
            identifiers += word.identifies
            harmless += not word.identifies
            if word.identifies and share > _LEFT and _tells(word.text):
                left.append(f"{word.text} on page {number}")
            elif not word.identifies and share < _KEPT:
                lost[word.text] += 1
    figures = {
        f"{kind}_identifiers_left": float(len(left)),
        f"{kind}_clinical_kept": round(1 - lost.total() / harmless, 4),
    }
    return figures, {
        "pages": len(pages), "words of identifiers": identifiers, "harmless words": harmless,
        "left": left, "lost": lost.most_common(200),
    }  # fmt: skip


def _tells(text: str) -> bool:
    return any(tells(piece) for piece in re.findall(r"[^\W_]+", text))


def _share(word: Printed, picture: NDArray[np.uint8], skew: float) -> float:
    """How much of the ink of a word is on what leaves."""
    middle = np.array(SIZE, np.float32) / 2
    angle = np.deg2rad(-skew)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    scale = np.array(picture.shape[::-1], np.float32) / np.array(SIZE, np.float32)
    at = np.round(((word.ink - middle) @ turn.T + middle) * scale).astype(int)
    at = np.clip(at, 0, np.array(picture.shape[::-1]) - 1)
    return float((picture[at[:, 1], at[:, 0]] < INK).mean()) if len(at) else 0.0


def main() -> None:
    """Measure and print."""
    options = report.arguments(__doc__ or "")
    figures, details = measure(options.quick)
    report.finish(figures, details)


if __name__ == "__main__":
    main()
