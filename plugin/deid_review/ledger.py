# SPDX-License-Identifier: AGPL-3.0-or-later
"""The items of this node and every decision about them: a SQLite file beside the queue.

Invariants, each held by one transaction that is on the disk when it ends:

- A resource has one item. Other bytes or another way of de-identifying open it anew.
- A decision and the state that it makes are written together. None is ever removed.
- A decision after which a scan has to run again is owed to the queue until the queue has it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plugin.deid_review.records import Decision, Draft, Item, Opened, PixelBox, State, Subject
from plugin.queue_file import QueueFile

FILE_NAME = "deid-review.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    resource TEXT NOT NULL,
    series TEXT NOT NULL,
    study TEXT NOT NULL,
    content TEXT NOT NULL,
    reason TEXT NOT NULL,
    settings TEXT NOT NULL,
    holds INTEGER NOT NULL,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    draft TEXT NOT NULL,
    detections TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    owed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (scope, resource)
);
CREATE INDEX IF NOT EXISTS items_state ON items (state, id);
CREATE INDEX IF NOT EXISTS items_owed ON items (owed) WHERE owed;
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item INTEGER NOT NULL,
    content TEXT NOT NULL,
    action TEXT NOT NULL,
    revision INTEGER NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL,
    reason TEXT NOT NULL,
    draft TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS decisions_item ON decisions (item, id);
CREATE TABLE IF NOT EXISTS terms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    term TEXT NOT NULL,
    list TEXT NOT NULL,
    state TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at TEXT NOT NULL,
    decided_by TEXT NOT NULL DEFAULT '',
    decided_at TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    UNIQUE (term, list)
)
"""

_COLUMNS = (
    "id, scope, resource, series, study, content, reason, settings, holds, state, revision,"
    " draft, detections, opened_at"
)


class ChangedMeanwhileError(RuntimeError):
    """Somebody else has decided since the item was looked at."""


class ReviewLedger:
    """The file at ``path``, from any thread of any process.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        # FULL: what a person decided survives a power failure too.
        self.file = QueueFile(path, _SCHEMA, synchronous="FULL")

    @classmethod
    def beside(cls, queue_file: str) -> ReviewLedger:
        """The ledger that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME))

    def open(self, subject: Subject, opened: Opened) -> Item:
        """The item of a resource, opened where there is none for these bytes and settings."""
        with self.file.transaction() as db:
            known = _of(db, subject)
            if known is not None and _still_holds(known, subject, opened):
                return known
            row = (
                *(subject.scope, subject.resource, subject.series, subject.study, subject.content),
                *(opened.reason.value, opened.settings, int(opened.holds), State.WAITING.value),
                *(opened.draft.model_dump_json(), _boxes_json(opened.detections), timestamp()),
            )
            db.execute(
                "INSERT INTO items (scope, resource, series, study, content, reason, settings,"
                " holds, state, draft, detections, opened_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (scope, resource) DO UPDATE SET series = excluded.series,"
                " study = excluded.study, content = excluded.content, reason = excluded.reason,"
                " settings = excluded.settings, holds = excluded.holds, state = excluded.state,"
                " draft = excluded.draft, detections = excluded.detections,"
                " opened_at = excluded.opened_at, revision = revision + 1, owed = 0",
                row,
            )
            made = _of(db, subject)
        if made is None:
            raise RuntimeError("an item that was written is not there")
        return made

    def of(self, scope: str, resource: str) -> Item | None:
        """The item of a resource."""
        query = f"SELECT {_COLUMNS} FROM items WHERE scope = ? AND resource = ?"  # noqa: S608
        rows = self.file.read(query, (scope, resource))
        return _item(rows[0]) if rows else None

    def item(self, number: int) -> Item | None:
        """The item of this number."""
        query = f"SELECT {_COLUMNS} FROM items WHERE id = ?"  # noqa: S608
        rows = self.file.read(query, (number,))
        return _item(rows[0]) if rows else None

    def items(self, state: State | None, limit: int, after: int = 0) -> list[Item]:
        """Items of one state or all, the oldest first, those after a number."""
        query = (
            f"SELECT {_COLUMNS} FROM items WHERE id > ? AND (? = '' OR state = ?)"  # noqa: S608
            " ORDER BY id LIMIT ?"
        )
        word = state.value if state else ""
        return [_item(row) for row in self.file.read(query, (after, word, word, limit))]

    def counts(self) -> dict[str, int]:
        """Items by state."""
        rows = self.file.read("SELECT state, count(*) FROM items GROUP BY state")
        return {state.value: 0 for state in State} | {row[0]: row[1] for row in rows}

    def decide(self, item: Item, decision: Decision, state: State, *, owed: bool) -> Item:
        """Keep a decision on the item as it was looked at, and what it makes of the item.

        Args:
            owed: whether the scan has to run again.

        Raises:
            ChangedMeanwhileError: the item is not as it was looked at.
        """
        draft = decision.draft.model_dump_json()
        with self.file.transaction() as db:
            cursor = db.execute(
                "UPDATE items SET state = ?, revision = ?, draft = ?,"
                " owed = max(owed, ?), holds = max(holds, ?)"
                " WHERE id = ? AND revision = ? AND state = ? AND content = ?",
                (
                    *(state.value, decision.revision, draft, int(owed)),
                    int(decision.action == "take-back"),
                    *(item.id, item.revision, item.state.value, item.subject.content),
                ),
            )
            if cursor.rowcount != 1:
                raise ChangedMeanwhileError("somebody else has decided meanwhile: look again")
            db.execute(
                "INSERT INTO decisions (item, content, action, revision, by, at, reason, draft)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(item.id, item.subject.content, decision.action, decision.revision),
                    *(decision.by, decision.at, decision.reason, draft),
                ),
            )
        return item.model_copy(
            update={"state": state, "revision": decision.revision, "draft": decision.draft}
        )

    def decisions(self, number: int) -> list[Decision]:
        """All that was decided about an item, in order."""
        rows = self.file.read(
            "SELECT action, revision, by, at, reason, draft FROM decisions"
            " WHERE item = ? ORDER BY id",
            (number,),
        )
        names = ("action", "revision", "by", "at", "reason")
        return [
            Decision(
                **dict(zip(names, row[:5], strict=True)), draft=Draft.model_validate_json(row[5])
            )
            for row in rows
        ]

    def owed(self) -> list[Item]:
        """Items whose scans have to run again and are not in the queue yet."""
        rows = self.file.read(f"SELECT {_COLUMNS} FROM items WHERE owed ORDER BY id")  # noqa: S608
        return [_item(row) for row in rows]

    def paid(self, item: Item) -> None:
        """The queue has the scan, as far as it was decided when ``item`` was read."""
        self.file.append(
            "UPDATE items SET owed = 0 WHERE id = ? AND revision = ? AND state = ?",
            (item.id, item.revision, item.state.value),
        )


def _still_holds(known: Item, subject: Subject, opened: Opened) -> bool:
    """Whether what was decided is on these bytes and this way of de-identifying.

    What a person kept out stays out, however it would be de-identified.
    """
    if known.subject.content != subject.content:
        return False
    if known.state is State.REJECTED:
        return True
    held = known.holds or not opened.holds or known.state is State.ACCEPTED
    return held and known.settings == opened.settings


def timestamp() -> str:
    """Now: UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _of(db: sqlite3.Connection, subject: Subject) -> Item | None:
    query = f"SELECT {_COLUMNS} FROM items WHERE scope = ? AND resource = ?"  # noqa: S608
    row = db.execute(query, (subject.scope, subject.resource)).fetchone()
    return _item(row) if row else None


def _boxes_json(boxes: Sequence[PixelBox]) -> str:
    return Draft(boxes=tuple(boxes)).model_dump_json()


def _item(row: Any) -> Item:
    return Item(
        id=row[0],
        subject=Subject(scope=row[1], resource=row[2], series=row[3], study=row[4], content=row[5]),
        reason=row[6],
        settings=row[7],
        holds=bool(row[8]),
        state=row[9],
        revision=row[10],
        draft=Draft.model_validate_json(row[11]),
        detections=Draft.model_validate_json(row[12]).boxes or (),
        opened_at=row[13],
    )
