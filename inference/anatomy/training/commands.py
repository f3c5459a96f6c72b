# SPDX-License-Identifier: Apache-2.0
"""``sidelight train anatomy`` and ``sidelight train body-part``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inference.anatomy.learned.families import FAMILIES, AnatomyModelError, FamilyName
from inference.anatomy.learned.recognizer import MetadataModel
from inference.anatomy.training.assessment import Criteria, assess, split
from inference.anatomy.training.corpus import (
    CorpusError,
    Example,
    examples,
    read_index,
    read_site_table,
)
from inference.anatomy.training.fitting import Training, train
from inference.anatomy.training.report import model_card, page

WEIGHTS, REPORT, CARD = "metadata.safetensors", "report.html", "MODEL_CARD.md"
_FROM_COLLECTION = 400


def train_anatomy(
    corpus: Annotated[
        Path,
        typer.Argument(
            help="idc_index.parquet of the package idc-index-data, or a site's table of headers."
        ),
    ],
    out: Annotated[Path, typer.Option(help="folder to write to; made if missing")],
    family: Annotated[str, typer.Option(help=", ".join(FAMILIES))] = "embedding-bag",
    transfer: Annotated[Path | None, typer.Option(help="weights to go on from")] = None,
    group: Annotated[str, typer.Option(help="column by which a table is split")] = "site",
    epochs: Annotated[int, typer.Option(min=1)] = 12,
    shown: Annotated[int, typer.Option(help="headers per epoch", min=256)] = 24_000,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Train the metadata model and write weights, report page and model card.

    Groups of headers (collections, sites) are held out as a whole and judge the model. Ends with
    status 1 if it is not fit for use.
    """
    if family not in FAMILIES:
        raise typer.BadParameter(f"one of {', '.join(FAMILIES)}", param_hint="--family")
    training = Training(_named(family), epochs, shown, seed, start=transfer)
    try:
        taught, held_out = _rows(corpus, group)
        out.mkdir(parents=True, exist_ok=True)
        train(taught, training, out / WEIGHTS, typer.echo)
        model = MetadataModel.load(out / WEIGHTS)
        found = assess(model, held_out)
    except (CorpusError, AnatomyModelError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    criteria = Criteria()
    (out / REPORT).write_text(page(found, model.described, criteria), encoding="utf-8")
    (out / CARD).write_text(model_card(found, model.described), encoding="utf-8")
    typer.echo(f"{found.exact:.3f} exact on {len(found.outcomes)} held-out headers; {out / REPORT}")
    if reasons := found.shortfalls(criteria):
        typer.echo(f"not fit for use: {'; '.join(reasons)}", err=True)
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


def _named(family: str) -> FamilyName:
    return next(name for name in FAMILIES if name == family)


def _rows(corpus: Path, group: str) -> tuple[list[Example], list[Example]]:
    if corpus.suffix.lower() == ".parquet":
        index = read_index(corpus)
        return examples(index, "train", _FROM_COLLECTION), examples(index, "test", _FROM_COLLECTION)
    return split(read_site_table(corpus, group))
