# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight copies``: the table of copies, checked before Orthanc reads it, and backfills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deid import DeidentificationError
from deid.profile_files import load
from plugin.configuration.copy_table import CopyRule, check_copies, read_copies
from plugin.configuration.table_file import TableError
from plugin.rest_client import URL_OPTION, USER_OPTION, RestClient

BACKFILL = "/sidelight/copies/backfill"

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


@app.command("backfill")
def backfill(
    rules: Annotated[
        list[str], typer.Option("--rule", help="name of a rule; again for another; all if none")
    ] = [],  # noqa: B006 - typer makes a list of its own
    first: Annotated[str, typer.Option("--from", help="Study Date from, 2025-01-31")] = "",
    last: Annotated[str, typer.Option("--until", help="Study Date until")] = "",
    most: Annotated[int, typer.Option(help="end after so many studies with something new")] = 1000,
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
) -> None:
    """Have the rules run over what is stored already; Orthanc does it when nothing else is due."""
    asked = {"rules": rules, "from": first or None, "until": last or None, "most": most}
    _say(RestClient(url, user).post(BACKFILL, asked))


@app.command("progress")
def progress(
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
) -> None:
    """How far the latest backfill is."""
    _say(RestClient(url, user).get(BACKFILL))


@app.command("stop")
def stop_backfill(
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
) -> None:
    """End a backfill; what waits to be sent is still sent."""
    _say(RestClient(url, user).post(f"{BACKFILL}/stop"))


def _say(answer: dict[str, Any]) -> None:
    one = answer["backfill"]
    if one is None:
        typer.echo("there was no backfill yet")
        return
    studies = one["studies"]
    typer.echo(
        f"backfill {one['id']} ({', '.join(one['rules'])}): {one['status']};"
        f" {studies['waiting']} of {studies['found']} studies to look at,"
        f" {studies['taken']} with something new, {one['deliveries']} deliveries"
    )


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
