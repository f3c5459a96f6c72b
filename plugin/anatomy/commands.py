# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight retraining``: what the anatomy rules have put aside to train models with."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

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
    try:
        through = _is_written_through(out)
        with _written(out, through=through) as stream:
            rows = write_table(put_together(lessons, collected, teacher, weight), stream)
    except OSError as error:
        raise typer.BadParameter(error.strerror or str(error), param_hint="--out") from None
    # What is written through may be the standard output itself: nothing but the table goes there.
    typer.echo(f"{rows} rows written to {out}", err=through)
    if model == "metadata" and (outdated := _outdated(data)):
        typer.echo(
            f"{outdated} rows of quiet hours left out: the model that labelled them answers no "
            "more, or they don't say which it was; the next quiet hours label them again",
            err=True,
        )


def _is_written_through(out: Path) -> bool:
    """Whether a table goes into what is there, which another file must not take the place of.

    That is a link, a pipe or device, and a file of somebody else.
    """
    if out.is_symlink():
        return True
    if not out.exists():
        return False
    return not out.is_file() or out.stat().st_uid != os.geteuid()


@contextmanager
def _written(out: Path, *, through: bool) -> Iterator[IO[str]]:
    """A stream into a file; an earlier one stays until all is written, and so does its mode."""
    if through:
        with out.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        return
    aside = out.with_name(f".{out.name}.part")
    try:
        with aside.open("w", encoding="utf-8", newline="") as stream:
            if out.exists():
                os.fchmod(stream.fileno(), stat.S_IMODE(out.stat().st_mode))
            yield stream
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)


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
