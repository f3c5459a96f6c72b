# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight retraining``: what the anatomy rules have put aside to train models with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from plugin.anatomy.agreement import Taught
from plugin.anatomy.ledger import FILE_NAME, AnatomyLedger
from plugin.anatomy.lessons import LABEL, put_together, write_table
from plugin.collecting.labelling import PIXEL_CREDIT
from plugin.collecting.notebook import FILE_NAME as NOTEBOOK
from plugin.collecting.notebook import Notebook, NotebookError, notebook_folder
from plugin.queue_file import QueueError

app = typer.Typer(help="Headers to train the anatomy models with.", no_args_is_help=True)

_MODELS: dict[str, Taught] = {"metadata": "metadata", "pixels": "pixels"}
_TEACHERS: dict[Taught, tuple[str, float]] = {
    "metadata": ("pixels", PIXEL_CREDIT),
    "pixels": ("tags", 1.0),
}
"""Who labels the rows of each model, and how much that weighs."""
_DATA = typer.Argument(help="Sidelight's data directory, that of the queue")


@app.command("count")
def count(data: Annotated[Path, _DATA]) -> None:
    """How many rows there are for each model."""
    for name, rows in _ledger(data).lesson_counts().items():
        typer.echo(f"{name}: {rows}")
    labelled = sum(1 for row in _collected(data) if row.get(LABEL))
    typer.echo(f"collected at quiet hours: {labelled}")


@app.command("export")
def export(
    data: Annotated[Path, _DATA],
    out: Annotated[Path, typer.Option(help="CSV file to write")],
    model: Annotated[str, typer.Option(help="metadata or pixels: the model to be taught")] = (
        "metadata"
    ),
) -> None:
    """Write the rows for one model as a table that ``sidelight train anatomy`` reads.

    Rows that were collected at quiet hours teach the metadata model; ``origin`` says which they
    are.
    """
    if model not in _MODELS:
        raise typer.BadParameter("metadata or pixels", param_hint="--model")
    teacher, weight = _TEACHERS[_MODELS[model]]
    lessons = _ledger(data).lessons(_MODELS[model])
    collected = _collected(data) if model == "metadata" else ()
    aside = out.with_name(f".{out.name}.part")
    try:
        with aside.open("w", encoding="utf-8", newline="") as stream:
            rows = write_table(put_together(lessons, collected, teacher, weight), stream)
        aside.replace(out)
    except OSError as error:
        raise typer.BadParameter(error.strerror or str(error), param_hint="--out") from None
    typer.echo(f"{rows} rows written to {out}")
    if model == "metadata" and (outdated := _outdated(data)):
        typer.echo(
            f"{outdated} rows of quiet hours left out: the model that labelled them answers no "
            "more, or they don't say which it was; the next quiet hours label them again",
            err=True,
        )


def _collected(data: Path) -> Iterator[Mapping[str, str]]:
    folder = notebook_folder(data)
    if (folder / NOTEBOOK).is_file():
        try:
            yield from Notebook(folder).rows()
        except NotebookError as error:
            raise typer.BadParameter(str(error), param_hint="DATA") from None


def _outdated(data: Path) -> int:
    folder = notebook_folder(data)
    return Notebook(folder).outdated() if (folder / NOTEBOOK).is_file() else 0


def _ledger(data: Path) -> AnatomyLedger:
    path = data / FILE_NAME
    if not path.is_file():
        raise typer.BadParameter(f"there is no {FILE_NAME} in this folder", param_hint="DATA")
    ledger = AnatomyLedger(path)
    try:
        ledger.count()
    except QueueError as error:
        raise typer.BadParameter(str(error), param_hint="DATA") from None
    return ledger


if __name__ == "__main__":
    app()
