# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight key``: the site's key, held against what a node began with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deid.errors import KeyFileError
from plugin.site_key import SiteKey

app = typer.Typer(help="The site's key, and the one that a node began with.", no_args_is_help=True)

DataOption = Annotated[
    Path, typer.Option("--data", exists=True, file_okay=False, help="Sidelight's DataDirectory.")
]
KeyOption = Annotated[
    str,
    typer.Option("--key-file", help="As Deidentification.KeyFile; by default in DataDirectory."),
]
_ACCEPTED = {
    True: "accepted: what is de-identified from now on does not belong to what was before",
    False: "accepted: it is the key that this node began with, and all pseudonyms stay",
    None: "accepted: if it is the key that this node began with, all pseudonyms stay; if it is "
    "another one, what is de-identified from now on does not belong to what was before",
}


@app.callback()
def key() -> None:
    """The site's key, and the one that a node began with."""


@app.command()
def check(data: DataOption, key_file: KeyOption = "") -> None:
    """Say whether the key is the one that this node began with (exit code 1: it is not)."""
    found = SiteKey.of(key_file, data)
    problem = found.problem()
    if problem:
        typer.echo(problem, err=True)
        raise typer.Exit(1)
    began = found.fingerprint.exists()
    typer.echo(
        "the key is the one that this node began with"
        if began
        else "this node has not begun with a key yet"
    )


@app.command()
def accept(
    data: DataOption,
    key_file: KeyOption = "",
    draw: Annotated[bool, typer.Option("--draw", help="Make a key where there is none.")] = False,
) -> None:
    """Go on with another key on purpose: the same people get other pseudonyms from now on."""
    found = SiteKey.of(key_file, data)
    try:
        is_another = found.accept(draw=draw)
    except KeyFileError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(_ACCEPTED[is_another])
    for name, what in found.left_behind().items() if is_another is not False else ():
        typer.echo(f"{name}: {what}")


if __name__ == "__main__":
    app()
