# SPDX-License-Identifier: Apache-2.0
"""``sidelight train heatmap``: on phantoms, on a site's labelled images, or on reviewed ones."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn, get_args

import typer
from pydantic import ValidationError
from rich.console import Console

from inference.bundles import BundleError, read_bundle
from inference.contract import RegionName, ScanCategory
from inference.heatmap.datasets.labelled import DatasetError
from inference.heatmap.datasets.layouts import read_labels
from inference.heatmap.unfinished import OtherPlanError
from inference.imported.errors import ModelImportError
from inference.imported.finding_codes import FindingCodes

train = typer.Typer(help="Train models.", no_args_is_help=True)

_SITE = "A site's images"
_OF_THE_START = ("input_size", "grids", "widths", "pooling", "r0", "slices", "demographics")
_VOLUMES = {"CT", "MR", "PT", "NM"}
_PHANTOMS = "Phantoms"


class _Tables(NamedTuple):
    images: Path
    labels: list[Path]
    boxes: Path | None


@train.callback()
def _train() -> None:
    """Keep the trainings commands of their own."""


@train.command("heatmap")
def train_heatmap(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    out: Annotated[Path, typer.Option(help="folder of the bundle; made if missing")],
    images: Annotated[
        Path | None, typer.Option(help="folder of DICOM, PNG or JPEG files", rich_help_panel=_SITE)
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="table in ChestX-ray14's, CheXpert's or Sidelight's layout; repeatable",
            rich_help_panel=_SITE,
        ),
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="table of boxes, in the layout", rich_help_panel=_SITE)
    ] = None,
    training_list: Annotated[
        Path | None,
        typer.Option(
            help="train_val_list.txt: what it does not name is for tests", rich_help_panel=_SITE
        ),
    ] = None,
    from_reviews: Annotated[
        Path | None,
        typer.Option(help="folder of `sidelight reviews export`", rich_help_panel=_SITE),
    ] = None,
    start: Annotated[Path | None, typer.Option(help="bundle whose weights are the start")] = None,
    codes: Annotated[
        Path | None, typer.Option(help="codes of further classes (TOML)", rich_help_panel=_SITE)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="of the bundle; default: of --start", rich_help_panel=_SITE)
    ] = None,
    size: Annotated[
        int, typer.Option(help="side of the network's input", rich_help_panel=_SITE)
    ] = 256,
    batch: Annotated[int, typer.Option(min=2, rich_help_panel=_SITE)] = 16,
    precision: Annotated[
        str, typer.Option(help="bfloat16, float16 or float32", rich_help_panel=_SITE)
    ] = "bfloat16",
    recognized_first: Annotated[
        int,
        typer.Option(
            help="images from which a new network first learns to recognize findings in whole "
            "images, at most a fifth of the run",
            min=0,
            rich_help_panel=_SITE,
        ),
    ] = 8000,
    outline_weight: Annotated[
        float,
        typer.Option(help="above 0: boxes teach too (DICE)", min=0.0, rich_help_panel=_SITE),
    ] = 0.0,
    demographics: Annotated[
        bool, typer.Option(help="age and sex are inputs too, where known", rich_help_panel=_SITE)
    ] = False,
    correlations: Annotated[
        bool,
        typer.Option(
            help="probabilities of classes move each other, as labels say", rich_help_panel=_SITE
        ),
    ] = False,
    slices: Annotated[
        int,
        typer.Option(
            help="odd; above 1 a slice is seen between its neighbours (column series)",
            min=1,
            rich_help_panel=_SITE,
        ),
    ] = 1,
    modality: Annotated[
        list[str] | None,
        typer.Option(help="the model's scans; default: CR and DX", rich_help_panel=_SITE),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="the model's anatomy; default: chest", rich_help_panel=_SITE),
    ] = None,
    unmentioned_absent: Annotated[
        bool,
        typer.Option(help="CheXpert: not mentioned is absent", rich_help_panel=_SITE),
    ] = False,
    logs: Annotated[
        Path | None, typer.Option(help="folder for TensorBoard", rich_help_panel=_SITE)
    ] = None,
    phantoms: Annotated[
        int, typer.Option(help="training phantoms", min=64, rich_help_panel=_PHANTOMS)
    ] = 8000,
    epochs: Annotated[int, typer.Option(min=1)] = 40,
    images_per_epoch: Annotated[int, typer.Option(min=32, rich_help_panel=_PHANTOMS)] = 4000,
    refine: Annotated[
        int,
        typer.Option(
            help="then trains on for so many epochs with a blunter pooling",
            min=0,
            rich_help_panel=_PHANTOMS,
        ),
    ] = 0,
    outlined: Annotated[
        float,
        typer.Option(
            help="share of phantoms whose outlines teach too",
            min=0.0,
            max=1.0,
            rich_help_panel=_PHANTOMS,
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="of weights, shuffling and splits")] = 1,
) -> None:
    """Train the heat-map network and write a bundle.

    With --images and --labels, or --from-reviews, on labelled images; else on phantoms. A run that
    was killed goes on where it was when the same command is given again. On several GPUs:
    torchrun --nproc-per-node N -m inference.commands_train heatmap …
    """
    tables = _tables(images, labels, boxes, from_reviews)
    if tables is None:
        plan: dict[str, Any] = {
            "phantoms": phantoms,
            "epochs": epochs,
            "images_per_epoch": images_per_epoch,
        }
        plan |= {"outlined": outlined, "seed": seed}
        try:
            _on_phantoms(plan, out, start, refine)
        except (BundleError, OtherPlanError) as error:
            _stop(error)
        return
    settings = {
        "epochs": epochs,
        "batch": batch,
        "precision": precision,
        "recognized_first": recognized_first,
        "outline_weight": outline_weight,
        "demographics": demographics,
        "correlations": correlations,
        "slices": slices,
        "seed": seed,
        **_sizes(size),
    }
    try:
        scans = _scans(modality, region, slices)
        table = read_labels(
            tables.labels,
            boxes=tables.boxes,
            training_list=training_list,
            unmentioned_absent=unmentioned_absent,
        )
        _on_site(settings, (tables.images, table), (start, codes, name, scans), out, logs)
    except (DatasetError, ModelImportError, BundleError, OtherPlanError) as error:
        _stop(error)


def _stop(error: Exception) -> NoReturn:
    Console(stderr=True).print(f"[red]not trained[/red]: {error}")
    raise typer.Exit(1) from error


def _tables(
    images: Path | None, labels: list[Path] | None, boxes: Path | None, reviews: Path | None
) -> _Tables | None:
    if reviews is not None:
        if images or labels or boxes:
            raise typer.BadParameter("brings images, labels and boxes", param_hint="--from-reviews")
        outlined = reviews / "boxes.csv"
        return _Tables(
            reviews / "images", [reviews / "labels.csv"], outlined if outlined.exists() else None
        )
    if images is None and not labels:
        return None
    if images is None or not labels:
        raise typer.BadParameter("--images and --labels belong together")
    return _Tables(images, labels, boxes)


def _scans(modality: list[str] | None, region: list[str] | None, slices: int) -> dict[str, Any]:
    """For which scans the model is, where that was said.

    Raises
    ------
    DatasetError
        A region is none of the ten.
    """
    if not modality and not region:
        return {"works_on": "series"} if slices > 1 else {}
    modalities = tuple(modality or ("CR", "DX"))
    try:
        category = ScanCategory.model_validate(
            {"modalities": modalities, "regions": tuple(region or ("chest",))}
        )
    except ValidationError as error:
        raise DatasetError(f"--region is one of {', '.join(get_args(RegionName))}") from error
    in_series = slices > 1 or bool(_VOLUMES & set(modalities))
    return {"categories": (category,), "works_on": "series" if in_series else "instance"}


def _sizes(size: int) -> dict[str, Any]:
    """Grids of 4 pixels a patch; from 1024 on a finer level of 128 of 8 pixels."""
    if size >= 1024:
        return {"input_size": size, "grids": (128, 64, 32, 16, 8), "widths": (24, 32, 48, 64, 96)}
    if size >= 512:
        return {"input_size": size}
    levels = tuple(size // 4 // 2**n for n in range(4))
    return {"input_size": size, "grids": levels}


def _on_phantoms(settings: dict[str, Any], out: Path, start: Path | None, refine: int) -> None:
    if refine and start is None:
        first = out.with_name(out.name + ".first")
        _train_on_phantoms(settings, first, None)
        _train_on_phantoms({**settings, "epochs": refine}, out, first)
        shutil.rmtree(first)
    else:
        _train_on_phantoms(settings, out, start)


def _train_on_phantoms(settings: dict[str, Any], out: Path, start: Path | None) -> None:
    # Looked up here: the other commands answer without loading torch.
    training = import_module("inference.heatmap.training")
    planning = import_module("inference.heatmap.phantom_plan")
    console = Console()
    if start is None:
        plan, network = planning.TrainingPlan(**settings), None
    else:
        bundle = read_bundle(start)
        network = import_module("inference.heatmap.engine").own_network(bundle)
        plan = planning.TrainingPlan.refining(bundle.digest, **settings)
    workers = os.cpu_count() or 1
    if training.is_finished(plan, out):
        console.print(f"{out} is trained already")
        return
    training.train_on_phantoms(plan, out, start=network, workers=workers, report=console.print)
    console.print(f"bundle written to {out}")


def _on_site(
    settings: dict[str, Any],
    data: tuple[Path, Any],
    described: tuple[Path | None, Path | None, str | None, dict[str, Any]],
    out: Path,
    logs: Path | None,
) -> None:
    run = import_module("inference.heatmap.site.run")
    progress = import_module("inference.heatmap.site.progress")
    first = os.environ.get("RANK", "0") == "0"
    console = Console(quiet=not first)
    start, codes, name, scans = described
    known = FindingCodes.provided() if codes is None else FindingCodes.with_file(codes)
    bundle = None if start is None else read_bundle(start)
    naming = replace(run.naming_for(bundle, name), **scans)
    if bundle is not None:
        a = bundle.manifest.heatmap.architecture
        settings = {**settings, **{key: getattr(a, key) for key in _OF_THE_START}}
    try:
        shown = progress.Progress(console, logs if first else None)
    except progress.TensorBoardMissingError as error:
        raise typer.BadParameter(str(error), param_hint="--logs") from error
    material = run.Material(data[1], data[0], known, bundle)
    figures = run.train_on_site(run.SitePlan(**settings), material, naming, out, shown)
    if figures is not None:
        console.print(f"mean AUC {figures.auc_mean:.3f} on {figures.images} test images")
        console.print(f"bundle written to {out}")


if __name__ == "__main__":
    train()
