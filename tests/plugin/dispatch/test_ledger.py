# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a table knows outlives processes and versions."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from plugin.dispatch.ledger import COPIES_FILE, KEPT_SECONDS, ROUTING_FILE, Ledger
from plugin.dispatch.threads import opened
from plugin.queue import QueueError
from tests.plugin.query_plans import plan_of

FORMER_ROUTING = """
CREATE TABLE studies (
    study TEXT PRIMARY KEY, due REAL, noted REAL NOT NULL, version INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE pulled (study TEXT PRIMARY KEY, moment REAL NOT NULL);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO studies VALUES ('waits', 1.0, 1.0, 4), ('decided', NULL, 1.0, 2);
INSERT INTO pulled VALUES ('digest', 1.0);
INSERT INTO facts VALUES ('last-change', '4711'), ('pull-nightly', '1.0');
"""
FORMER_COPIES = """
CREATE TABLE copied (
    door TEXT NOT NULL, instance TEXT NOT NULL, content TEXT NOT NULL, study TEXT NOT NULL,
    ended TEXT NOT NULL, moment REAL NOT NULL, PRIMARY KEY (door, instance, content)
);
CREATE INDEX copied_study ON copied (study, door);
INSERT INTO copied VALUES ('copy-a', 'i', 'md5', 's', 'sent', 1.0), ('copy-a', 'j', 'm', 's',
    'dropped', 1.0);
"""


def former(folder: Path, name: str, *statements: str) -> str:
    """A file of the former version; the queue's path beside it."""
    with sqlite3.connect(folder / name) as db:
        for statement in statements:
            db.executescript(statement)
    return str(folder / "queue.sqlite")


def test_a_routing_file_of_the_former_version_is_read(tmp_path: Path) -> None:
    ledger = Ledger.of_routing(former(tmp_path, ROUTING_FILE, FORMER_ROUTING))
    assert ledger.due() == [("waits", 4)]
    assert (ledger.fact("last-change"), ledger.fact("pull-nightly")) == ("4711", "1.0")
    assert not ledger.is_new("digest")
    ledger.stable_again(["decided"])
    assert {study for study, _ in ledger.due()} == {"waits", "decided"}


def test_a_copies_file_of_the_former_version_is_read(tmp_path: Path) -> None:
    queue = former(tmp_path, COPIES_FILE, FORMER_ROUTING, FORMER_COPIES)
    ledger = Ledger.of_copies(queue)
    assert ledger.has_copied("copy-a", "i", "md5")
    assert not ledger.has_copied("copy-a", "i", "another")
    assert ledger.copies("s", "copy-a") == {"sent": 1, "dropped": 1, "review": 0}
    assert ledger.fact("last-change") == "4711"


def test_what_is_stable_is_due_and_of_strangers_only_where_asked(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / ROUTING_FILE)
    ledger.note("known", 3600.0)
    ledger.stable_again(["known", "stranger"])
    assert ledger.due() == [("known", 1)]
    ledger.stable(["stranger"])
    assert ledger.due() == [("known", 1), ("stranger", 0)]
    ledger.decided("stranger", 0)
    ledger.stable(["stranger"])
    assert ("stranger", 1) in ledger.due()


def test_a_decision_for_an_older_version_leaves_the_study_due(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / ROUTING_FILE)
    ledger.stable(["s"])
    ledger.stable(["s"])
    ledger.decided("s", 0)
    assert ledger.due() == [("s", 1)]
    ledger.later("s", 1, 60.0)
    assert ledger.due() == []


def test_a_disk_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def opens() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise QueueError("disk I/O error")
        return "open"

    monkeypatch.setattr("plugin.dispatch.threads.TROUBLE_SECONDS", 0.0)
    assert opened("routing", opens) == "open"


def test_what_is_due_and_what_is_old_is_found_by_an_index(tmp_path: Path) -> None:
    ledger = Ledger.of_routing(former(tmp_path, ROUTING_FILE, FORMER_ROUTING))
    for ask in (ledger.due, ledger.tidy):
        steps = plan_of(ledger._file, ask)
        assert steps
        assert not [one for one in steps if one.startswith("SCAN")]
        assert not [one for one in steps if "TEMP B-TREE" in one]


def test_quiet_studies_are_forgotten_and_what_is_done_once_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / COPIES_FILE)
    ledger.stable(["decided", "waits"])
    ledger.revisit(["decided"], 0.0)
    ledger.decided("decided", 0)
    ledger.revisit(["decided"], 0.0)
    ((_, version),) = [one for one in ledger.due() if one[0] == "decided"]
    ledger.decided("decided", version)
    ledger.judge("study", "state", "{}")
    ledger.copied("copy-a", "decided", [("i", "md5")], "sent")
    ledger.pulled("digest")
    ledger.begin("digest")
    ledger.remember_prior("1.2.3")
    later = time.time() + KEPT_SECONDS + 1.0
    ledger.tidy()
    assert ledger.is_revisit("decided", version)
    monkeypatch.setattr("time.time", lambda: later)
    ledger.tidy()
    assert [study for study, _ in ledger.due()] == ["waits"]
    assert not ledger.is_revisit("decided", version)
    assert ledger.judgement("study") is None
    assert ledger.has_copied("copy-a", "i", "md5")
    assert not ledger.is_new("digest")
    assert ledger.is_begun("digest")
    assert ledger.is_prior("1.2.3")
