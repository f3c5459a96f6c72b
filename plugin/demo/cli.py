# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight demo``; as a module (``python -m plugin.demo.cli``) the whole command line."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from plugin.commands import main
from plugin.demo.run import DemoError, run
from plugin.demo.server import OrthancStartError

app = typer.Typer(help="Show the whole line on this machine, with sample scans.")


@app.callback(invoke_without_command=True)
def demo(
    once: bool = typer.Option(False, "--once", help="End after the table."),
) -> None:
    """Start an Orthanc on loopback with Sidelight, send sample scans, and show the results."""
    # Into a file or a log the tables are as wide as they need to be.
    console = Console() if sys.stdout.isatty() else Console(width=150)
    try:
        run(once=once, console=console)
    except (DemoError, OrthancStartError) as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    main()
