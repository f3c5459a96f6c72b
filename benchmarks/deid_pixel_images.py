# SPDX-License-Identifier: Apache-2.0
"""Made images for the figures of burned-in text: backgrounds, lines, textures without any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from inference.phantoms import SeedRange, chest_phantom

ROWS, COLUMNS = 600, 800
SIZES = (8, 10, 12, 14, 16, 20, 24)
_FONTS = Path("/usr/share/fonts/truetype")
LATIN = tuple(
    f"dejavu/DejaVu{name}.ttf"
    for name in (
        "Sans", "Sans-Bold", "Sans-Oblique", "SansCondensed", "SansCondensed-Bold", "SansMono",
        "SansMono-Bold", "SansMono-Oblique", "Serif", "Serif-Bold", "Serif-Italic",
        "SerifCondensed",
    )
)  # fmt: skip
_WORDS = ("DOE^JANE", "Smith, John", "ID 4471993", "1950-03-14", "St. Mary Hospital", "ACC 88-1204")
_CYRILLIC = ("Иванова Анна", "Больница №4", "Петров 12.03.1950", "Кузнецова")
_CJK = ("山田太郎", "王小明 1950", "東京病院", "患者番号 4471", "김희중")


class Line(NamedTuple):
    """A line of text in an image: where its ink is, and how it was made."""

    ink: NDArray[np.bool_]
    size: int
    font: str
    turned: int


class Made(NamedTuple):
    """An image and its lines."""

    pixels: NDArray[np.uint8]
    lines: tuple[Line, ...]
    background: str


def _speckle(rng: np.random.Generator) -> NDArray[np.uint8]:
    yy, xx = np.mgrid[:ROWS, :COLUMNS]
    angle = np.arctan2(xx - COLUMNS / 2, yy + 60)
    radius = np.hypot(xx - COLUMNS / 2, yy + 60)
    sector = (np.abs(angle) < 0.6) & (radius < 600) & (radius > 120)
    noise = gaussian_filter(rng.rayleigh(1.0, (ROWS, COLUMNS)), (1.0, 2.5))
    return np.asarray(np.clip(sector * noise * rng.uniform(40, 110), 0, 255), np.uint8)


def _radiograph(rng: np.random.Generator) -> NDArray[np.uint8]:
    phantom = chest_phantom(SeedRange.BENCHMARK.value + int(rng.integers(0, 60)), 800)
    centre, width = phantom.window
    grey = np.clip((phantom.pixels.astype(np.float32) - centre) / width + 0.5, 0, 1)
    return np.asarray(255.0 * grey[:ROWS, :COLUMNS], np.uint8)


def _tissue(rng: np.random.Generator) -> NDArray[np.uint8]:
    smooth = gaussian_filter(rng.normal(0, 1, (ROWS, COLUMNS)), 25)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return np.asarray(np.clip(smooth * 180 + rng.normal(0, 8, smooth.shape), 0, 255), np.uint8)


def _flat(level: int) -> Callable[[np.random.Generator], NDArray[np.uint8]]:
    def made(rng: np.random.Generator) -> NDArray[np.uint8]:
        noise = rng.normal(level, 2.0, (ROWS, COLUMNS))
        return np.asarray(np.clip(noise, 0, 255), np.uint8)

    return made


BACKGROUNDS: dict[str, Callable[[np.random.Generator], NDArray[np.uint8]]] = {
    "ultrasound": _speckle,
    "radiograph": _radiograph,
    "tissue": _tissue,
    "dark": _flat(8),
    "bright": _flat(235),
}


def lines_of_text(count: int, script: str, seed: int) -> Iterator[Made]:
    """Images with four lines each, ``count`` lines in all.

    Parameters
    ----------
    script:
        ``latin``, or ``other`` for Cyrillic and, where a font is installed, Han, kana and hangul.
    """
    rng = np.random.default_rng(seed)
    names = list(BACKGROUNDS)
    made = 0
    while made < count:
        background = names[made // 4 % len(names)]
        image = Image.fromarray(BACKGROUNDS[background](rng))
        lines = [_line(image, number, script, rng) for number in range(4)]
        made += len(lines)
        yield Made(np.asarray(image), tuple(lines), background)


def _line(image: Image.Image, quarter: int, script: str, rng: np.random.Generator) -> Line:
    font, text = _written(script, rng)
    size = int(rng.choice(SIZES))
    face = ImageFont.truetype(typeface(font), size)
    left, top, right, bottom = face.getbbox(text)
    label = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4), 0)
    ImageDraw.Draw(label).text((2 - left, 2 - top), text, fill=255, font=face)
    turned = int(rng.choice([0, 0, 0, 0, 90, 270]))
    stamp = label.rotate(turned, expand=True)
    x = (quarter % 2) * COLUMNS // 2 + int(rng.integers(4, max(5, COLUMNS // 2 - stamp.width - 4)))
    y = (quarter // 2) * ROWS // 2 + int(rng.integers(4, max(5, ROWS // 2 - stamp.height - 4)))
    under = np.asarray(image)[y : y + stamp.height, x : x + stamp.width]
    # As consoles write: light on dark, dark on light, with enough contrast to be read.
    dark = float(np.median(under)) > 128
    colour = int(rng.integers(0, 60)) if dark else int(rng.integers(190, 256))
    image.paste(colour, (x, y), stamp)
    ink = np.zeros((ROWS, COLUMNS), bool)
    ink[y : y + stamp.height, x : x + stamp.width] = (
        np.asarray(stamp)[: ROWS - y, : COLUMNS - x] > 127
    )
    return Line(ink, size, font, turned)


def _written(script: str, rng: np.random.Generator) -> tuple[str, str]:
    if script == "latin":
        return str(rng.choice(LATIN)), str(rng.choice(_WORDS))
    han = han_font()
    if han is not None and rng.random() < 0.5:
        return han, str(rng.choice(_CJK))
    return str(rng.choice(LATIN)), str(rng.choice(_CYRILLIC))


def typeface(name: str) -> str:
    """Path of a font."""
    return str(_FONTS / name)


def han_font() -> str | None:
    """A font with Han letters, if one is installed."""
    for pattern in ("**/*CJK*.tt[cf]", "**/*wqy*.tt[cf]", "**/DroidSansFallback*.ttf"):
        for path in sorted(_FONTS.parent.glob(pattern)):
            return str(path)
    return None


def without_text(count: int, seed: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Images without text: plain backgrounds, rulers, stents, grids, catheters, markers' shapes."""
    rng = np.random.default_rng(seed)
    drawings: list[tuple[str, Callable[[ImageDraw.ImageDraw, np.random.Generator], None]]] = [
        ("plain", lambda *_: None), ("ruler", _ruler), ("stent", _stent), ("grid", _grid),
        ("catheter", _catheter), ("marks", _marks),
    ]  # fmt: skip
    names = list(BACKGROUNDS)
    for number in range(count):
        background = names[number % len(names)]
        what, draw = drawings[number // len(names) % len(drawings)]
        image = Image.fromarray(BACKGROUNDS[background](rng))
        draw(ImageDraw.Draw(image), rng)
        yield f"{what} on {background}", np.asarray(image)


def _ruler(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    x, step = int(rng.integers(20, 760)), int(rng.integers(8, 20))
    draw.line((x, 40, x, 560), fill=220)
    for number, y in enumerate(range(40, 561, step)):
        draw.line((x, y, x + (12 if number % 5 == 0 else 6), y), fill=220)


def _stent(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    x, y = int(rng.integers(100, 600)), int(rng.integers(100, 450))
    for number in range(14):
        at = x + number * 8
        draw.line((at, y, at + 8, y + 22), fill=230)
        draw.line((at, y + 22, at + 8, y), fill=230)


def _grid(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    x, y = int(rng.integers(50, 500)), int(rng.integers(50, 350))
    for number in range(0, 161, 16):
        draw.line((x, y + number, x + 160, y + number), fill=200)
        draw.line((x + number, y, x + number, y + 160), fill=200)


def _catheter(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    xs = np.linspace(50, 750, 60)
    ys = 300 + 120 * np.sin(xs / rng.uniform(60, 160)) + rng.uniform(-80, 80)
    draw.line([(float(x), float(y)) for x, y in zip(xs, ys, strict=True)], fill=230, width=3)


def _marks(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    for _ in range(6):
        x, y, r = (int(rng.integers(a, b)) for a, b in ((30, 760), (30, 560), (4, 14)))
        draw.ellipse((x - r, y - r, x + r, y + r), outline=230)
        draw.line((x - 2 * r, y, x + 2 * r, y), fill=230)
