# SPDX-License-Identifier: Apache-2.0
"""``sidelight models``: versions side by side, compared, promoted, rejected and rolled back."""

from __future__ import annotations

import getpass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from inference.anatomy.serving.bundle import (
    METADATA,
    copy_anatomy_bundle,
    is_anatomy_bundle,
    read_anatomy_bundle,
)
from inference.bundles import BundleError, read_bundle
from inference.commands_models import labelled_set, models
from inference.contract import VersionDecision
from inference.decisions import decide, state_of, versions_in
from inference.versions import VersionError, Versions

__all__ = ["models"]

_NAME = typer.Argument(help="name of the model")
_VERSION = typer.Argument(help="such as 0.2.0")
_MODELS = typer.Option(
    "--models", envvar="SIDELIGHT_MODELS", help="folder of models (Inference.ModelDirectories)"
)
_BY = typer.Option(help="who decides; default: the account")
_REASON = typer.Option(help="why, in words")


@models.command("versions")
def list_versions(
    name: Annotated[str, _NAME], directory: Annotated[Path, _MODELS] = Path("models")
) -> None:
    """List the versions of a model and what was decided about them."""
    versions = _versions(directory, name)
    serving = versions.serving
    table = Table("version", "state", "decided", "by", "reason")
    last = {d.version: d for d in serving.decisions}
    for version in versions.all:
        decision = last.get(version)
        row = [decision.at, decision.by, decision.reason] if decision else ["", "", ""]
        table.add_row(version, state_of(versions, version), *row)
    Console().print(table)


@models.command("add")
def add_version(
    folder: Annotated[Path, typer.Argument(help="a bundle, such as training wrote")],
    directory: Annotated[Path, _MODELS] = Path("models"),
    version: Annotated[str, typer.Option(help="that it gets; default: its own")] = "",
) -> None:
    """Put a bundle beside the other versions of its model, where it waits to be promoted."""
    try:
        if is_anatomy_bundle(folder):
            made: Any = copy_anatomy_bundle(read_anatomy_bundle(folder), directory, version)
        else:
            setting_up = import_module("inference.commissioning.setting_up")
            made = setting_up.add_version(read_bundle(folder), directory, version)
    except (BundleError, FileExistsError) as error:
        _stop(str(error))
    typer.echo(f"{made.manifest.name} {made.manifest.version} in {made.folder}, {made.digest}")


@models.command("promote")
def promote(
    name: Annotated[str, _NAME],
    version: Annotated[str, _VERSION],
    directory: Annotated[Path, _MODELS] = Path("models"),
    by: Annotated[str, _BY] = "",
    reason: Annotated[str, _REASON] = "",
) -> None:
    """Let a version be served. A running service takes it up within seconds."""
    _decide(directory, name, ("promote", version), by, reason)
    typer.echo(f"{name} {version} is promoted")


@models.command("reject")
def reject(
    name: Annotated[str, _NAME],
    version: Annotated[str, _VERSION],
    directory: Annotated[Path, _MODELS] = Path("models"),
    by: Annotated[str, _BY] = "",
    reason: Annotated[str, _REASON] = "",
) -> None:
    """Say no to a version; it is never served."""
    _decide(directory, name, ("reject", version), by, reason)
    typer.echo(f"{name} {version} is rejected")


@models.command("rollback")
def roll_back(
    name: Annotated[str, _NAME],
    directory: Annotated[Path, _MODELS] = Path("models"),
    by: Annotated[str, _BY] = "",
    reason: Annotated[str, _REASON] = "",
) -> None:
    """Serve the version before the present one again."""
    versions = _decide(directory, name, ("roll-back", ""), by, reason)
    typer.echo(f"{name} {versions.serving.current or 'as shipped'} is served again")


@models.command("compare")
def compare_models(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    old: Annotated[Path, typer.Argument(help="bundle in use; anatomy: shipped is one, too")],
    new: Annotated[Path, typer.Argument(help="bundle that might replace it")],
    images: Annotated[
        Path | None, typer.Option(help="held-out folder with labels.csv and perhaps boxes.csv")
    ] = None,
    phantoms: Annotated[int, typer.Option(help="use this many phantoms", min=0, max=2000)] = 0,
    keep: Annotated[
        bool, typer.Option(help="keep it beside the new bundle, for whoever decides")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="write figures here")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="write a page here")] = None,
) -> None:
    """Compare two bundles on the same held-out images, anatomy models on the new one's rows."""
    if is_anatomy_bundle(new):
        _compare_anatomy(old, new, json_file, keep=keep)
        return
    comparing = import_module("inference.commissioning.comparison")
    cases = import_module("inference.commissioning.cases")
    page = import_module("inference.commissioning.comparison_page")
    try:
        before, after = read_bundle(old), read_bundle(new)
        data = [labelled_set(bundle, images, phantoms) for bundle in (before, after)]
        found = comparing.compare(before, after, *data)
    except (BundleError, cases.LabelledSetError) as error:
        _stop(str(error))
    if keep:
        page.keep_comparison(found, after)
    if json_file:
        json_file.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if html_file:
        html_file.write_text(page.comparison_page(found, after.manifest.classes), encoding="utf-8")
    _print(found)


def _compare_anatomy(old: Path, new: Path, json_file: Path | None, *, keep: bool) -> None:
    """On the rows that travel with the new bundle; figures of volumes are in ``model.json``."""
    try:
        after = read_anatomy_bundle(new)
        if after.manifest.name != METADATA:
            Console().print_json(data=after.manifest.metrics)
            return
        comparing = import_module("inference.anatomy.serving.comparison")
        rows = import_module("inference.anatomy.serving.held_out").read_held_out(after.held_out)
        contender = comparing.Contender
        shipped = str(old) == "shipped"
        before = contender.shipped() if shipped else contender.of(read_anatomy_bundle(old))
        found = comparing.compare(before, contender.of(after), rows)
    except (BundleError, ValueError) as error:
        _stop(str(error))
    if keep:
        comparing.keep(found, new)
    if json_file:
        json_file.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    table = Table("region", found.old.version, found.new.version, "mended", "broken")
    for key, one in found.differences.items():
        sides = [side.figures.classes.get(key) for side in (found.old, found.new)]
        shares = [f"{side.sensitivity:.3f}" if side and side.sensitivity else "–" for side in sides]
        table.add_row(key, *shares, str(one.mended), str(one.broken))
    Console().print(table)


def _print(found: Any) -> None:
    table = Table("class", found.old.version, found.new.version, "difference", "mended", "broken")
    for key, one in found.differences.items():
        old, new = found.old.figures.classes[key], found.new.figures.classes[key]
        difference = "–" if one.auc is None else f"{one.auc:+.3f} {one.verdict}"
        counts = str(one.mended), str(one.broken)
        table.add_row(key, f"{old.auc or 0:.3f}", f"{new.auc or 0:.3f}", difference, *counts)
    Console().print(table)


def _versions(directory: Path, name: str) -> Versions:
    try:
        return versions_in(directory, name)
    except VersionError as error:
        _stop(str(error))


def _decide(directory: Path, name: str, asked: tuple[str, str], by: str, reason: str) -> Versions:
    action, version = asked
    try:
        decision = VersionDecision.model_validate(
            {
                "action": action,
                "version": version,
                "by": by or getpass.getuser(),
                "reason": reason or "none given",
            }
        )
        return decide(directory, name, decision)
    except ValidationError as error:
        _stop(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}")
    except (VersionError, BundleError) as error:
        _stop(str(error))


def _stop(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
