# SPDX-License-Identifier: Apache-2.0
"""CSV files as rows of text, with messages that name the row and the column."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from inference.heatmap.datasets.labelled import DatasetError

Row = Mapping[str, str]


def header_of(path: Path) -> tuple[str, ...]:
    """Names of the columns.

    Raises
    ------
    DatasetError
        The file can't be read or is empty.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), None)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path.name} cannot be read as CSV in UTF-8") from error
    if not header:
        raise DatasetError(f"{path.name} is empty")
    return tuple(name.strip() for name in header)


def rows_of(path: Path, required: Iterable[str]) -> Iterator[tuple[int, Row]]:
    """Numbered rows, the first data row being 2 as in a spreadsheet.

    Raises
    ------
    DatasetError
        The file can't be read, or a required column is missing.
    """
    header = header_of(path)
    missing = [name for name in required if name not in header]
    if missing:
        raise DatasetError(f"{path.name} lacks the column {', '.join(missing)}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            next(reader)
            for number, values in enumerate(reader, start=2):
                if any(value.strip() for value in values):
                    padded = [*values, *[""] * (len(header) - len(values))]
                    yield number, dict(zip(header, map(str.strip, padded), strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path.name} cannot be read as CSV in UTF-8") from error


def label(value: str, where: str) -> float:
    """1 (present), 0 (absent) or nan (nothing, or -1 for uncertain).

    Raises
    ------
    DatasetError
        Anything else.
    """
    if value == "":
        return math.nan
    try:
        number = float(value)
    except ValueError:
        number = math.inf
    if number == -1.0:
        return math.nan
    if number not in (0.0, 1.0):
        raise DatasetError(f"{where}: a label is 1, 0, -1 (uncertain) or nothing")
    return number


def length(value: str, where: str) -> float:
    """A finite coordinate in pixels; raises DatasetError for anything else."""
    return finite(value, f"{where}: a coordinate is a number of pixels")


def finite(value: str, otherwise: str) -> float:
    """A finite number; raises DatasetError with the message ``otherwise`` for anything else."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DatasetError(otherwise)
    return number
