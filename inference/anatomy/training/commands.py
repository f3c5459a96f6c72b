# SPDX-License-Identifier: Apache-2.0
"""``sidelight train anatomy`` and ``sidelight train body-part``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from inference.anatomy.commands import EncodingOption
from inference.anatomy.in_process import InProcessAnatomy
from inference.anatomy.learned.families import FAMILIES, AnatomyModelError, FamilyName
from inference.anatomy.learned.recognizer import MetadataModel, shipped_model, shipped_weights
from inference.anatomy.serving.bundle import HELD_OUT, METADATA, weights_name, write_anatomy_bundle
from inference.anatomy.serving.held_out import write_held_out
from inference.anatomy.training.assessment import (
    Assessment,
    Criteria,
    assess,
    by_patient,
    split,
)
from inference.anatomy.training.comparison import worse_than_shipped
from inference.anatomy.training.corpus import (
    CorpusError,
    Example,
    examples,
    read_index,
    read_site_table,
    sidecar_headers,
    written_headers,
)
from inference.anatomy.training.figures import as_json
from inference.anatomy.training.fitting import SHIPPED_COURSES, Training, train
from inference.anatomy.training.general import (
    GeneralFigures,
    general_figures,
    general_shortfalls,
)
from inference.anatomy.training.joining import train_joined
from inference.anatomy.training.placing import (
    NOT_FIT,
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
from inference.anatomy.training.report import model_card, page
from inference.header_source import HeaderRequest, HeaderSourceError, header_source

WEIGHTS, REPORT, CARD = weights_name(METADATA), "report.html", "MODEL_CARD.md"
FIGURES = "figures.json"
FROM_COLLECTION = 400
"""Headers of one public collection, at most."""
_COLUMN = "column that says which rows of a table belong together"
GroupOption = Annotated[str, typer.Option(help=f"{_COLUMN}; default: site")]
_SHIPPED = Path("shipped")
_OF_BUNDLE = (
    "headers",
    "groups",
    "labels",
    "exact",
    "exact_by_group",
    "expected_calibration_error",
    "expected_calibration_error_by_group",
    "general",
    "fit",
)


def train_anatomy(
    corpus: Annotated[
        Path | None,
        typer.Argument(
            help="idc_index.parquet of the package idc-index-data, or a site's table of headers."
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="folder to write to; made if missing")],
    orthanc: Annotated[
        str, typer.Option(help="a site's own Orthanc, on this machine: headers are collected")
    ] = "",
    user: Annotated[str, typer.Option(help="of it; password in SIDELIGHT_PASSWORD")] = "",
    key_file: Annotated[Path | None, typer.Option(help=KEY_HELP)] = None,
    data: DataOption = None,
    pixel_teacher: Annotated[
        bool, typer.Option(help="ask the pixel model where tags leave doubt")
    ] = False,
    between: Annotated[str, typer.Option(help="quiet hours such as 22-5")] = "0-0",
    queries: Annotated[int, typer.Option(help="questions in one run", min=1)] = 20_000,
    family: Annotated[str, typer.Option(help=", ".join(FAMILIES))] = "embedding-bag",
    transfer: Annotated[
        Path | None,
        typer.Option(
            "--transfer", "--start", help="weights, or: shipped; with --orthanc it is that"
        ),
    ] = None,
    group: GroupOption = "",
    encoding: EncodingOption = None,
    epochs: Annotated[int, typer.Option(min=1)] = 12,
    shown: Annotated[int, typer.Option(help="headers per epoch", min=256)] = 24_000,
    seed: Annotated[int, typer.Option()] = 1,
    as_shipped: Annotated[
        bool,
        typer.Option(help="public corpus: rows and courses of the shipped weights, the same file"),
    ] = False,
    sidecars: Annotated[
        bool, typer.Option(help="public corpus: MR headers of OpenNeuro teach too")
    ] = False,
    written: Annotated[
        bool, typer.Option(help="public corpus: made-up headers of this package teach too")
    ] = False,
    site_alone: Annotated[
        bool, typer.Option(help="a site's rows teach alone, not headers of this package too")
    ] = False,
    deidentified: Annotated[
        bool,
        typer.Option(help="the table is: held-out rows go with the model, which can be promoted"),
    ] = False,
) -> None:
    """Train the metadata model and write weights, report page and model card.

    With --orthanc, --deidentified or the public corpus they are a bundle, which
    "sidelight models add" puts beside the shipped model. Groups of headers (collections, sites) are
    held out as a whole and judge the model. Ends with status 1 if it is not fit for use; a bundle
    of an earlier run that is fit is kept then.
    """
    if family not in FAMILIES:
        raise typer.BadParameter(f"one of {', '.join(FAMILIES)}", param_hint="--family")
    if (corpus is None) == (not orthanc):
        raise typer.BadParameter("give a table, or --orthanc", param_hint="CORPUS")
    _refuse_unless_public(corpus, as_shipped=as_shipped, sidecars=sidecars, written=written)
    try:
        if corpus is None:
            asked = {"url": orthanc, "user": user, "queries": queries, "data": str(data or "")}
            corpus = _collected(asked, key_file, out, between, pixel_teacher=pixel_teacher)
            group = "station"
            if transfer is None and family == "embedding-bag":
                transfer = shipped_weights()
        if transfer == _SHIPPED:
            transfer = shipped_weights()
        clean = bool(orthanc) or deidentified or is_public(corpus)
        training = Training(
            _named(family),
            epochs,
            shown,
            seed,
            start=transfer,
            named=clean,
            general=not site_alone and not is_public(corpus),
        )
        if is_public(corpus):
            taught, held_out = _public_rows(
                corpus, sidecars=sidecars or as_shipped, written=written or as_shipped
            )
        else:
            taught, held_out = site_rows(corpus, group, encoding)
        out.mkdir(parents=True, exist_ok=True)
        with made_aside(out) as made:
            _teach(taught, training, made / WEIGHTS, as_shipped=as_shipped)
            found, generally = _written_down(made, held_out, clean=clean)
            reasons = found.shortfalls(Criteria()) + worse_than_shipped(found, held_out)
            reasons += general_shortfalls(generally)
            kept = put_in_place(made, fit=not reasons)
    except (CorpusError, AnatomyModelError, HeaderSourceError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    if not clean:
        typer.echo("no bundle: held-out rows must be de-identified, which --deidentified says")
    place = out / NOT_FIT if kept else out
    typer.echo(f"{_in_words(found)}; {place / REPORT}")
    typer.echo(f"general headers: {generally.in_words}")
    if reasons:
        typer.echo(f"not fit for use: {'; '.join(reasons)}{kept_in_words(kept)}", err=True)
        raise typer.Exit(1)


def train_body_part(
    out: Annotated[Path, typer.Option(help="file of weights to write")],
    volumes: Annotated[int, typer.Option(help="phantom volumes", min=8)] = 400,
    steps: Annotated[int, typer.Option(min=1)] = 12_000,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Train the body-part regressor on whole-body phantoms, by the order of slices alone."""
    from inference.anatomy.training import body_part  # noqa: PLC0415 - torch

    body_part.train_body_part(volumes, steps, seed, typer.echo).save(out)
    typer.echo(f"weights written to {out}")


def train_single_image(
    out: Annotated[Path, typer.Option(help="file of weights to write")],
    of_each: Annotated[int, typer.Option(help="phantoms of each region", min=16)] = 450,
    epochs: Annotated[int, typer.Option(min=1)] = 14,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Train the model for single radiographs on phantoms."""
    from inference.anatomy.training import single_image  # noqa: PLC0415 - torch

    single_image.train_single_image(of_each, epochs, seed, typer.echo).save(out)
    typer.echo(f"weights written to {out}")


def evaluate_anatomy(
    table: Annotated[Path, typer.Argument(help="DICOM keywords as columns, and regions")],
    out: Annotated[Path, typer.Option(help="folder for report.html and figures.json")],
    model: Annotated[Path | None, typer.Option(help="weights; default: the shipped")] = None,
    group: GroupOption = "",
    encoding: EncodingOption = None,
    deidentified: Annotated[
        bool, typer.Option(help="the table is: every word may be shown")
    ] = False,
) -> None:
    """Measure a metadata model on labelled headers that it did not learn from."""
    try:
        used = MetadataModel.load(model) if model else shipped_model()
        found = assess(used, read_site_table(table, group, encoding, on_stderr))
        out.mkdir(parents=True, exist_ok=True)
        general = general_figures(used)
        report = page(found, used.described, Criteria(), general, deidentified=deidentified)
        (out / REPORT).write_text(report, encoding="utf-8")
        text = json.dumps(as_json(found, used.described, Criteria(), general), indent=2)
        (out / FIGURES).write_text(text + "\n", encoding="utf-8")
    except (CorpusError, AnatomyModelError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"{_in_words(found)}; {out / REPORT}")


def _in_words(found: Assessment) -> str:
    return (
        f"{found.exact_by_group:.3f} exact as the mean of groups, "
        f"{found.exact:.3f} of {len(found.outcomes)} held-out headers"
    )


def _named(family: str) -> FamilyName:
    return next(name for name in FAMILIES if name == family)


def is_public(corpus: Path | None) -> bool:
    """Whether it is the index of the public corpus."""
    return corpus is not None and corpus.suffix.lower() == ".parquet"


def _refuse_unless_public(corpus: Path | None, **asked: bool) -> None:
    """Refuse the options that say what teaches beside the public corpus, where it does not."""
    for name in [name for name, on in asked.items() if on and not is_public(corpus)]:
        option = f"--{name.replace('_', '-')}"
        raise typer.BadParameter("goes with the public corpus", param_hint=option)


def _public_rows(
    corpus: Path, *, sidecars: bool, written: bool
) -> tuple[list[Example], list[Example]]:
    index = read_index(corpus)
    taught = examples(index, "train", FROM_COLLECTION)
    taught += sidecar_headers() if sidecars else []
    taught += written_headers() if written else []
    return taught, examples(index, "test", FROM_COLLECTION)


def site_rows(table: Path, group: str, encoding: str | None) -> tuple[list[Example], list[Example]]:
    """Rows to learn from and rows that judge, of different groups.

    :raises CorpusError: the table can't be read, or nothing of it can be held out.
    """
    rows = by_patient(read_site_table(table, group, encoding, on_stderr))
    taught, held_out = split(rows)
    if not any(row.right for row in held_out):
        raise CorpusError("no held-out header has a label: give more groups, or label more rows")
    if unknown := len(rows) - len(taught) - len(held_out):
        on_stderr(f"{unknown} headers are of no known group, which could be any: left out")
    return taught, held_out


def on_stderr(line: str) -> None:
    """Say what is no result."""
    typer.echo(line, err=True)


def _teach(taught: list[Example], training: Training, weights: Path, *, as_shipped: bool) -> None:
    if as_shipped:
        train_joined(taught, SHIPPED_COURSES, weights, typer.echo)
    else:
        train(taught, training, weights, typer.echo)


def _written_down(
    made: Path, held_out: list[Example], *, clean: bool
) -> tuple[Assessment, GeneralFigures]:
    """Judge the weights in a folder, and write what is to be known of them beside them."""
    model, criteria = MetadataModel.load(made / WEIGHTS), Criteria()
    found, general = assess(model, held_out), general_figures(model)
    report = page(found, model.described, criteria, general, deidentified=clean)
    (made / REPORT).write_text(report, encoding="utf-8")
    figures = as_json(found, model.described, criteria, general)
    (made / FIGURES).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    card = model_card(found, model.described, general)
    (made / CARD).write_text(card, encoding="utf-8")
    if clean:
        _write_bundle(made, held_out, model.described, figures)
    return found, general


def _write_bundle(
    out: Path, held_out: list[Example], described: dict[str, Any], figures: dict[str, Any]
) -> None:
    """What "sidelight models add" takes: the rows that judge the model go with it."""
    write_held_out(held_out, out / HELD_OUT)
    measured = {key: figures[key] for key in _OF_BUNDLE}
    write_anatomy_bundle(out, METADATA, described, measured)


def _collected(
    asked: dict[str, Any], key_file: Path | None, out: Path, between: str, *, pixel_teacher: bool
) -> Path:
    """Collect headers of an archive; the table that they are in."""
    if key_file is None:
        raise typer.BadParameter("the site's key is needed", param_hint="--key-file")
    hours = hours_of(between)
    say_that_it_waits(*hours)
    request = HeaderRequest(
        **asked,
        folder=str(out / "headers"),
        key_file=str(key_file),
        from_hour=hours[0],
        until_hour=hours[1],
        pixel_teacher=pixel_teacher,
    )
    found = header_source("orthanc")(request, InProcessAnatomy())
    typer.echo(f"{found.series} distinct headers; labels: {found.labels}")
    if not found.finished:
        typer.echo(f"not all series yet ({found.reason}); the same command goes on")
    return Path(found.table)
