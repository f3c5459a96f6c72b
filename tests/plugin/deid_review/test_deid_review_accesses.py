# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whoever is shown an original is kept for good, before it is shown."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deid import DeidentificationKey
from deid.errors import VaultError
from plugin.deid_review.accesses import AccessAudit, Seen, Shown
from plugin.deid_review.desk import NotAReviewerError
from plugin.review.commands import app
from tests.plugin.deid_review.reviewed import Reviewed
from tests.plugin.deid_review.served import Account

FILE = "deid-review-audit.sqlite"


@pytest.fixture
def node(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path)


def looks(node: Reviewed) -> list[Seen]:
    return node.desk.accesses.after(0)


def test_a_picture_and_the_values_that_are_shown_are_kept_with_who_when_and_which(
    node: Reviewed,
) -> None:
    item = node.waiting()
    anna, ben = Account(node, "anna"), Account(node, "ben")
    assert anna.get(f"/reviews/{item.id}").status_code == 200
    assert ben.get(f"/reviews/{item.id}/original?frame=3").status_code == 200
    assert anna.get(f"/reviews/{item.id}/result").status_code == 200
    first, second = looks(node)
    assert (first.by, first.sight.kind, first.sight.item) == ("anna", Shown.VALUES, item.id)
    assert (second.by, second.sight.kind) == ("ben", Shown.PICTURE)
    assert second.sight.resource == item.subject.resource
    assert (second.sight.frame, second.sight.reason) == (1, "burned-in-annotation")
    assert second.at.endswith("+00:00")


def test_nobody_without_an_account_that_reviews_is_shown_anything(node: Reviewed) -> None:
    item = node.waiting()
    for name in ("", "cora", "carl"):
        for place in ("", "/original", "/result"):
            assert Account(node, name).get(f"/reviews/{item.id}{place}").status_code == 403
    look = node.desk.look(item)
    with pytest.raises(NotAReviewerError):
        node.desk.original_picture(look, 1, 100, "")
    with pytest.raises(NotAReviewerError):
        node.desk.tags(look, "carl")
    assert looks(node) == []


def test_the_audit_is_read_by_those_who_are_named_for_it_alone(node: Reviewed) -> None:
    item = node.waiting()
    for _ in range(3):
        Account(node, "anna").get(f"/reviews/{item.id}/original")
    for name in ("", "anna", "carl"):
        answer = Account(node, name).get("/audit")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-an-auditor")
    page = Account(node, "cora").get("/audit?after=1&limit=1").json()
    (record,) = page["records"]
    assert record == {
        "number": 2, "at": record["at"], "by": "anna", "kind": "original picture",
        "item": item.id, "resource": item.subject.resource, "frame": 1,
        "reason": "burned-in-annotation",
    }  # fmt: skip


def test_nothing_is_shown_where_it_can_not_be_kept(
    node: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = node.waiting()

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("deid.vault.audit.Audit.add", full)
    for place in ("", "/original"):
        answer = Account(node, "anna").get(f"/reviews/{item.id}{place}")
        assert answer.status_code == 503
        assert b"PNG" not in answer.content
        assert "Fenwick" not in answer.text


def test_no_record_can_be_changed_or_removed_unseen(node: Reviewed) -> None:
    item = node.waiting()
    for _ in range(3):
        Account(node, "anna").get(f"/reviews/{item.id}")
    file = sqlite3.connect(node.folder / FILE)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        file.execute("DELETE FROM audit WHERE number = 2")
    file.execute("DROP TRIGGER audit_remains")
    file.execute("DELETE FROM audit WHERE number = 3")
    file.commit()
    with pytest.raises(VaultError, match="last records"):
        node.desk.accesses.after(0)
    with pytest.raises(VaultError, match="last records"):
        node.desk.accesses.after(0, 1)
    answer = Account(node, "cora").get("/audit")
    assert (answer.status_code, answer.json()["code"]) == (503, "audit-unusable")


def test_a_record_taken_from_the_middle_is_missed_on_the_page_that_would_have_it(
    node: Reviewed,
) -> None:
    item = node.waiting()
    for _ in range(4):
        Account(node, "anna").get(f"/reviews/{item.id}")
    file = sqlite3.connect(node.folder / FILE)
    file.execute("DROP TRIGGER audit_remains")
    file.execute("DELETE FROM audit WHERE number = 2")
    file.commit()
    with pytest.raises(VaultError, match="record 2"):
        node.desk.accesses.after(1, 5)
    with pytest.raises(VaultError):
        node.desk.accesses.after(2, 5)


def test_the_file_says_nothing_to_who_has_no_key(node: Reviewed) -> None:
    item = node.waiting()
    Account(node, "anna").get(f"/reviews/{item.id}")
    written = b"".join(path.read_bytes() for path in node.folder.glob(f"{FILE}*"))
    for told in (b"anna", b"original values", item.subject.resource.encode(), b"Fenwick"):
        assert told not in written
    assert stat.S_IMODE((node.folder / FILE).stat().st_mode) == 0o600
    with pytest.raises(VaultError):
        AccessAudit(node.folder / FILE, DeidentificationKey.generate()).after(0)


def test_the_command_checks_and_shows_the_file(node: Reviewed) -> None:
    item = node.waiting()
    Account(node, "anna").get(f"/reviews/{item.id}/original")
    key = ["--key-file", str(node.folder / "key")]
    told = CliRunner().invoke(app, ["looks", "--data", str(node.folder), *key])
    assert told.exit_code == 0
    assert "anna" in told.output
    none = CliRunner().invoke(app, ["looks", "--data", str(node.folder / "none"), *key])
    assert none.exit_code == 1


def test_looks_of_many_threads_are_all_kept_in_one_chain(node: Reviewed) -> None:
    from concurrent.futures import ThreadPoolExecutor

    look = node.desk.look(node.waiting())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: node.desk.tags(look, "anna"), range(20)))
    assert [one.number for one in looks(node)] == list(range(1, 21))
