# SPDX-License-Identifier: Apache-2.0
"""Options of the command line that all who collect from a site's archive have."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

KEY_HELP = "the site's de-identification key, as Sidelight has it; no other"
DataOption = Annotated[
    Path | None,
    typer.Option(
        help="Sidelight's data directory, for the words the site confirmed; default: the key's"
    ),
]


def hours_of(text: str) -> tuple[int, int]:
    """First hour and the one that ends them, such as ``22-5``; equal ones are the whole day."""
    hours = [int(part) for part in text.split("-") if part.isdigit()]
    if len(hours) != 2 or max(hours) > 23:
        raise typer.BadParameter("hours such as 22-5", param_hint="--between")
    return hours[0], hours[1]


def say_that_it_waits(first: int, last: int, hour: int | None = None) -> None:
    """Say on standard error that collecting begins later, where it does.

    :param hour: of the day now, local time; found out where left out.
    """
    now = datetime.now().astimezone().hour if hour is None else hour
    within = first <= now < last if first < last else now >= first or now < last
    if first != last and not within:
        typer.echo(f"waiting until {first}:00, when the quiet hours begin", err=True)
