# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which version of Sidelight can work with a data directory: a number in the file ``format``.

The number grows with a version that an earlier one must not follow, since it could not read what is
kept, or would do something twice. Tables and columns that an earlier version leaves alone are no
reason.
"""

from __future__ import annotations

import os
from pathlib import Path

FILE_NAME = "format"
FORMAT = 1


class NewerFormatError(RuntimeError):
    """A newer version has worked with the data directory; says what to do."""


def take(data: Path) -> None:
    """See that this version may work with a data directory, and note that it has.

    Raises:
        NewerFormatError: it may not.
        OSError: the directory can't be read or written.
    """
    kept = data / FILE_NAME
    known = _read(kept)
    if known > FORMAT:
        raise NewerFormatError(
            f"the data directory was written by a newer version of Sidelight (its {FILE_NAME} is "
            f"{known}, this version knows {FORMAT}): install that version again, or restore the "
            "data directory from a backup of before"
        )
    if known < FORMAT:
        partial = kept.with_name(f".{FILE_NAME}.{os.getpid()}")
        partial.write_text(f"{FORMAT}\n", encoding="ascii")
        partial.rename(kept)


def _read(kept: Path) -> int:
    """The number; 0 where there is none, as every version before the first number left it."""
    try:
        text = kept.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isascii() and text.isdecimal() else 0
