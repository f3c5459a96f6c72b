# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight reviews``: what readers have corrected, as a table and as a training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.table import Table

from plugin.rest_client import URL_OPTION, USER_OPTION, RestClient, stop

app = typer.Typer(help="Reviews by readers.", no_args_is_help=True)


@app.command("list")
def list_remediations(
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
) -> None:
    """How each reviewed class of each model does, and whether a remediation is open."""
    table = Table("model", "version", "finding", "wrong", "reviewed", "remediation")
    for one in RestClient(url, user).get("/sidelight/remediations")["remediations"]:
        row = [one["model"], one["version"], one["finding"], one["wrong"], one["reviewed"]]
        table.add_row(*(str(part) for part in row), one["state"])
    Console().print(table)


@app.command("export")
def export_reviews(
    out: Annotated[Path, typer.Option(help="folder to make; must not hold an export already")],
    key_file: Annotated[
        Path, typer.Option(help="the site's de-identification key (DataDirectory)", exists=True)
    ],
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
    form: Annotated[str, typer.Option(help="dicom or png")] = "dicom",
) -> None:
    """De-identified images with labels.csv and boxes.csv, for ``train heatmap --from-reviews``."""
    # Looked up here: the other commands answer without loading pydicom.
    from deid import DeidentificationKey, Deidentifier  # noqa: PLC0415
    from plugin.review.export import Form, export  # noqa: PLC0415

    if form not in ("dicom", "png"):
        raise typer.BadParameter("--form is dicom or png")
    deidentifier = Deidentifier(DeidentificationKey.from_file(key_file))
    try:
        result = export(RestClient(url, user), deidentifier, out, cast("Form", form))
    except FileExistsError:
        raise stop(f"{out} holds an export already; give another folder") from None
    typer.echo(f"{result.written} images, {result.unlabelled} without a judged class")
    for reason, count in sorted(result.refused.items()):
        typer.echo(f"{count} refused: {reason}")
