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
from plugin.anatomy.lessons import LABEL, MODEL, PATIENT, SOURCE, STATION, WEIGHT
from plugin.collecting.answering import counts

FILE_NAME, TABLE_NAME = "headers.sqlite", "headers.csv"
_FIRST = tuple(name for name in LESSON_COLUMNS if name != LABEL)
COLUMNS = (STATION, PATIENT, *_FIRST, LABEL, SOURCE, MODEL, WEIGHT)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS headers (series TEXT PRIMARY KEY, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_POSITION, _NIGHT, _TAKEN, _OVER = "position", "night", "taken", "over"
_ANSWERING = "answering"
_REMEMBER = "INSERT OR REPLACE INTO facts VALUES (?, ?)"


def notebook_folder(data: Path) -> Path:
    """Where a node's rows of quiet hours lie, by its data directory."""
    return data / "headers"


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
        return int(self._fact(_POSITION) or 0)

    def reached(self, position: int) -> None:
        """Remember how far the listing was gone through."""
        with self._open() as file:
            file.execute(_REMEMBER, (_POSITION, str(position)))

    def taken_in(self, night: str) -> int:
        """How many series were looked at in a night, which is named by its date."""
        kept = self._fact(_NIGHT)
        return int(self._fact(_TAKEN) or 0) if kept == night else 0

    def take(self, night: str) -> None:
        """Count one more series of a night."""
        taken = self.taken_in(night) + 1
        with self._open() as file:
            file.executemany(_REMEMBER, ((_NIGHT, night), (_TAKEN, str(taken))))

    def is_over(self, night: str) -> bool:
        """Whether the whole archive was gone through in a night."""
        return self._fact(_OVER) == night

    def end(self, night: str) -> None:
        """Remember that there is nothing left for a night."""
        with self._open() as file:
            file.execute(_REMEMBER, (_OVER, night))

    @property
    def answering(self) -> dict[str, str]:
        """The models that answered when they were last asked: name and version, by name."""
        return dict(json.loads(self._fact(_ANSWERING) or "{}"))

    def answered_by(self, models: Mapping[str, str]) -> None:
        """Remember which models answer now; those that are not named stay as they were."""
        before = self.answering
        if (now := {**before, **models}) != before:
            with self._open() as file:
                file.execute(_REMEMBER, (_ANSWERING, json.dumps(now)))

    def prune(self, most: int) -> None:
        """Empty the oldest rows where there are more; their series stay known."""
        with self._open() as file:
            file.execute(
                "UPDATE headers SET row = '{}' WHERE rowid IN (SELECT rowid FROM headers"
                " WHERE row <> '{}' ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
                (most,),
            )

    def size(self) -> int:
        """How many rows there are."""
        with self._open() as file:
            found = file.execute("SELECT count(*) FROM headers WHERE row <> '{}'").fetchone()
        return int(found[0])

    def row(self, series: str) -> dict[str, str] | None:
        """The row of a series, empty where it says nothing; None where it was not looked at."""
        with self._open() as file:
            found = file.execute("SELECT row FROM headers WHERE series = ?", (series,)).fetchone()
        return None if found is None else dict(json.loads(found[0]))

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
        """Write the rows as CSV; its path, and how many rows there are by who gave the label.

        Rows that repeat themselves within one station and patient are written once, and those that
        a model labelled which answers no more are left out.
        """
        path = self._folder / TABLE_NAME
        counted: Counter[str] = Counter()
        unfinished = path.with_suffix(".part")
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            for row in self.rows():
                writer.writerow(row)
                counted[row.get(SOURCE, "")] += 1
        unfinished.replace(path)
        return path, counted

    def rows(self) -> Iterator[dict[str, str]]:
        """Rows by pseudonym of their series; those that repeat themselves once.

        Rows that a model labelled which answers no more, or which is not known, are left out.
        """
        seen: set[str] = set()
        answering = self.answering.values()
        with self._open() as file:
            for (text,) in file.execute("SELECT row FROM headers ORDER BY series"):
                if text == "{}" or text in seen:
                    continue
                seen.add(text)
                row: dict[str, str] = json.loads(text)
                if counts(row, answering):
                    yield row

    def outdated(self) -> int:
        """How many rows are left out, since the model that labelled them answers no more."""
        answering = self.answering.values()
        with self._open() as file:
            texts = file.execute("SELECT row FROM headers WHERE row <> '{}'")
            return sum(not counts(json.loads(text), answering) for (text,) in texts)

    def _fact(self, name: str) -> str | None:
        with self._open() as file:
            found = file.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._folder / FILE_NAME)) as file, file:
                yield file
        except sqlite3.Error as error:
            raise NotebookError(f"the file of headers: {type(error).__name__}") from None
