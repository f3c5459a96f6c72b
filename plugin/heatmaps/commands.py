# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight heatmaps``: pictures and regions from a DICOM file and what a model said of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl

import pydicom
import typer
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydicom.dataset import Dataset

from inference.contract import ImageAnalysis
from plugin.heatmaps.class_colours import distinct_colours
from plugin.heatmaps.finding_regions import region_of
from plugin.heatmaps.findings_file import FindingsFileError, read_findings
from plugin.heatmaps.masks import find_mask
from plugin.heatmaps.ordering import Pair
from plugin.heatmaps.pictures import (
    Layer,
    composite,
    heat_map,
    overlay,
    probability_layer,
    saliency,
)
from plugin.heatmaps.placement import Placement
from plugin.heatmaps.spacing import Spacing
from plugin.heatmaps.windowing import UnshowableImageError, windowed

app = typer.Typer(help="Heat maps as pictures and regions, offline.", no_args_is_help=True)

_SCAN = typer.Argument(help="DICOM file", exists=True, dir_okay=False)
_FINDINGS = typer.Argument(
    help="findings of the scan (attachment 5403) or a matrix, as JSON", exists=True, dir_okay=False
)


@dataclass(frozen=True)
class _Opened:
    dataset: Dataset
    image: ImageAnalysis
    pairs: list[Pair]


class Look(BaseModel):
    """How to draw, in the words of the REST routes' parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    opacity: float = Field(default=0.6, ge=0, le=1)
    strength: float = Field(default=1.0, ge=0, le=1)
    style: Literal["probability", "saliency"] = "probability"
    threshold: float | None = Field(default=None, ge=0, le=1)
    level: int | None = Field(default=None, ge=1)
    mask: Literal["auto", "lungs", "heart", "breast", "body", "none"] = "none"


class Kind(StrEnum):
    """What a picture shows."""

    OVER = "over"
    ALONE = "alone"
    TOGETHER = "together"


@app.command()
def render(
    scan: Annotated[Path, _SCAN],
    findings: Annotated[Path, _FINDINGS],
    out: Annotated[Path, typer.Option(help="folder to write to; made if missing")],
    finding: Annotated[list[str] | None, typer.Option(help="key; else every one")] = None,
    kind: Annotated[
        Kind, typer.Option(help="over the image, alone and transparent, or all in one picture")
    ] = Kind.OVER,
    look: Annotated[
        str, typer.Option(help="as for REST: opacity, strength, style, threshold, level, mask")
    ] = "opacity=0.6",
) -> None:
    """Write the heat maps as PNG files named by their findings."""
    opened = _open(scan, findings)
    drawn = _look(look)
    pairs = _chosen(opened.pairs, finding)
    rendered = _rendered(opened)
    place = _placement(opened.image, rendered)
    colours = distinct_colours([one for one, _ in opened.pairs]) if kind is Kind.TOGETHER else {}
    layers = {
        pair[0].key: _layer(pair, drawn, rendered, colours.get(pair[0].key)) for pair in pairs
    }
    out.mkdir(parents=True, exist_ok=True)
    if kind is Kind.TOGETHER:
        _write(out / "together.png", composite(list(layers.values()), place, rendered))
        return
    for key, layer in layers.items():
        picture = heat_map(layer, place) if kind is Kind.ALONE else overlay(layer, place, rendered)
        _write(out / f"{key}.png", picture)


@app.command()
def regions(scan: Annotated[Path, _SCAN], findings: Annotated[Path, _FINDINGS]) -> None:
    """Print the regions of the present findings as JSON, as REST gives them."""
    # Here: what finds regions loads the libraries that write DICOM objects.
    from plugin.heatmaps.region_list import list_regions  # noqa: PLC0415

    opened = _open(scan, findings)
    listed, left_out = list_regions(opened.pairs, opened.image, _spacing(opened.dataset))
    content = {"regions": [one.as_json() for one in listed], "left_out": left_out}
    typer.echo(json.dumps(content, indent=1))


def _open(scan: Path, findings: Path) -> _Opened:
    try:
        dataset = pydicom.dcmread(scan)
        rows, columns = int(dataset.Rows), int(dataset.Columns)
    except (pydicom.errors.InvalidDicomError, AttributeError, TypeError):
        raise _stop(f"{scan.name} is no DICOM image") from None
    try:
        image, pairs = read_findings(findings, rows, columns)
    except FindingsFileError as error:
        raise _stop(str(error)) from None
    return _Opened(dataset, image, pairs)


def _rendered(opened: _Opened) -> Image.Image:
    try:
        return windowed(opened.dataset, opened.image.frame_number)
    except UnshowableImageError as error:
        raise _stop(str(error)) from None


def _chosen(pairs: list[Pair], keys: list[str] | None) -> list[Pair]:
    known = {finding.key: (finding, item) for finding, item in pairs}
    unknown = [key for key in keys or [] if key not in known]
    if unknown:
        raise _stop(f"there is no finding {unknown[0]}, but {', '.join(known)}")
    return [known[key] for key in keys] if keys else pairs


def _look(text: str) -> Look:
    try:
        return Look.model_validate(dict(parse_qsl(text, strict_parsing=True)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _stop(f"--look: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError:
        raise _stop("--look: write name=value&name=value") from None


def _layer(
    pair: Pair, look: Look, rendered: Image.Image, colour: tuple[int, int, int] | None
) -> Layer:
    finding, item = pair
    if look.level and look.level not in item.maps:
        levels = ", ".join(str(one) for one in sorted(item.maps, reverse=True))
        raise _stop(f"{finding.key} has no map of level {look.level}, but {levels}")
    cells = item.maps[look.level or max(item.maps)].array()
    region = region_of(finding.key, {}) if look.mask == "auto" else look.mask
    found = find_mask(rendered, region)
    if found.warning:
        typer.echo(f"{finding.key}: {found.warning}", err=True)
    mask = found.at(rendered.height, rendered.width)
    if look.style == "saliency":
        threshold = finding.patch_threshold if look.threshold is None else look.threshold
        return saliency(
            cells, threshold, opacity=look.opacity, smoothing=look.strength,
            colour=colour or finding.colour, mask=mask,
        )  # fmt: skip
    layer = probability_layer(
        cells, opacity=look.opacity, smoothing=look.strength, colour=colour, mask=mask
    )
    return layer.from_threshold(look.threshold or 0.0)


def _placement(image: ImageAnalysis, rendered: Image.Image) -> Placement:
    return Placement(image.extent, image.rows, image.columns, rendered.height, rendered.width)


def _spacing(dataset: Dataset) -> Spacing | None:
    for keyword, plane in (("PixelSpacing", "patient"), ("ImagerPixelSpacing", "detector")):
        value = dataset.get(keyword)
        if value:
            return Spacing(float(value[0]), float(value[1]), plane)
    return None


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    typer.echo(str(path))


def _stop(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
