# SPDX-License-Identifier: Apache-2.0
"""Quiet hours as an option of the command line says them."""

from __future__ import annotations

import typer


def hours_of(text: str) -> tuple[int, int]:
    """First hour and the one that ends them, such as ``22-5``; equal ones are the whole day."""
    hours = [int(part) for part in text.split("-") if part.isdigit()]
    if len(hours) != 2 or max(hours) > 23:
        raise typer.BadParameter("hours such as 22-5", param_hint="--between")
    return hours[0], hours[1]
