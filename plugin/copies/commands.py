# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight copies``: the table of copies, checked before Orthanc reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deid import DeidentificationError
from deid.profile_files import load
from plugin.configuration.copy_table import CopyRule, check_copies, read_copies
from plugin.configuration.table_file import TableError

app = typer.Typer(help="The table of de-identified copies.", no_args_is_help=True)


@app.callback()
def copies() -> None:
    """The table of de-identified copies."""


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="table of copies, TOML")]) -> None:
    """Say what a table means, or what is wrong in it (exit code 1)."""
    try:
        table = read_copies(str(file.resolve()))
        check_copies(table)
        for rule in table.rules:
            _check_profile(rule)
    except TableError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    shown = Table("copy", "of what", "when", "profile", "results", "goes to")
    for rule in table.rules:
        shown.add_row(
            rule.name,
            _conditions(rule),
            "study is stable" if rule.at == "study" else "instance is there",
            rule.profile or "as Deidentification says",
            f"{rule.results}d",
            f"{rule.destination.kind}: {rule.destination.target}",
        )
    Console(width=140).print(shown)


def _check_profile(rule: CopyRule) -> None:
    if not rule.profile:
        return
    try:
        load(rule.profile)
    except DeidentificationError as error:
        raise TableError(f"copy {rule.name}: profile: {error}") from None


def _conditions(rule: CopyRule) -> str:
    given = [(name, getattr(rule.when, name)) for name in type(rule.when).model_fields]
    said = [f"{name}: {', '.join(map(str, values))}" for name, values in given if values]
    return "; ".join(said) or "everything"
