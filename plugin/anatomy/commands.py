# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight retraining``: what the anatomy rules have put aside to train models with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin.anatomy.agreement import Preferred
from plugin.anatomy.ledger import FILE_NAME, AnatomyLedger
from plugin.anatomy.lessons import write_table
from plugin.queue_file import QueueError

app = typer.Typer(help="Headers to train the anatomy models with.", no_args_is_help=True)

_MODELS: dict[str, Preferred] = {"metadata": "metadata", "pixels": "pixels"}
_DATA = typer.Argument(help="Sidelight's data directory, that of the queue")


@app.command("count")
def count(data: Annotated[Path, _DATA]) -> None:
    """How many rows there are for each model."""
    for name, rows in _ledger(data).lesson_counts().items():
        typer.echo(f"{name}: {rows}")


@app.command("export")
def export(
    data: Annotated[Path, _DATA],
    out: Annotated[Path, typer.Option(help="CSV file to write")],
    model: Annotated[str, typer.Option(help="metadata or pixels: the model to be taught")] = (
        "metadata"
    ),
) -> None:
    """Write the rows for one model as a table that ``sidelight train anatomy`` reads."""
    if model not in _MODELS:
        raise typer.BadParameter("metadata or pixels", param_hint="--model")
    try:
        with out.open("w", encoding="utf-8", newline="") as stream:
            rows = write_table(_ledger(data).lessons(_MODELS[model]), stream)
    except OSError as error:
        raise typer.BadParameter(error.strerror or str(error), param_hint="--out") from None
    typer.echo(f"{rows} rows written to {out}")


def _ledger(data: Path) -> AnatomyLedger:
    path = data / FILE_NAME
    if not path.is_file():
        raise typer.BadParameter(f"there is no {FILE_NAME} in this folder", param_hint="DATA")
    try:
        return AnatomyLedger(path)
    except QueueError as error:
        raise typer.BadParameter(str(error), param_hint="DATA") from None


if __name__ == "__main__":
    app()
