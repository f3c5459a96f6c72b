# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts as the configuration names them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from plugin.caller import LONGEST_ACCOUNT

_TOLD_APART = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII)


def _told_apart(name: str) -> str:
    if len(name) > LONGEST_ACCOUNT or "?" in name or not _TOLD_APART.fullmatch(name):
        raise ValueError(
            f"an account is named by 1 to {LONGEST_ACCOUNT} characters of ASCII, without a "
            "question mark and without spaces before or behind: others can't be told apart here"
        )
    return name


Account = Annotated[str, AfterValidator(_told_apart)]
"""Name of an account that is given rights."""
