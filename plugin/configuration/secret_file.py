# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that hold one secret, named in a table so that the table itself holds none."""

from __future__ import annotations

from pathlib import Path

from plugin.configuration.table_file import TableError


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
