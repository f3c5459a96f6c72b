# SPDX-License-Identifier: AGPL-3.0-or-later
"""A result as a picture: heat map and outlines over the image as a reader sees it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.contract import Outcome
from plugin.results import lettering
from plugin.results.report import percent
from plugin.results.scan_result import DISCLAIMER, ImageResult, ScanResult

SHEET = 480
"""Pixels; the least width of the words, where the image is tall and narrow."""
NARROWEST = 720
"""Pixels; a smaller image is enlarged, so that the words below it can be read."""
LONGEST = 1600
OPACITY = 0.5
_WHITE, _GREY, _BLACK = (255, 255, 255), (190, 190, 190), (0, 0, 0)
_WARNING = (255, 205, 60)

OUTCOMES: dict[Outcome, str] = {
    Outcome.FINDINGS: "Findings",
    Outcome.NO_FINDINGS: "No findings",
    Outcome.ABSTAINED: "The model abstains: no judgement",
    Outcome.REFUSED: "Not analysed: unsupported input",
    Outcome.FAILED: "The analysis failed",
}


def draw(result: ScanResult, image: ImageResult) -> Image.Image:
    """The image with the heat maps and outlines of its findings, RGB.

    Black where the original can't be drawn.
    """
    width, height = _size(image)
    source = image.source
    rendered = None
    if result.rendering is not None:
        rendered = result.rendering(source.sop_instance_uid, source.frame_number)
    if rendered is None:
        picture = Image.new("RGB", (width, height))
    else:
        picture = rendered.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    if image.located:
        picture = _heated(picture, image)
    pen = ImageDraw.Draw(picture)
    _outline(pen, image, width / source.columns, height / source.rows)
    if rendered is None:
        face = lettering.font(lettering.REGULAR, _letter(width))
        words = "the original can't be drawn here"
        pen.text((width / 2, height / 2), words, _GREY, face, anchor="mm")
    return picture


def with_words(result: ScanResult, image: ImageResult, picture: Image.Image) -> Image.Image:
    """The picture on top of a black field that says what it is, who made it and how it ended."""
    width = max(picture.width, SHEET)
    size = _letter(width)
    margin = size
    lines = [
        (line, face, colour)
        for text, name, colour in _words(result, image)
        for face in [lettering.font(name, size)]
        for line in lettering.wrapped(text, face, width - 2 * margin)
    ]
    step = round(size * 1.35)
    sheet = Image.new("RGB", (width, picture.height + 2 * margin + step * len(lines)))
    sheet.paste(picture, ((width - picture.width) // 2, 0))
    pen = ImageDraw.Draw(sheet)
    for number, (line, face, colour) in enumerate(lines):
        pen.text((margin, picture.height + margin + number * step), line, colour, face)
    return sheet


def findings_in_words(result: ScanResult) -> list[str]:
    """Each present class with its probability."""
    return [
        f"{finding.name} {percent(analysed.probability):.1f} %"
        for finding, analysed in result.classes
        if analysed.present
    ]


def _words(
    result: ScanResult, image: ImageResult
) -> Iterable[tuple[str, str, tuple[int, int, int]]]:
    yield DISCLAIMER, lettering.BOLD, _WARNING
    digest = f" ({result.analysis.digest[:12]})" if result.analysis.digest else ""
    yield result.title + digest, lettering.REGULAR, _WHITE
    here = [
        f"{finding.name} {percent(analysed.probability):.1f} %"
        for finding, analysed in image.classes
        if analysed.present
    ]
    ending = OUTCOMES[result.outcome] + (": " if here else "") + ", ".join(here)
    yield ending, lettering.BOLD, _WHITE
    if result.analysis.reason:
        yield result.analysis.reason, lettering.REGULAR, _WHITE
    if result.model is not None:
        yield result.model.disclaimer, lettering.REGULAR, _GREY


def _beside(
    above: float, left: float, length: float, size: float, taken: list[tuple[float, float]]
) -> float:
    """A height at which words don't cover others: ``taken`` has both ends of each."""
    starts, ends = taken[::2], taken[1::2]
    step = size * 1.2
    while above >= step and any(
        abs(start[1] - above) < step and start[0] < left + length and left < end[0]
        for start, end in zip(starts, ends, strict=True)
    ):
        above -= step
    return above


def _size(image: ImageResult) -> tuple[int, int]:
    columns, rows = image.source.columns, image.source.rows
    scale = min(max(1.0, NARROWEST / columns), LONGEST / max(columns, rows))
    return max(1, round(columns * scale)), max(1, round(rows * scale))


def _letter(width: int) -> int:
    return max(14, round(width / 45))


def _heated(picture: Image.Image, image: ImageResult) -> Image.Image:
    width, height = picture.size
    x = (np.arange(width, dtype=np.float64) + 0.5) * (image.source.columns / width)
    y = (np.arange(height, dtype=np.float64) + 0.5) * (image.source.rows / height)
    pixels: NDArray[np.float32] = np.asarray(picture, np.float32).copy()
    for located in image.located:
        alpha = located.field.sample(x, y)[:, :, None] * np.float32(OPACITY)
        pixels += alpha * (np.array(located.finding.colour, np.float32) - pixels)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _outline(pen: ImageDraw.ImageDraw, image: ImageResult, across: float, down: float) -> None:
    width = image.source.columns * across
    line = max(2, round(width / 400))
    face = lettering.font(lettering.BOLD, round(_letter(round(width)) * 0.9))
    for region in image.regions:
        points = [(float(x * across), float(y * down)) for x, y in region.outline]
        pen.line(points, fill=_BLACK, width=line + 2, joint="curve")
        pen.line(points, fill=region.finding.colour, width=line, joint="curve")
    taken: list[tuple[float, float]] = []
    for region in image.regions:
        words = lettering.readable(f"{region.finding.name} {percent(region.probability):.0f} %")
        top = region.outline[np.argmin(region.outline[:, 1])] * (across, down)
        length = face.getlength(words)
        left = min(max(line, top[0] - length / 2), max(line, width - length - line))
        above = max(line, top[1] - line - face.size * 1.2)
        above = _beside(above, left, length, face.size, taken)
        taken += [(left, above), (left + length, above)]
        pen.text(
            (left, above), words, region.finding.colour, face, stroke_width=2, stroke_fill=_BLACK
        )
