# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight applications``: the table of applications, checked before Orthanc reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from plugin.configuration.application_table import (
    Application,
    Pull,
    check_secrets,
    read_applications,
    unusual_modalities,
)
from plugin.configuration.table_file import TableError

app = typer.Typer(help="The table of applications.", no_args_is_help=True)


@app.callback()
def applications() -> None:
    """The table of applications."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="table of applications, TOML")],
) -> None:
    """Say what a table means, or what is wrong in it (exit code 1)."""
    try:
        table = read_applications(str(file.resolve()))
        check_secrets(table)
    except TableError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    shown = Table("application", "scans", "priors", "goes to", "gets")
    for one in table.applications:
        shown.add_row(one.name, _scans(one), _priors(one), *_destination(one))
    Console().print(shown)
    for pull in table.pulls:
        served = ", ".join(pull.applications) or "every application and installed model"
        typer.echo(
            f"pull {pull.name}: from {pull.source} for {served}, every {pull.every_minutes} min"
            f" {_hours(pull)},"
            f" {pull.days_back} days back, at most {pull.maximum_studies} studies"
            f"{', and priors' if pull.priors else ''}"
        )
    for said in unusual_modalities(table):
        typer.echo(f"warning: {said}", err=True)


def _hours(pull: Pull) -> str:
    if pull.from_hour == pull.until_hour:
        return "at all hours"
    return f"from {pull.from_hour} to {pull.until_hour} h"


def _scans(one: Application) -> str:
    scan = one.scan
    return " ".join([", ".join(scan.modalities), ", ".join(scan.regions), *scan.views])


def _priors(one: Application) -> str:
    needs = one.needs
    return f"{needs.priors} within {needs.within_days} days" if needs.priors else "none"


def _destination(one: Application) -> tuple[str, str]:
    destination = one.handover
    if destination is None:
        return f"{one.destination.kind}: bundle {one.bundle}", "de-identified scans"
    kept = "originals" if destination.zone == "phi" else "de-identified studies"
    return f"{destination.kind}: {destination.target}", kept
