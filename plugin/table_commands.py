# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight tables``: the tables that an admin edits, checked before Orthanc reads them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from plugin.configuration.anatomy_rules import read_anatomy_rules
from plugin.configuration.application_table import (
    ApplicationTable,
    check_secrets,
    read_applications,
)
from plugin.configuration.copy_table import CopyTable, check_copies, read_copies
from plugin.configuration.hanging_table import read_hangings
from plugin.configuration.priority_table import read_priorities
from plugin.configuration.standard_entries import read_standard_entries
from plugin.configuration.table_file import TableError

app = typer.Typer(help="The tables that an admin edits.", no_args_is_help=True)


class Kind(StrEnum):
    """What a table is about."""

    ANATOMY_RULES = "anatomy-rules"
    APPLICATIONS = "applications"
    COPIES = "copies"
    HANGINGS = "hangings"
    PRIORITIES = "priorities"
    STANDARD_ENTRIES = "standard-entries"


def _applications(path: str) -> ApplicationTable:
    table = read_applications(path)
    check_secrets(table)
    return table


def _copies(path: str) -> CopyTable:
    table = read_copies(path)
    check_copies(table)
    return table


_READERS: dict[Kind, Callable[[str], Any]] = {
    Kind.ANATOMY_RULES: read_anatomy_rules,
    Kind.APPLICATIONS: _applications,
    Kind.COPIES: _copies,
    Kind.HANGINGS: read_hangings,
    Kind.PRIORITIES: read_priorities,
    Kind.STANDARD_ENTRIES: read_standard_entries,
}


@app.callback()
def tables() -> None:
    """The tables that an admin edits."""


@app.command("check")
def check(
    kind: Annotated[Kind, typer.Argument(help="what the table is about")],
    file: Annotated[Path, typer.Argument(help="the table, TOML")],
) -> None:
    """Say what a table holds, or every mistake in it, a line each (exit code 1)."""
    try:
        table = _READERS[kind](str(file.resolve()))
    except TableError as error:
        for line in error.mistakes or (str(error),):
            typer.echo(line, err=True)
        raise typer.Exit(1) from None
    for key, entries in table.model_dump(by_alias=True).items():
        if isinstance(entries, list | tuple):
            names = [one.get("name") or one.get("standard") or "" for one in entries]
            typer.echo(f"{len(entries)} x {key}: {', '.join(filter(None, names)) or 'none'}")
