# SPDX-License-Identifier: Apache-2.0
"""Where pass-phrases come from: the environment, or whoever sits at the terminal."""

from __future__ import annotations

import os

import typer

from deid.errors import VaultAccessError


def passphrase_of(holder: str, new: bool = False) -> str:
    """The pass-phrase of a role, or of a link file.

    Parameters
    ----------
    holder:
        A role, or ``"link"``: the environment variable is ``SIDELIGHT_VAULT_`` and its capitals.
    new:
        Whether it is a new one, to be typed twice.

    Raises
    ------
    VaultAccessError
        If there is neither a variable nor a terminal.
    """
    variable = f"SIDELIGHT_VAULT_{holder.upper()}"
    given = os.environ.get(variable)
    if given:
        return given
    try:
        return str(
            typer.prompt(f"Pass-phrase ({holder})", hide_input=True, confirmation_prompt=new)
        )
    except typer.Abort:
        raise VaultAccessError(f"no pass-phrase: set {variable}, or type it") from None
