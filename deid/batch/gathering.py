# SPDX-License-Identifier: Apache-2.0
"""Brings the files of a series together, for what can be judged in whole series alone."""

from __future__ import annotations

from collections.abc import Sequence

from deid.errors import DeidentificationError
from deid.reading import read
from deid.source_files import SourceFile

_SERIES = 0x0020000E


def gathered(files: Sequence[SourceFile]) -> list[list[SourceFile]]:
    """Files by series of CT and MR images; any other file, and what can't be read, by itself.

    Every file is read once for that; they come in the order of the first file of each series.
    """
    groups: dict[object, list[SourceFile]] = {}
    for at, file in enumerate(files):
        groups.setdefault(_series_of(file) or at, []).append(file)
    return list(groups.values())


def _series_of(file: SourceFile) -> str:
    # Here: only who masks faces gathers, and loads what masks them.
    from deid.faces import shows_slices  # noqa: PLC0415

    try:
        original = read(file.read(), pixels=False)
    except DeidentificationError:
        # Whoever processes it will meet the same and say so.
        return ""
    return original.header.text(_SERIES) if shows_slices(original.sop_class) else ""
