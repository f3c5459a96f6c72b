# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rows collected so far, so that the next run goes on where this one ended.

It holds de-identified headers, pseudonyms made with the site's key, and nothing else.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from plugin.anatomy.lessons import COLUMNS as LESSON_COLUMNS
from plugin.anatomy.lessons import LABEL

FILE_NAME, TABLE_NAME = "headers.sqlite", "headers.csv"
STATION, PATIENT, SOURCE, WEIGHT = "station", "patient", "label_source", "weight"
_FIRST = tuple(name for name in LESSON_COLUMNS if name != LABEL)
COLUMNS = (STATION, PATIENT, *_FIRST, LABEL, SOURCE, WEIGHT)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS headers (series TEXT PRIMARY KEY, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_POSITION = "position"


class NotebookError(RuntimeError):
    """The file of collected rows can't be read or written."""


class Notebook:
    """A folder with the collected rows.

    Args:
        folder: made if missing, for its owner alone.

    Raises:
        NotebookError: it can't be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise NotebookError(f"the folder of headers: {error.strerror}") from None
        with self._open() as file:
            file.executescript(_SCHEMA)

    @property
    def position(self) -> int:
        """How far the listing of the archive was gone through; 0 is its beginning."""
        with self._open() as file:
            found = file.execute("SELECT value FROM facts WHERE name = ?", (_POSITION,)).fetchone()
        return int(found[0]) if found else 0

    def reached(self, position: int) -> None:
        """Remember how far the listing was gone through."""
        with self._open() as file:
            file.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_POSITION, str(position)))

    def knows(self, series: str) -> bool:
        """Whether a series was looked at; ``series`` is its pseudonym."""
        with self._open() as file:
            asked = file.execute("SELECT 1 FROM headers WHERE series = ?", (series,))
            return asked.fetchone() is not None

    def keep(self, series: str, row: Mapping[str, str]) -> None:
        """Keep the row of a series; an empty one is a series that says nothing."""
        with self._open() as file:
            file.execute("INSERT OR REPLACE INTO headers VALUES (?, ?)", (series, json.dumps(row)))

    def write_table(self) -> tuple[Path, Counter[str]]:
        """Write all rows as CSV; its path, and how many rows there are by who gave the label.

        Rows that repeat themselves within one station and patient are written once.
        """
        path = self._folder / TABLE_NAME
        counted: Counter[str] = Counter()
        unfinished = path.with_suffix(".part")
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            for row in self._rows():
                writer.writerow(row)
                counted[row.get(SOURCE, "")] += 1
        unfinished.replace(path)
        return path, counted

    def _rows(self) -> Iterator[dict[str, str]]:
        seen: set[str] = set()
        with self._open() as file:
            for (text,) in file.execute("SELECT row FROM headers ORDER BY series"):
                if text != "{}" and text not in seen:
                    seen.add(text)
                    yield json.loads(text)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._folder / FILE_NAME)) as file, file:
                yield file
        except sqlite3.Error as error:
            raise NotebookError(f"the file of headers: {type(error).__name__}") from None
