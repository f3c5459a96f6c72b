# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that hold one secret, named in a table so that the table itself holds none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plugin.configuration.table_file import TableError

_FILE_KEYS = ("token_file", "authorization_file", "certificate_authority")


def read_secret(path: str) -> str:
    """The one line of a file that holds a secret; empty where no file is named.

    Raises:
        TableError: it can't be read.
    """
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: can't be read ({type(error).__name__})") from None


def unreadable_files(destination: object) -> Iterator[str]:
    """The keys of a destination that name a file that can't be read, with the reason."""
    for key in _FILE_KEYS:
        try:
            read_secret(getattr(destination, key, ""))
        except TableError as error:
            yield f"destination.{key} = {error}"
