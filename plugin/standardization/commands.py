# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight standardize``: what standard headers change in an archive, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plugin.configuration.standard_entries import read_standard_entries
from plugin.configuration.standardization import ArrivalAttribute
from plugin.configuration.table_file import TableError
from plugin.rest_client import URL_OPTION, USER_OPTION, RestClient, stop
from plugin.standardization.report import Report, look_through
from plugin.standardization.way_back import Outcome, restore_all

app = typer.Typer(
    help="Standard headers: what they change, and the way back.", no_args_is_help=True
)

_KEYWORDS: tuple[ArrivalAttribute, ...] = (
    "BodyPartExamined",
    "SeriesDescription",
    "StudyDescription",
)


@app.callback()
def standardize() -> None:
    """Standard headers: what they change, and the way back."""


@app.command("report")
def report(
    table: Annotated[
        Path | None, typer.Option(help="your table of standard entries; else the shipped one")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="lines of the lists of spellings")] = 30,
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
) -> None:
    """Count what standard headers say of all series: by rule, by spelling, and what none knows."""
    try:
        known = read_standard_entries(str(table.resolve()) if table else "")
    except TableError as error:
        raise stop(str(error)) from None
    progress = Console(stderr=True)
    found = look_through(RestClient(url, user), lambda count: progress.print(f"{count} series …"))
    console = Console(width=140)
    console.print(
        f"{found.series} series of images, {found.scans} scans with a standard header, "
        f"{found.copies} copies"
    )
    for reason, count in sorted(found.arrived.items()):
        console.print(f"{count} scans changed at arrival: {reason}")
    if found.unreadable:
        console.print(f"{found.unreadable} standard headers of another version: analyse again")
    if not found.scans:
        console.print("Standardization.Mode is off, nothing was analysed since, or no rule holds")
    console.print(_rules(found))
    columns = Table("Body Part Examined", "standard", "series")
    _spellings(console, columns, found.parts, found.common, most)
    unknown: dict[tuple[str, ...], int]
    unknown = {(said,): count for said, count in found.unknown(known).items()}
    columns = Table("no term, no spelling of the table", "series")
    _spellings(console, columns, unknown, found.common, most)


@app.command("restore")
def restore(
    source: Annotated[
        Path, typer.Argument(exists=True, help="DICOM file, or folder of them at any depth")
    ],
    out: Annotated[Path, typer.Option(help="folder to write to; nothing in it is written over")],
) -> None:
    """Write files with the headers that they had before they were made standard at arrival."""
    if out.resolve() == source.resolve():
        raise stop("--out is the folder that is read: name another one")
    try:
        counts = restore_all(source, out)
    except OSError as error:
        raise stop(f"files can't be read or written ({type(error).__name__})") from None
    console = Console()
    for outcome in Outcome:
        if counts[outcome]:
            console.print(f"{counts[outcome]} {outcome.value}")
    if not counts.total():
        raise stop("no file there")
    if counts[Outcome.UNREADABLE] or counts[Outcome.THERE]:
        raise typer.Exit(1)


def _rules(found: Report) -> Table:
    table = Table("rule", "scans", "differ", *_KEYWORDS)
    for name, rule in sorted(found.rules.items(), key=lambda item: -item[1].scans):
        counts = (rule.scans, rule.differ, *(rule.attributes[key] for key in _KEYWORDS))
        table.add_row(name, *map(str, counts))
    return table


def _spellings(
    console: Console,
    table: Table,
    counts: Mapping[tuple[str, ...], int],
    common: set[str],
    most: int,
) -> None:
    """Those that several patients have, the most frequent first; how many others there are."""
    often = [(words, count) for words, count in counts.items() if words[0] in common]
    shown = sorted(often, key=lambda item: (-item[1], item[0]))[:most]
    for words, count in shown:
        # Text: what stands in a header is no mark-up.
        table.add_row(*(Text(word or "(none)") for word in words), str(count))
    console.print(table)
    if left := len(counts) - len(shown):
        console.print(f"and {left} more: each of one patient only, or beyond --most")
