# SPDX-License-Identifier: AGPL-3.0-or-later
"""What this node keeps about doubts: series that a person should look at, and rows to train with.

A SQLite file beside the queue. It holds Orthanc identifiers and de-identified headers, and nothing
of the patient. Whether a series is flagged is said by its metadata in Orthanc, which is replicated
and deleted with it; the list here makes counting cheap, and searching where Orthanc can't.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from plugin.anatomy.agreement import Taught
from plugin.queue_file import QueueFile

FILE_NAME = "anatomy.sqlite"
MOST_ROWS = 100_000
"""Rows kept for training, the oldest go: more would not make a better model of one site."""

MOST_FLAGGED = 100_000
"""Flagged series that are listed, the oldest are left out."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS flagged (series TEXT PRIMARY KEY, since REAL NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS heard (
    series TEXT NOT NULL, regions TEXT NOT NULL, noted REAL NOT NULL, PRIMARY KEY (series, regions)
);
CREATE TABLE IF NOT EXISTS lessons (
    series TEXT NOT NULL,
    teaches TEXT NOT NULL,
    row TEXT NOT NULL,
    noted REAL NOT NULL,
    PRIMARY KEY (series, teaches)
);
CREATE INDEX IF NOT EXISTS heard_noted ON heard (noted);
CREATE INDEX IF NOT EXISTS lessons_noted ON lessons (noted)
"""

_FORGET_OLDEST = """
DELETE FROM {table} WHERE rowid IN (
    SELECT rowid FROM {table} ORDER BY noted LIMIT max(0, (SELECT count(*) FROM {table}) - ?)
)
"""


@dataclass(frozen=True)
class Lesson:
    """A row to train with: the model it teaches, and columns with their values."""

    teaches: Taught
    row: Mapping[str, str]


class AnatomyLedger:
    """The file at ``path``, from any thread of any process.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._file = QueueFile(path, _SCHEMA)

    @classmethod
    def beside(cls, queue_file: str) -> AnatomyLedger:
        """The ledger that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME))

    def flag(self, series: str) -> None:
        """Note that a person should look at a series."""
        self._file.append("INSERT OR IGNORE INTO flagged VALUES (?, ?)", (series, time.time()))

    def clear(self, series: str) -> None:
        """A person has looked, or the doubt is gone."""
        if self._file.read("SELECT 1 FROM flagged WHERE series = ?", (series,)):
            self._file.append("DELETE FROM flagged WHERE series = ?", (series,))

    def flagged(self, limit: int) -> list[str]:
        """Series that are flagged, the latest first."""
        query = "SELECT series FROM flagged ORDER BY since DESC, series LIMIT ?"
        return [str(row[0]) for row in self._file.read(query, (limit,))]

    def swept(self) -> float | None:
        """When all series of Orthanc were last looked through; seconds of the epoch, or never."""
        found = self._file.read("SELECT value FROM facts WHERE name = 'swept'")
        return float(found[0][0]) if found else None

    def sweep(self, series: Iterable[str]) -> None:
        """Note all series that were found flagged when all were looked through."""
        now = time.time()
        with self._file.transaction() as db:
            rows = [(one, now) for one in series]
            db.executemany("INSERT OR IGNORE INTO flagged VALUES (?, ?)", rows)
            db.execute("INSERT OR REPLACE INTO facts VALUES ('swept', ?)", (now,))

    def count(self) -> int:
        """How many series are flagged."""
        return int(self._file.read("SELECT count(*) FROM flagged")[0][0])

    def may_hear(self, series: str, regions: str, most: int) -> bool:
        """Whether a series was never asked again for this, and fewer than ``most`` times in all.

        Args:
            regions: what its siblings say now, or how many there are.
        """
        rows = self._file.read("SELECT regions FROM heard WHERE series = ?", (series,))
        return len(rows) < most and (regions,) not in [tuple(row) for row in rows]

    def hears(self, series: str, regions: str) -> None:
        """A series is asked again, since its siblings say this now."""
        with self._file.transaction() as db:
            values = (series, regions, time.time())
            db.execute("INSERT OR REPLACE INTO heard VALUES (?, ?, ?)", values)
            db.execute(_FORGET_OLDEST.format(table="heard"), (MOST_ROWS,))

    def learn(self, series: str, lesson: Lesson) -> None:
        """Keep a row, in place of an earlier one of the same series for the same model."""
        values = (series, lesson.teaches, json.dumps(dict(lesson.row)), time.time())
        with self._file.transaction() as db:
            db.execute("INSERT OR REPLACE INTO lessons VALUES (?, ?, ?, ?)", values)
            db.execute(_FORGET_OLDEST.format(table="lessons"), (MOST_ROWS,))

    def forget(self, series: str, teaches: Taught) -> None:
        """The rules don't want this series for training any more."""
        query = "SELECT 1 FROM lessons WHERE series = ? AND teaches = ?"
        if self._file.read(query, (series, teaches)):
            statement = "DELETE FROM lessons WHERE series = ? AND teaches = ?"
            self._file.append(statement, (series, teaches))

    def correct(self, series: str, said: Mapping[str, str] | None) -> None:
        """A reviewer has spoken about a series: the rows of it say so, or nothing.

        Args:
            said: columns that a reviewer's word puts in place of a witness's; None: the word was
                withdrawn, and the series' next analysis puts rows aside again.
        """
        query = "SELECT teaches, row FROM lessons WHERE series = ?"
        for teaches, text in self._file.read(query, (series,)):
            if said is None:
                self.forget(series, teaches)
            else:
                self.learn(series, Lesson(teaches, {**json.loads(text), **said}))

    def lessons(self, teaches: Taught) -> Iterator[dict[str, str]]:
        """Rows for one model, the oldest first, without identifiers."""
        query = "SELECT row FROM lessons WHERE teaches = ? ORDER BY noted, series"
        for (text,) in self._file.read(query, (teaches,)):
            yield json.loads(text)

    def lesson_counts(self) -> dict[str, int]:
        """How many rows there are for each model."""
        rows = self._file.read("SELECT teaches, count(*) FROM lessons GROUP BY teaches")
        return {"metadata": 0, "pixels": 0} | {str(name): int(count) for name, count in rows}
