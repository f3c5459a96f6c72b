# SPDX-License-Identifier: AGPL-3.0-or-later
"""Scanned pages that are laid out: forms in boxes, letters with heads, stamps, columns, tables.

Twelve pages: four kinds, each as printed and scanned well, as a fax, and in the dots of a matrix
printer, all askew by one to three degrees and noisy; signatures slant.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks import report
from benchmarks.deid_scans import FONTS, INK, SEED, SIZE, Printed, Scan, measured
from benchmarks.deid_text_people import Person, person, slots_of

_SANS, _SERIF = "liberation/LiberationSans-Regular", "liberation/LiberationSerif-Regular"
_MONO, _SLANTED = "inconsolata/Inconsolata", "liberation/LiberationSerif-Italic"
_LOOKS = ("scan", "fax", "dots")
_LAB = (
    ("Haemoglobin", "13.2", "g/dL", "12.0 - 16.0"), ("Leucocytes", "11.4", "10^9/L", "4.0 - 10.0"),
    ("Platelets", "244", "10^9/L", "150 - 400"), ("Sodium", "139", "mmol/L", "135 - 145"),
    ("Potassium", "4.1", "mmol/L", "3.5 - 5.1"), ("Creatinine", "88", "umol/L", "60 - 110"),
    ("C-reactive protein", "12", "mg/L", "< 5"),
)  # fmt: skip
_FINDINGS = (
    "The liver is normal in size. No focal lesion.", "The spleen is not enlarged.",
    "Both kidneys are of normal size without hydronephrosis.", "No free fluid in the pelvis.",
    "The gallbladder contains a stone of 8 mm.", "The aorta is not dilated.",
)  # fmt: skip


class _Text(NamedTuple):
    """A line: what is in braces identifies."""

    at: tuple[int, int]
    text: str
    size: int = 24
    font: str = _SANS


class _Page:
    """A page that is being set."""

    def __init__(self, look: str) -> None:
        self.picture = Image.new("L", SIZE, 255)
        self.words: list[Printed] = []
        self._mono = look == "dots"

    def put(self, line: _Text) -> None:
        """Set a line word by word."""
        name = _MONO if self._mono and line.font != _SLANTED else line.font
        font = ImageFont.truetype(str(_file(name)), line.size)
        (x, y), inside = line.at, False
        for word in line.text.split(" "):
            inside = inside or word.startswith("{")
            bare = word.replace("{", "").replace("}", "")
            alone = Image.new("L", SIZE, 255)
            ImageDraw.Draw(alone).text((x, y), bare, fill=25, font=font)
            ink = np.argwhere(np.asarray(alone) < INK)[:, ::-1].astype(np.float32)
            self.picture.paste(25, (0, 0), Image.eval(alone, lambda value: 255 - value))
            self.words.append(Printed(bare, ink, inside))
            x += int(font.getlength(bare + " "))
            inside = inside and "}" not in word

    def boxes(self, *boxes: tuple[int, int, int, int]) -> None:
        """Rules around fields."""
        for box in boxes:
            ImageDraw.Draw(self.picture).rectangle(box, outline=60, width=2)


def _file(name: str) -> str:
    found = FONTS / f"{name}.ttf"
    return str(found if found.exists() else FONTS / f"{name}.otf")


def forms(seed: int) -> Iterator[Scan]:
    """The pages."""
    chance = random.Random(seed)  # noqa: S311
    for number in range(12):
        patient, referrer, other = person(chance), person(chance), person(chance)
        slots = slots_of(chance, patient, referrer, other)
        look = _LOOKS[number % 3]
        page = _Page(look)
        made = (_form, _letter, _columns, _table)[number // 3]
        for line in made(page, (patient, referrer, other), slots):
            page.put(line)
        skew = chance.choice((1.0, -1.4, 2.0, -2.6, 3.0))
        names = (f"{patient.family}^{patient.given}", f"{referrer.family}^{referrer.given}")
        known = names if number % 2 else (names[0], "")
        yield Scan(_worn(page.picture, look, skew, number), page.words, skew, known, slots["mrn"])


def _form(page: _Page, people: tuple[Person, ...], slots: dict[str, str]) -> Iterator[_Text]:
    patient, referrer, other = people
    page.boxes((80, 200, 620, 280), (620, 200, 1160, 280), (80, 280, 620, 360),
               (620, 280, 1160, 360), (80, 360, 1160, 440), (80, 500, 1160, 900))  # fmt: skip
    yield _Text((380, 100), "REQUEST FOR IMAGING", 34)
    yield _Text((95, 225), f"Surname: {{{patient.family}}}")
    yield _Text((635, 225), f"Forename: {{{patient.given}}}")
    yield _Text((95, 305), f"Record Number: {{{slots['mrn']}}}")
    yield _Text((635, 305), f"Date of Birth: {{{slots['date']}}}")
    yield _Text((95, 385), f"Referring Physician: Dr. {{{referrer.given} {referrer.family}}}")
    yield _Text((95, 520), "Clinical indication: pain in the right upper quadrant,")
    yield _Text((95, 560), "fever and raised inflammatory markers.")
    yield _Text((95, 620), "Examination requested: ultrasound of the abdomen")
    yield _Text((95, 680), f"Contact: {{{slots['phone']}}}")
    yield _Text((760, 800), f"{{{other.given} {other.family}}}", 40, _SLANTED)


def _letter(page: _Page, people: tuple[Person, ...], slots: dict[str, str]) -> Iterator[_Text]:
    patient, referrer, other = people
    yield _Text((330, 80), f"{{{other.family} Memorial Hospital}}", 38, _SERIF)
    yield _Text((430, 140), "Department of Radiology", 24, _SERIF)
    yield _Text((100, 260), f"Dear Dr. {{{referrer.family},}}", 26, _SERIF)
    yield _Text((100, 320), f"Re: {{{patient.given} {patient.family}}}, MRN {{{slots['mrn']}}}", 26,
                _SERIF)  # fmt: skip
    yield _Text(
        (100, 380), "Thank you for referring this patient to us. The examination shows", 26, _SERIF
    )
    yield _Text((100, 420), "a fracture of the distal radius without displacement.", 26, _SERIF)
    yield _Text((100, 460), "We recommend a control radiograph in two weeks.", 26, _SERIF)
    yield _Text((100, 560), "With kind regards,", 26, _SERIF)
    yield _Text((100, 630), f"{{{other.given} {other.family}}}", 44, _SLANTED)
    yield _Text((100, 720), "Consultant Radiologist", 26, _SERIF)
    ImageDraw.Draw(page.picture).ellipse((780, 560, 1080, 760), outline=90, width=5)
    yield _Text((830, 620), "RECEIVED", 34)
    yield _Text((830, 670), f"{{{slots['date']}}}", 28)


def _columns(page: _Page, people: tuple[Person, ...], slots: dict[str, str]) -> Iterator[_Text]:
    patient, referrer, _ = people
    ImageDraw.Draw(page.picture).line((630, 220, 630, 900), fill=90, width=2)
    yield _Text((100, 100), "ULTRASOUND OF THE ABDOMEN", 30)
    yield _Text((100, 150), f"Patient: {{{patient.family}, {patient.given}}} ({{{slots['mrn']}}})")
    for row, text in enumerate(_FINDINGS):
        first, second = text.split(" ")[:5], text.split(" ")[5:]
        yield _Text((100, 240 + 90 * row), " ".join(first))
        if second:
            yield _Text((100, 280 + 90 * row), " ".join(second))
    yield _Text((660, 240), "IMPRESSION")
    yield _Text((660, 290), "1. Gallstone without cholecystitis.")
    yield _Text((660, 330), "2. No biliary obstruction.")
    yield _Text((660, 420), f"Discussed with {{{referrer.given} {referrer.family}}}")
    yield _Text((660, 460), f"on {{{slots['date']}}} by telephone.")


def _table(page: _Page, people: tuple[Person, ...], slots: dict[str, str]) -> Iterator[_Text]:
    patient, _, other = people
    yield _Text((100, 100), "LABORATORY REPORT", 30)
    yield _Text((100, 160), f"Name: {{{patient.given} {patient.family}}}")
    yield _Text((700, 160), f"Specimen: {{{slots['accession']}}}")
    for column, title in zip(
        (100, 520, 680, 880), ("Test", "Result", "Unit", "Range"), strict=True
    ):
        yield _Text((column, 240), title)
    for row, values in enumerate(_LAB):
        top = 290 + 60 * row
        page.boxes((90, top - 10, 1150, top + 50))
        for column, value in zip((100, 520, 680, 880), values, strict=True):
            yield _Text((column, top), value)
    yield _Text((100, 780), f"Verified by {{{other.given} {other.family}}}, pathologist")


def _worn(page: Image.Image, look: str, skew: float, number: int) -> Image.Image:
    """What a scanner makes of it; a fax is coarse, and black or white."""
    if look == "dots":
        grid = np.full(SIZE[::-1], 255, np.uint8)
        grid[::3, :] = 0
        grid[:, ::4] = 0
        ink = np.asarray(page.filter(ImageFilter.MinFilter(3)))
        page = Image.fromarray(np.where(grid > 0, ink, 255).astype(np.uint8))
        page = Image.eval(page.filter(ImageFilter.GaussianBlur(0.8)), lambda v: max(0, 2 * v - 255))
    turned = page.rotate(skew, Image.Resampling.BICUBIC, fillcolor=255)
    noise = np.random.default_rng(number).normal(0, 8, SIZE[::-1])
    grey = np.clip(np.asarray(turned) * 0.95 + noise, 0, 255).astype(np.uint8)
    if look == "fax":
        coarse = Image.fromarray(grey).resize((SIZE[0], SIZE[1] * 2 // 3))
        flat = np.where(np.asarray(coarse) < 150, 0, 255).astype(np.uint8)
        return Image.fromarray(flat).resize(SIZE)
    return Image.fromarray(grey)


def main() -> None:
    """Measure and print; quickly, four of the pages."""
    options = report.arguments(__doc__ or "")
    pages = list(forms(SEED))
    figures, details = measured("form", pages[::3] if options.quick else pages)
    report.finish(figures, details)


if __name__ == "__main__":
    main()
