# SPDX-License-Identifier: Apache-2.0
"""``sidelight phantom``: phantom scans with known findings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from inference.phantoms import FINDINGS, SeedRange, chest_phantom
from inference.phantoms.ct_head import head_slices
from inference.phantoms.dicom import chest_dataset, head_datasets

phantom = typer.Typer(help="Make phantom scans with known findings.", no_args_is_help=True)

_OUT = typer.Option(help="folder to write to; made if missing")


@phantom.command("chest")
def phantom_chest(
    out: Annotated[Path, _OUT],
    count: Annotated[int, typer.Option(min=1)] = 1,
    size: Annotated[int, typer.Option(help="matrix size", min=32, max=4096)] = 2048,
    seed: Annotated[int, typer.Option(help="of the first phantom", min=0)] = 1,
    findings: Annotated[
        str | None, typer.Option(help=f"of {', '.join(FINDINGS)}; '' for none; default random")
    ] = None,
    monochrome1: Annotated[bool, typer.Option(help="store inverted")] = False,
) -> None:
    """Write chest radiographs (DX For Presentation) and print what each one shows."""
    wanted = None if findings is None else [key for key in findings.split(",") if key]
    unknown = sorted(set(wanted or ()) - set(FINDINGS))
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}", param_hint="--findings")
    if seed + count > SeedRange.TRAINING.value:
        raise typer.BadParameter("seeds from 1000000 on are training's", param_hint="--seed")
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    for number in range(seed, seed + count):
        made = chest_phantom(number, size, wanted)
        path = out / f"chest-{number:06d}.dcm"
        chest_dataset(made, inverted=monochrome1).save_as(path, enforce_file_format=True)
        console.print(f"{path}: {', '.join(made.findings) or 'no findings'}")


@phantom.command("head")
def phantom_head(
    out: Annotated[Path, _OUT],
    count: Annotated[int, typer.Option(help="slices", min=1, max=200)] = 12,
    size: Annotated[int, typer.Option(min=32, max=1024)] = 256,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Write a CT head series."""
    out.mkdir(parents=True, exist_ok=True)
    for number, ds in enumerate(head_datasets(head_slices(seed, count, size), seed), start=1):
        ds.save_as(out / f"head-{seed:06d}-{number:03d}.dcm", enforce_file_format=True)
    Console().print(f"{count} slices in {out}")
