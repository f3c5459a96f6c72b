# SPDX-License-Identifier: Apache-2.0
"""Burned-in text: lines covered, area masked for nothing, what keep mode keeps, what it costs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from benchmarks.deid_pixel_images import (
    BACKGROUNDS,
    COLUMNS,
    LATIN,
    ROWS,
    Made,
    han_font,
    lines_of_text,
    typeface,
    without_text,
)
from benchmarks.deid_pixel_scans import scans_without_text
from benchmarks.report import say
from deid import DeidentificationKey, Deidentifier, Option, Policy
from deid.pixels import (
    CleanPixelStage,
    Hints,
    Keep,
    PixelSettings,
    QuickText,
    TextDetector,
    find_text,
)
from deid.policy import PixelText
from tests.deid.made_scans import ct, file_of

_COVERED = 0.9
"""Share of a line's ink below which it counts as missed."""
_KEPT_LINES = ("L", "R", "R CC", "L MLO", "AP", "PORTABLE", "5 cm", "10 mm", "7.5 MHz", "15 cm")


def measure(quick: bool) -> tuple[dict[str, float | None], dict[str, object]]:
    """All figures of burned-in text."""
    detector = QuickText()
    details: dict[str, object] = {"han_font": han_font() is not None, "latin_fonts": len(LATIN)}
    figures: dict[str, float | None] = {}
    for key, script, count in (
        ("lines_covered", "latin", 2000), ("lines_covered_cjk_cyrillic", "other", 400),
    ):  # fmt: skip
        made = lines_of_text(16 if quick else count, script, 11)
        figures[key], details[key] = _covered(made, detector)
        say(f"{key}: {figures[key]}")
    figures["false_mask_area"], details["false_masks"] = _false(8 if quick else 300, quick=quick)
    keeping = CleanPixelStage(settings=PixelSettings(Keep.TECHNICAL))
    figures["keep_mode_kept"] = _kept(keeping)
    details["keep_mode_among"] = _kept_among(keeping, quick=quick)
    figures["low_contrast_ct"] = _low_contrast(3 if quick else 40, detector)
    figures["pixel_pass_cpu_s"] = _cost(1, 2 if quick else 7)
    figures["cine_cpu_s"] = _cost(100, 1 if quick else 3)
    say(str(figures))
    return figures, details


def _masked(frames: NDArray[np.generic], detector: TextDetector) -> NDArray[np.bool_]:
    """As the stage looks: upright, then turned, on what the first look left."""
    covered = find_text(frames, detector)
    left = frames.copy()
    left[:, covered] = np.median(left)
    return covered | find_text(left, detector, covered=covered, turned=True)


def _covered(images: Iterable[Made], detector: TextDetector) -> tuple[float, object]:
    hit, lines, missed = 0, 0, Counter[str]()
    for made in images:
        mask = _masked(made.pixels[np.newaxis], detector)
        for line in made.lines:
            lines += 1
            if (mask & line.ink).sum() >= _COVERED * line.ink.sum():
                hit += 1
            else:
                missed[f"{line.size} px, {line.turned} degrees, {made.background}"] += 1
        if lines % 200 == 0:
            say(f"{hit} of {lines} lines covered")
    return round(hit / lines, 4), {"lines": lines, "missed": dict(missed.most_common(20))}


def _false(count: int, *, quick: bool) -> tuple[float, object]:
    """What the stage masks for nothing, look after look: the worse of made and of real images."""
    stage = CleanPixelStage()
    made = [(what, pixels[np.newaxis]) for what, pixels in without_text(count, 12)]
    shares, details = [], {}
    for kind, images in (("made", made), ("scans", list(scans_without_text(quick=quick)))):
        areas = {
            f"{number} {what}": float(stage.text_in(frames, Hints()).mean())
            for number, (what, frames) in enumerate(images)
        }
        shares.append(round(float(np.mean(list(areas.values()))), 6))
        worst = sorted(areas.items(), key=lambda item: -item[1])[:10]
        masked = sum(area > 0 for area in areas.values())
        details[kind] = {
            "images": len(images), "masked": masked, "area": shares[-1], "worst": dict(worst)
        }  # fmt: skip
        say(f"masked for nothing, {kind}: {shares[-1]}")
    return max(shares), details


def _kept(stage: CleanPixelStage) -> float:
    """Share of lines that say side, projection, scale or depth, and stay in keep mode."""
    kept = 0
    for text in _KEPT_LINES:
        image = Image.new("L", (COLUMNS, ROWS), 10)
        face = ImageFont.truetype(typeface(LATIN[0]), 24)
        ImageDraw.Draw(image).text((60, 80), text, fill=240, font=face)
        ImageDraw.Draw(image).text((300, 400), "DOE^JANE 1950-03-14", fill=240, font=face)
        mask = stage.text_in(np.asarray(image)[np.newaxis], Hints())
        kept += not mask[60:130, :280].any() and bool(mask[380:450].any())
    return round(kept / len(_KEPT_LINES), 3)


def _kept_among(stage: CleanPixelStage, *, quick: bool) -> dict[str, object]:
    """The same lines all in one image, with a name that must go: fonts, sizes, backgrounds."""
    stayed, lines, names, images = 0, 0, 0, 0
    sizes = (26,) if quick else (12, 16, 20, 26)
    for number, (font, size, ground) in enumerate(
        product(LATIN[:1] if quick else LATIN[::2], sizes, BACKGROUNDS)
    ):
        pixels, inks = _lines_to_keep(font, size, ground, np.random.default_rng(number))
        mask = stage.text_in(pixels[np.newaxis], Hints(denied=frozenset({"doe", "jane"})))
        stayed += sum(not mask[ink].any() for ink in inks[:-1])
        names += bool(mask[inks[-1]].mean() >= _COVERED)
        lines, images = lines + len(inks) - 1, images + 1
    return {
        "kept": round(stayed / lines, 4),
        "lines": lines,
        "names_covered": round(names / images, 4),
    }


def _lines_to_keep(
    font: str, size: int, ground: str, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
    """An image, and where the ink of each line is; the last one is a name."""
    image, inks = Image.fromarray(BACKGROUNDS[ground](rng)), []
    face = ImageFont.truetype(typeface(font), size)
    for at, text in enumerate((*_KEPT_LINES, "DOE^JANE 1950")):
        before = np.asarray(image).copy()
        place = (30 + 260 * (at % 3), 30 + 130 * (at // 3))
        dark = float(np.median(before[place[1] :, place[0] :][:size, :100])) > 128
        ImageDraw.Draw(image).text(place, text, fill=20 if dark else 235, font=face)
        inks.append(np.abs(np.asarray(image).astype(np.int16) - before) > 40)
    return np.asarray(image), inks


def _low_contrast(count: int, detector: TextDetector) -> float:
    """Share of lines found in CT slices, 5 standard deviations above the tissue's noise."""
    rng = np.random.default_rng(13)
    found = 0
    for number in range(count):
        slice_, noise = _ct_slice(rng)
        face = ImageFont.truetype(
            typeface(LATIN[number % len(LATIN)]), int(rng.choice([14, 18, 24]))
        )
        label = Image.new("L", (512, 512), 0)
        where = (int(rng.integers(150, 220)), int(rng.integers(180, 330)))
        ImageDraw.Draw(label).text(where, "DOE^JANE 4471", fill=255, font=face)
        ink = np.asarray(label) > 127
        slice_[ink] += int(5 * noise)
        mask = _masked(slice_[np.newaxis], detector)
        found += (mask & ink).sum() >= _COVERED * ink.sum()
    return round(float(found / count), 3)


def _ct_slice(rng: np.random.Generator) -> tuple[NDArray[np.int16], float]:
    yy, xx = np.mgrid[:512, :512]
    inside = ((xx - 256) / 200) ** 2 + ((yy - 256) / 150) ** 2 < 1
    noise = 12.0
    organs = gaussian_filter(rng.normal(0, 1, (512, 512)), 30)
    tissue = 40 + 300 * organs
    hu = np.where(inside, tissue, -1000.0) + rng.normal(0, noise, (512, 512)) * inside
    spine = ((xx - 256) ** 2 + (yy - 350) ** 2) < 25**2
    hu[spine] = 600 + rng.normal(0, noise, int(spine.sum()))
    return np.asarray(np.clip(hu, -1024, 3000), np.int16), noise


def _cost(frames: int, rounds: int) -> float:
    """CPU seconds of pixels cleaned and verified over pixels left, per instance; the median."""
    key = DeidentificationKey(bytes(range(32)))
    made = next(iter(lines_of_text(4, "latin", 14)))
    content = file_of(_scan(_moving(made, frames)))
    cleaning, leaving = (
        Deidentifier(key, (Option.CLEAN_DESCRIPTORS,), Policy(pixel_text=how))
        for how in (PixelText.MASK, PixelText.LEAVE)
    )
    cleaning.deidentify(content)
    return round(float(np.median(list(_seconds(cleaning, leaving, content, rounds)))), 3)


def _seconds(
    cleaning: Deidentifier, leaving: Deidentifier, content: bytes, rounds: int
) -> Iterator[float]:
    for _ in range(rounds):
        started = time.process_time()
        cleaning.deidentify(content)
        between = time.process_time()
        leaving.deidentify(content)
        yield (between - started) - (time.process_time() - between)


def _moving(made: Made, frames: int) -> NDArray[np.uint8]:
    """Frames in which all but the lines moves, as in a cine loop: no two are alike."""
    ink = np.any([line.ink for line in made.lines], axis=0)
    rolled = [np.where(ink, made.pixels, np.roll(made.pixels, 3 * at, 1)) for at in range(frames)]
    return np.stack(rolled)


def _scan(frames: NDArray[np.uint8]) -> object:
    dataset = ct()
    dataset.Rows, dataset.Columns = frames.shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    if len(frames) > 1:
        dataset.NumberOfFrames = len(frames)
    dataset.PixelData = frames.tobytes()
    return dataset
