# SPDX-License-Identifier: Apache-2.0
"""``sidelight train anatomy-pixels``: the body-part regressor on a site's own volumes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from inference.anatomy.learned.families import AnatomyModelError
from inference.anatomy.pixels.regressor import BodyPartRegressor, shipped_regressor
from inference.anatomy.serving.bundle import (
    PIXELS,
    read_anatomy_bundle,
    weights_name,
    write_anatomy_bundle,
)
from inference.anatomy.serving.commissioning import LEAST_VOLUMES, prove
from inference.anatomy.training.placing import (
    fit_bundle,
    kept_in_words,
    made_aside,
    put_in_place,
)
from inference.anatomy.training.quiet_hours import (
    KEY_HELP,
    DataOption,
    hours_of,
    say_that_it_waits,
)
from inference.anatomy.training.volumes import (
    MOST_SLICES,
    VolumeError,
    VolumeShelf,
    figures_of,
    read_learned,
    write_learned,
)
from inference.header_source import HeaderSourceError
from inference.manifest import BundleError
from inference.volume_source import VolumeRequest, volume_source

LEARNED, NO_VOLUMES = "learned.json", "no_volumes.json"


def train_anatomy_pixels(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    orthanc: Annotated[str, typer.Option(help="a site's own Orthanc, on this machine")],
    key_file: Annotated[Path, typer.Option(help=KEY_HELP)],
    out: Annotated[Path, typer.Option(help="folder to write to; made if missing")],
    user: Annotated[str, typer.Option(help="of it; password in SIDELIGHT_PASSWORD")] = "",
    between: Annotated[str, typer.Option(help="quiet hours such as 22-5")] = "0-0",
    queries: Annotated[int, typer.Option(help="questions in one run", min=1)] = 20_000,
    volumes: Annotated[int, typer.Option(help="to learn from in one run", min=1)] = 60,
    held_out: Annotated[
        int, typer.Option(help="to judge by, of each modality", min=LEAST_VOLUMES)
    ] = 16,
    mr: Annotated[bool, typer.Option(help="learn MR as well, not CT alone")] = False,
    steps: Annotated[int, typer.Option(min=1)] = 1_500,
    seed: Annotated[int, typer.Option()] = 1,
    data: DataOption = None,
) -> None:
    """Train the pixel model on, with axial volumes of an archive, and write a bundle.

    Slices are de-identified and stay in memory; the same command later goes on with other series
    from the weights that this one wrote. Patients are held out as a whole. Ends with status 1 if
    the model orders their slices worse than the shipped one; a bundle of an earlier run that may be
    served is kept then.
    """
    first, last = hours_of(between)
    say_that_it_waits(first, last)
    request = VolumeRequest(
        url=orthanc,
        user=user,
        key_file=str(key_file),
        data=str(data or ""),
        from_hour=first,
        until_hour=last,
        queries=queries,
        modalities=("CT", "MR") if mr else ("CT",),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        start = _start(out)
        known = read_learned(out / NO_VOLUMES) | start.learned
        shelf = VolumeShelf(volumes, held_out, known, request.modalities)
        found = volume_source("orthanc")(request, shelf)
        told = f"{len(shelf.taught)} volumes to learn from, {len(shelf.held_out)} to judge by"
        typer.echo(told if found.finished else f"{told}; not all looked at ({found.reason})")
        # Also where it ends here: the next run need not ask for them again.
        if shelf.passed:
            write_learned(out / NO_VOLUMES, read_learned(out / NO_VOLUMES) | shelf.passed)
        _require_volumes(shelf, found.reason)
        regressor, metrics = _trained(start, shelf, steps, seed)
        told_of = {"start": start.name, "volumes": len(shelf.taught), "seed": seed}
        shortfall = _put(regressor, told_of, metrics, out)
        # Also where an earlier bundle is kept: the same series would spoil the next run as well.
        write_learned(out / LEARNED, start.learned | set(shelf.new))
        bundle = read_anatomy_bundle(out)
    except (BundleError, VolumeError, AnatomyModelError, HeaderSourceError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    if shortfall:
        typer.echo(f"not fit for use: {shortfall}", err=True)
        raise typer.Exit(1)
    typer.echo(f"bundle {bundle.digest[:12]} in {out}; sidelight models add takes it")


def _put(
    regressor: BodyPartRegressor, told_of: dict[str, Any], metrics: dict[str, Any], out: Path
) -> str:
    """Write a bundle, in place of an earlier one if it may be served; why it may not, or nothing.

    :raises OSError: it can't be written.
    """
    shortfall = ""
    with made_aside(out) as made:
        regressor.save(made / weights_name(PIXELS))
        try:
            prove(write_anatomy_bundle(made, PIXELS, told_of, metrics))
        except BundleError as error:
            shortfall = str(error)
        kept = put_in_place(made, fit=not shortfall)
    return shortfall + kept_in_words(kept)


def _require_volumes(shelf: VolumeShelf, reason: str) -> None:
    if reason and not (shelf.taught or shelf.held_out):
        raise VolumeError(f"no volume was seen: {reason}")


class _Start(NamedTuple):
    regressor: BodyPartRegressor
    name: str
    learned: set[str]


def _start(out: Path) -> _Start:
    """What an earlier run made, if that may be served; else the shipped model, and nothing known.

    :raises VolumeError: what the earlier run had looked at can't be read.
    """
    bundle = fit_bundle(out)
    if bundle is None or bundle.manifest.name != PIXELS:
        return _Start(shipped_regressor(), "shipped", set())
    regressor = BodyPartRegressor.load(bundle.weights)
    return _Start(regressor, bundle.digest[:12], read_learned(out / LEARNED))


def _trained(
    start: _Start, shelf: VolumeShelf, steps: int, seed: int
) -> tuple[BodyPartRegressor, dict[str, Any]]:
    """Train on, and judge by held-out volumes, beside the shipped model."""
    judged = {m: held for m, held in shelf.judged().items() if len(held) >= LEAST_VOLUMES}
    if "CT" not in judged:
        raise VolumeError(
            f"{len(shelf.judged().get('CT', ()))} axial CT volumes of held-out patients, and "
            f"{LEAST_VOLUMES} are needed in one run, each up to {MOST_SLICES} questions: "
            "give more --queries or longer hours"
        )
    for modality in sorted(set(shelf.modalities) - set(judged)):
        typer.echo(f"{modality}: fewer than {LEAST_VOLUMES} volumes to judge by, not learned")
    from inference.anatomy.training.site_body_part import train_on  # noqa: PLC0415 - torch

    taught = [volume for volume in shelf.taught if volume.modality in judged]
    regressor = train_on(start.regressor, taught, steps, seed, typer.echo)
    metrics = {
        modality: {
            "volumes": len(held),
            "new": asdict(figures_of(regressor, held)),
            "shipped": asdict(figures_of(shipped_regressor(), held)),
        }
        for modality, held in judged.items()
    }
    for modality, one in metrics.items():
        typer.echo(f"{modality}: {one}")
    return regressor, metrics
