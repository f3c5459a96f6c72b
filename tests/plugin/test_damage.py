# SPDX-License-Identifier: AGPL-3.0-or-later
"""Damaged files of the data directory: named, with what to do, and nothing else stands still."""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plugin import damage
from plugin.anatomy.ledger import AnatomyLedger
from plugin.archive import Archive
from plugin.configuration import Configuration
from plugin.doors.errors import OutboxError
from plugin.doors.outbox import Outbox
from plugin.handover import Handover
from plugin.queue_file import QueueError, QueueFile
from plugin.routing.services import RoutedGate
from plugin.site_key import SiteKey
from plugin.web import assembly
from plugin.worker.assembly import _after_noting, assemble

NAMES = (
    "anatomy.sqlite", "anatomy_words.sqlite", "copies.sqlite", "deid-review-audit.sqlite",
    "deid-review.sqlite", "outbox.sqlite", "reviews.sqlite", "routing.sqlite",
    "standard_headers.sqlite", "study_sums.sqlite",
)  # fmt: skip
APPLICATIONS = """
[[application]]
name = "follow-up"
scan = { modalities = ["DX"], regions = ["chest"] }
destination = { kind = "node", modality = "node" }
"""
COPIES = """
[[copy]]
name = "research"
at = "instance"
when = { modalities = ["DX"] }
destination = { kind = "folder", path = "FOLDER" }
"""


def spoil(path: Path) -> None:
    path.write_bytes(b"garbage!" * 1024)


@pytest.fixture
def handover(tmp_path: Path) -> Handover:
    """A node that uses all of the files."""
    data = tmp_path / "data"
    data.mkdir()
    SiteKey.of("", data).read()
    (tmp_path / "applications.toml").write_text(APPLICATIONS, encoding="utf-8")
    copies = COPIES.replace("FOLDER", str(data))
    (tmp_path / "copies.toml").write_text(copies, encoding="utf-8")
    section = {
        "Applications": {"Table": str(tmp_path / "applications.toml")},
        "Copies": {"Table": str(tmp_path / "copies.toml")},
        "DeidentificationReview": {"Reviewers": ["reader"]},
        "Standardization": {"Mode": "arrival"},
    }
    return Handover(
        orthanc_url="http://127.0.0.1:9",
        authorization="",
        queue_file=str(data / "queue.sqlite"),
        key_file=str(data / "deidentification.key"),
        inference_url="http://127.0.0.1:9",
        web_socket="",
        stable_age=1.0,
        configuration=Configuration.model_validate(section),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    spoil(tmp_path / name)
    (said,) = damage.problems(tmp_path)
    assert said.startswith(f"{name} is damaged (")
    assert f"move {name}* away" in said
    assert str(tmp_path) not in said


def test_files_that_are_whole_absent_or_busy_are_no_problem(tmp_path: Path) -> None:
    QueueFile(tmp_path / "outbox.sqlite").append("CREATE TABLE one (n INTEGER)", ())
    other = sqlite3.connect(tmp_path / "outbox.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert damage.problems(tmp_path) == []
    other.close()


def test_without_the_decisions_about_what_must_not_leave_nobody_is_told_to_go_on(
    tmp_path: Path,
) -> None:
    spoil(tmp_path / "deid-review.sqlite")
    (said,) = damage.problems(tmp_path)
    assert "put its backup there, start it again" in said


def test_a_file_that_took_the_place_of_a_damaged_one_is_used_without_a_new_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.sqlite"
    file = QueueFile(path, "CREATE TABLE IF NOT EXISTS one (n INTEGER)")
    spoil(path)
    with pytest.raises(QueueError, match=r"^a\.sqlite is damaged"):
        file.read("SELECT * FROM one")
    path.unlink()
    assert file.read("SELECT * FROM one") == []


def test_a_question_to_a_file_that_was_made_before_waits_for_no_writer(tmp_path: Path) -> None:
    schema = "CREATE TABLE IF NOT EXISTS one (n INTEGER)"
    with QueueFile(tmp_path / "a.sqlite", schema).transaction():
        started = time.monotonic()
        assert QueueFile(tmp_path / "a.sqlite", schema).read("SELECT * FROM one") == []
        assert time.monotonic() - started < 5.0  # a writer is waited for up to ten seconds


def test_a_file_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path) -> None:
    first = "CREATE TABLE IF NOT EXISTS one (n INTEGER)"
    QueueFile(tmp_path / "a.sqlite", first).read("SELECT * FROM one")
    later = f"{first};\nCREATE TABLE IF NOT EXISTS two (n INTEGER);\n"
    assert QueueFile(tmp_path / "a.sqlite", later).read("SELECT * FROM two") == []


def test_a_web_process_whose_files_are_damaged_answers_all_the_same(handover: Handover) -> None:
    data = Path(handover.queue_file).parent
    for name in NAMES:
        spoil(data / name)
    gate = RoutedGate.to(handover.inference_url, "", 1.0)
    made = assembly.services(handover, Archive(handover.orthanc_url, ""), gate)
    said = assembly.status(gate, made)
    assert "outbox.sqlite is damaged" in said["deliveries"]["error"]
    assert "anatomy.sqlite is damaged" in said["anatomy"]["error"]
    assert made.routing is not None
    assert made.copies is not None


def test_a_worker_whose_files_are_damaged_starts(handover: Handover) -> None:
    data = Path(handover.queue_file).parent
    for name in (*NAMES, "queue.sqlite"):
        spoil(data / name)
    assemble("worker-0", handover)


def test_no_scan_waits_for_a_damaged_list_of_doubts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(tmp_path / "anatomy.sqlite")
    unused: Any = None
    noted = _after_noting(unused, unused, AnatomyLedger(tmp_path / "anatomy.sqlite"))
    scan: Any = SimpleNamespace(job=SimpleNamespace(series="s1"))
    known: Any = SimpleNamespace(review="")
    with caplog.at_level(logging.ERROR):
        noted(scan, known)
        noted(scan, known)
    assert len(caplog.records) == 1
    assert "anatomy.sqlite is damaged" in caplog.text


def test_deliveries_wait_for_a_damaged_outbox(tmp_path: Path) -> None:
    """That a scan is done before its deliveries are noted would lose them."""
    spoil(tmp_path / "outbox.sqlite")
    with pytest.raises(OutboxError, match=r"outbox\.sqlite is damaged"):
        Outbox(tmp_path / "outbox.sqlite").note([])
