# SPDX-License-Identifier: Apache-2.0
"""``sidelight evaluate heatmap``: how good a bundle is, in figures, plots and a page."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from inference.anatomy.training.commands import evaluate_anatomy
from inference.bundles import Bundle, BundleError, read_bundle, shipped_models
from inference.heatmap.datasets.labelled import DatasetError
from inference.heatmap.datasets.layouts import read_labels
from inference.imported.errors import ModelImportError
from inference.imported.finding_codes import FindingCodes

evaluate = typer.Typer(help="Measure models.", no_args_is_help=True)


evaluate.command("anatomy")(evaluate_anatomy)


@evaluate.callback()
def _evaluate() -> None:
    """Keep ``heatmap`` a command of its own, not the whole of ``evaluate``."""


@evaluate.command("heatmap")
def evaluate_heatmap(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    out: Annotated[Path, typer.Option(help="folder for figures.json, plots and index.html")],
    model: Annotated[Path | None, typer.Option(help="a bundle; default: the shipped one")] = None,
    images: Annotated[Path | None, typer.Option(help="folder of DICOM, PNG or JPEG files")] = None,
    labels: Annotated[
        list[Path] | None, typer.Option(help="table of labels as for training; repeatable")
    ] = None,
    boxes: Annotated[Path | None, typer.Option(help="table of boxes, in the layout")] = None,
    codes: Annotated[Path | None, typer.Option(help="codes of further classes (TOML)")] = None,
    phantoms: Annotated[
        int, typer.Option(help="without --images: so many test phantoms", min=16)
    ] = 400,
) -> None:
    """Measure a bundle on labelled images, all of them; without --images on test phantoms.

    Give images of patients that training did not see.
    """
    if (images is None) != (not labels):
        raise typer.BadParameter("--images and --labels belong together")
    console = Console()
    try:
        bundle = read_bundle(model or shipped_models() / "chest-phantom")
        with tempfile.TemporaryDirectory(prefix="sidelight-evaluate-") as cache:
            if images is None or not labels:
                data = _phantoms(bundle, phantoms)
            else:
                known = FindingCodes.provided() if codes is None else FindingCodes.with_file(codes)
                table = read_labels(labels, boxes=boxes)
                data = _site(bundle, (table, known), images, Path(cache))
            figures = import_module("inference.heatmap.assessment.report").write_report(
                bundle, data, out
            )
    except (DatasetError, ModelImportError, BundleError) as error:
        Console(stderr=True).print(f"[red]not measured[/red]: {error}")
        raise typer.Exit(1) from error
    except ImportError as error:
        raise typer.BadParameter("plots need matplotlib: install sidelight[train]") from error
    console.print(f"mean AUC {figures.auc_mean:.3f} on {figures.images} images")
    console.print(f"{out / 'index.html'}")


def _phantoms(bundle: Bundle, count: int) -> Any:
    phantoms = import_module("inference.phantoms")
    if [one.key for one in bundle.manifest.classes] != list(phantoms.FINDINGS):
        raise DatasetError("phantoms have other findings than this bundle; give --images")
    made = import_module("inference.heatmap.phantom_set")
    architecture = bundle.manifest.heatmap.architecture
    return made.make_phantom_set(
        phantoms.SeedRange.TEST.value,
        count,
        size=architecture.input_size,
        grid=architecture.grids[0],
        workers=os.cpu_count() or 1,
    )


def _site(bundle: Bundle, data: tuple[Any, FindingCodes], folder: Path, cache: Path) -> Any:
    run = import_module("inference.heatmap.site.run")
    images = import_module("inference.heatmap.datasets.images")
    table, _ = run.coded_table(run.Material(data[0], folder, data[1], bundle))
    a = bundle.manifest.heatmap.architecture
    workers = os.cpu_count() or 1
    alone = images.read_site_set(table, folder, a.input_size, cache, workers=workers)
    return images.in_volumes(alone, folder, a.slices)
