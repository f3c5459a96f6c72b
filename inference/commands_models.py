# SPDX-License-Identifier: Apache-2.0
"""``sidelight models``: import, check, set up and vouch for bundles."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inference.anatomy.serving.bundle import (
    NAMES,
    AnatomyBundle,
    is_anatomy_bundle,
    read_anatomy_bundle,
)
from inference.bundles import Bundle, BundleError, commission, read_bundle, shipped_models
from inference.loading import load_bundles
from inference.trust import KeyFileError, Signable, Trust, make_key, read_signature, sign
from inference.versions import Versions

models = typer.Typer(
    help="Import, check, sign, set up and promote model bundles.", no_args_is_help=True
)

_BUNDLE = typer.Argument(help="folder of a bundle")
_OUT = typer.Option(help="bundle to write; default: the same folder")
_PHANTOMS = typer.Option(help="use this many phantoms", min=0, max=2000)
_IMAGES = typer.Option(help="folder with images, labels.csv and perhaps boxes.csv")


@models.command("list")
def list_models(
    directories: Annotated[list[Path] | None, typer.Argument(help="default: shipped")] = None,
) -> None:
    """List bundles without loading their weights."""
    registry = load_bundles(directories or [shipped_models()], commissioned=False)
    table = Table("model", "version", "kind", "looks for", "vouched", "digest")
    for name, bundle in sorted(registry.served.items()):
        described = bundle.description
        keys = ", ".join(c.key for c in described.classes)
        vouched = registry.vouched[name]
        kind = bundle.manifest.kind
        table.add_row(name, described.version, kind, keys, vouched, described.digest[:12])
    console = Console()
    console.print(table)
    for name, versions in sorted(registry.waiting.items()):
        console.print(f"{name}: {', '.join(versions)} waits to be promoted or rejected")
    for line in _anatomy_lines(directories or []):
        console.print(line)
    for name, reason in registry.rejected.items():
        console.print(f"[red]{name}[/red]: {escape(reason)}")
    if registry.rejected:
        raise typer.Exit(1)


@models.command("show")
def show_model(folder: Annotated[Path, _BUNDLE]) -> None:
    """Print what a bundle says of itself."""
    if is_anatomy_bundle(folder):
        _show_anatomy(folder)
        return
    bundle = _read(folder)
    manifest, console = bundle.manifest, Console()
    console.print(f"[bold]{manifest.name} {manifest.version}[/bold] {escape(manifest.title)}")
    console.print(f"{manifest.disclaimer}\nkind {manifest.kind}, maps {manifest.grids}")
    if manifest.imported:
        s = manifest.imported
        console.print(f"from {s.source}, {s.input_size} x {s.input_size}, maps by {s.maps}")
    signature = _signature(bundle)
    console.print(f"digest {bundle.digest}\nsigned by {signature or 'nobody'}")
    if manifest.criteria:
        console.print_json(manifest.criteria.model_dump_json(exclude_none=True))
    table = Table("class", "name", "code", "scheme", "threshold", "patch threshold")
    for c in manifest.classes:
        thresholds = f"{c.threshold:.4g}", f"{c.patch_threshold:.4g}"
        table.add_row(c.key, c.name, c.code.value, c.code.scheme, *thresholds)
    console.print(table)


@models.command("check")
def check_model(folder: Annotated[Path, _BUNDLE]) -> None:
    """Load a bundle and commission it: its recorded answers, and its criteria if it has any."""
    if is_anatomy_bundle(folder):
        _check_anatomy(folder)
        return
    acceptance = import_module("inference.commissioning.acceptance")
    try:
        bundle = read_bundle(folder)
        Trust().check(bundle)
        commission(bundle)
        verdict = acceptance.accept(bundle, acceptance.Results(None))
    except BundleError as error:
        _stop(f"not fit to be served: {error}")
    typer.echo(f"{bundle.manifest.name} {bundle.manifest.version} is fit, {bundle.digest}")
    if verdict:
        Console().print_json(verdict.figures.model_dump_json())


@models.command("import")
def import_bundle(
    source: Annotated[Path, typer.Argument(help="file, or folder of a MONAI bundle")],
    out: Annotated[Path, typer.Option(help="folder of the bundle to write")],
    classes: Annotated[
        str, typer.Option(help="names of the outputs in order, by commas; - for none")
    ] = "",
    codes: Annotated[Path | None, typer.Option(help="TOML file with codes of classes")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="e.g. size=224; docs/models.md lists all"),
    ] = None,
) -> None:
    """Make a bundle of a TorchScript, exported, ONNX, MONAI or torchxrayvision model."""
    importer = import_module("inference.imported.importer")
    options = import_module("inference.imported.options")
    refused = import_module("inference.imported.errors").ModelImportError
    try:
        request = options.read_request(source, classes, codes, given or [])
        bundle = importer.import_model(request, out)
    except (refused, BundleError) as error:
        _stop(str(error))
    typer.echo(f"{bundle.manifest.name} {bundle.manifest.version} in {out}, {bundle.digest}")


@models.command("keygen")
def make_signing_key(
    out: Annotated[Path, typer.Argument(help="file for the private key")],
) -> None:
    """Make a key to sign bundles with, and print the public one for Inference.TrustedKeys."""
    try:
        typer.echo(make_key(out))
    except FileExistsError:
        _stop(f"{out.name} exists; keys are never overwritten")
    except OSError as error:
        _stop(f"{out.name} can't be written: {error.strerror}")


@models.command("sign")
def sign_model(
    folder: Annotated[Path, _BUNDLE],
    key: Annotated[Path, typer.Option(help="private key of 'models keygen'")],
) -> None:
    """Sign a bundle (Ed25519): its name, version and digest."""
    bundle = _read_any(folder)
    try:
        signature = sign(bundle, key)
    except KeyFileError as error:
        _stop(str(error))
    typer.echo(f"{bundle.manifest.name} {bundle.manifest.version} signed by {signature.key}")


@models.command("verify")
def verify_model(
    folder: Annotated[Path, _BUNDLE],
    key: Annotated[list[str] | None, typer.Option(help="public key that must have signed")] = None,
    digest: Annotated[str, typer.Option(help="digest that it must have")] = "",
) -> None:
    """Say whether a bundle is what was signed, or what its digest says."""
    bundle = _read_any(folder)
    pinned = {bundle.manifest.name: (digest,)} if digest else {}
    try:
        vouched = Trust(pinned, tuple(key or ()), require=bool(key or digest)).check(bundle)
        signature = read_signature(folder)
    except BundleError as error:
        _stop(f"{bundle.manifest.name} {bundle.manifest.version}: {error}")
    if vouched == "unsigned" and signature is None:
        _stop(f"{bundle.manifest.name} {bundle.manifest.version} is not signed; its digest is "
              f"{bundle.digest}")  # fmt: skip
    by = signature.key if signature else "nobody, but its digest is right"
    typer.echo(f"{bundle.manifest.name} {bundle.manifest.version} is unaltered, signed by {by}")


@models.command("calibrate")
def calibrate_model(
    folder: Annotated[Path, _BUNDLE],
    images: Annotated[Path | None, _IMAGES] = None,
    phantoms: Annotated[int, _PHANTOMS] = 0,
    out: Annotated[Path | None, _OUT] = None,
    version: Annotated[str, typer.Option(help="of the bundle written; default: the same")] = "",
) -> None:
    """Fit calibration, thresholds and familiarity to labelled images of the site."""
    bundle = _read(folder)
    setting_up = import_module("inference.commissioning.setting_up")
    data = labelled_set(bundle, images, phantoms)
    try:
        made = setting_up.calibrate(bundle, data, out or folder, version)
    except BundleError as error:
        _stop(str(error))
    left = len(bundle.manifest.classes) - len(made.calibrated)
    typer.echo(f"calibrated: {', '.join(made.calibrated) or 'none'}; too few labels: {left}")
    typer.echo(f"abstains from unfamiliar images: {'yes' if made.familiar else 'as before'}")
    typer.echo(made.bundle.digest)


@models.command("reference")
def record_reference(
    folder: Annotated[Path, _BUNDLE],
    images: Annotated[Path | None, _IMAGES] = None,
    phantoms: Annotated[int, _PHANTOMS] = 0,
    out: Annotated[Path | None, _OUT] = None,
) -> None:
    """Record how probabilities are distributed on usual images, to notice when they shift."""
    bundle = _read(folder)
    data = labelled_set(bundle, images, phantoms)
    setting_up = import_module("inference.commissioning.setting_up")
    made = setting_up.record_reference(bundle, data.images, out or folder)
    typer.echo(f"recorded for {len(made.manifest.reference or {})} classes, {made.digest}")


@models.command("criteria")
def set_criteria(
    folder: Annotated[Path, _BUNDLE],
    require: Annotated[
        list[str],
        typer.Option(
            metavar="KEY=VALUE",
            help="minimum_auc, minimum_pointing, maximum_calibration_error, maximum_milliseconds",
        ),
    ],
    images: Annotated[Path | None, _IMAGES] = None,
    phantoms: Annotated[int, _PHANTOMS] = 0,
) -> None:
    """Name the figures that a bundle must reach before it is served."""
    bundle = _read(folder)
    criteria = import_module("inference.commissioning.criteria")
    setting_up = import_module("inference.commissioning.setting_up")
    limits = dict(text.partition("=")[::2] for text in require)
    of = {"phantoms": phantoms, "folder": str(images.absolute()) if images else ""}
    try:
        wanted = criteria.Criteria.model_validate({**limits, "images": of})
        made = setting_up.set_criteria(bundle, wanted, folder)
    except ValueError as error:
        first = cast("Any", error).errors()[0]
        _stop(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except BundleError as error:
        _stop(str(error))
    typer.echo(f"{made.manifest.name} {made.manifest.version} meets them, {made.digest}")


def labelled_set(bundle: Bundle, images: Path | None, phantoms: int) -> Any:
    """Images of a folder or phantoms, at the size and grid of a bundle."""
    cases = import_module("inference.commissioning.cases")
    first = import_module("inference.commissioning.criteria").FIRST_SEED
    if (images is None) == (phantoms == 0):
        raise typer.BadParameter("give either --images or --phantoms")
    size, grid = bundle.engine.input_size, bundle.manifest.grids[0]
    try:
        if images is not None:
            return cases.folder_set(images, size, grid)
        # Beside the seeds of commissioning sets, which start at the first one.
        return cases.phantom_set(first + 10_000, phantoms, size, grid)
    except cases.LabelledSetError as error:
        _stop(str(error))


def _read(folder: Path) -> Bundle:
    try:
        return read_bundle(folder)
    except BundleError as error:
        _stop(str(error))


def _read_any(folder: Path) -> Bundle | AnatomyBundle:
    if not is_anatomy_bundle(folder):
        return _read(folder)
    try:
        return read_anatomy_bundle(folder)
    except BundleError as error:
        _stop(str(error))


def _anatomy_lines(directories: list[Path]) -> list[str]:
    """Which anatomy models a site has, a line for each."""
    found = [(name, folder / name) for folder in directories for name in NAMES]
    lines = []
    for name, place in found:
        if Versions.is_one(place):
            versions = Versions(place)
            waiting = ", ".join(versions.undecided(elsewhere=True)) or "none"
            lines.append(
                f"{name}: {versions.serving.current or 'the shipped one'} is promoted; "
                f"waiting: {waiting}"
            )
    return lines


def _show_anatomy(folder: Path) -> None:
    bundle, console = _read_any(folder), Console()
    manifest = cast("AnatomyBundle", bundle).manifest
    console.print(f"[bold]{manifest.name} {manifest.version}[/bold] {escape(manifest.title)}")
    console.print(f"digest {bundle.digest}\nsigned by {_signature(bundle) or 'nobody'}")
    console.print_json(data={"training": manifest.training, "metrics": manifest.metrics})


def _check_anatomy(folder: Path) -> None:
    prove = import_module("inference.anatomy.serving.commissioning").prove
    bundle = _read_any(folder)
    try:
        Trust().check(bundle)
        prove(bundle)
    except BundleError as error:
        _stop(f"not fit to be served: {error}")
    typer.echo(f"{bundle.manifest.name} {bundle.manifest.version} is fit, {bundle.digest}")


def _signature(bundle: Signable) -> str:
    try:
        signature = read_signature(bundle.folder)
    except BundleError as error:
        _stop(str(error))
    return signature.key if signature else ""


def _stop(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
