# SPDX-License-Identifier: AGPL-3.0-or-later
"""The site's key: made once, and no other in its place unless somebody says so on purpose."""

from __future__ import annotations

import base64
import fcntl
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from deid import DeidentificationKey, KeyFileError
from plugin.archive import Archive
from plugin.configuration import Configuration
from plugin.copies.carrier import Carrier
from plugin.copies.sending import CopySender
from plugin.deid_review import assembly as desk_assembly
from plugin.deid_review.accesses import AccessAudit, Shown, Sight
from plugin.doors.errors import UnreachableError
from plugin.gate import Gate
from plugin.handover import Handover
from plugin.key_commands import app
from plugin.queue import JobQueue, NewJob
from plugin.routing.late_reader import LateReader
from plugin.site_key import KeyWatch, SiteKey
from plugin.worker.reading import reader_for
from plugin.worker.service import WorkerService

OTHER = bytes(range(32))


def handover(data: Path, **section: Any) -> Handover:
    return Handover(
        orthanc_url="http://127.0.0.1:9",
        authorization="",
        queue_file=str(data / "queue.sqlite"),
        key_file=str(data / "deidentification.key"),
        inference_url=f"unix:{data / 'inference.sock'}",
        web_socket=str(data / "web.sock"),
        stable_age=1.0,
        configuration=Configuration.model_validate(section),
    )


@pytest.fixture
def key(tmp_path: Path) -> SiteKey:
    return SiteKey.of("", tmp_path)


def replaced(key: SiteKey) -> None:
    key.file.write_bytes(OTHER)
    key.file.chmod(0o600)


def removed(key: SiteKey) -> None:
    key.file.unlink()


def test_the_first_start_makes_a_key_and_a_fingerprint_that_tells_nothing_of_it(
    key: SiteKey,
) -> None:
    assert key.problem() == ""
    assert not key.file.exists(), "looking at the state makes no key"
    first = key.read().derive("uid")
    assert key.read().derive("uid") == first
    told = key.fingerprint.read_text(encoding="ascii").strip()
    secret = key.file.read_bytes()
    assert secret.hex() not in told
    assert told not in {DeidentificationKey(secret).derive(what).hex() for what in ("uid", "dates")}


@pytest.mark.parametrize("lose", [removed, replaced])
def test_a_lost_key_is_not_replaced_and_the_words_say_what_to_do(
    key: SiteKey, lose: Callable[[SiteKey], None]
) -> None:
    secret = key.read() and key.file.read_bytes()
    lose(key)
    for _ in range(2):
        with pytest.raises(KeyFileError, match=r"restore it from its backup.*sidelight key accept"):
            key.read()
    assert key.problem()
    key.file.write_bytes(secret)
    key.file.chmod(0o600)
    assert key.problem() == ""
    assert key.read().derive("uid") == DeidentificationKey(secret).derive("uid")


def test_where_work_was_done_before_there_were_fingerprints_no_key_is_made(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "queue.sqlite")
    key = SiteKey.of("", tmp_path)
    assert key.problem() == "", "an empty queue is a first start"
    job = NewJob("instance", "a", "b", "c", "d", "e", 0.0)
    with queue._file.transaction() as db:
        db.execute(
            "INSERT INTO jobs (level, resource, content, application, series, study, priority,"
            " arrived) VALUES (?, ?, ?, ?, ?, ?, 0, 0)",
            (job.level, job.resource, job.content, job.application, job.series, job.study),
        )
    assert "missing, and this node has worked with it" in key.problem()
    with pytest.raises(KeyFileError, match="missing"):
        key.read()
    assert not key.file.exists()
    replaced(key)
    key.read()
    assert key.fingerprint.exists(), "a key that is there is the one that it began with"


def test_a_file_that_can_not_be_read_counts_as_work_that_was_done(tmp_path: Path) -> None:
    (tmp_path / "copies.sqlite").write_bytes(b"torn" * 300)
    with pytest.raises(KeyFileError, match="missing"):
        SiteKey.of("", tmp_path).read()


def test_an_archive_that_began_with_the_older_name_of_the_file_keeps_its_key(key: SiteKey) -> None:
    key.read()
    key.fingerprint.rename(key.data / "arrival-key.fingerprint")
    assert key.problem() == ""
    replaced(key)
    with pytest.raises(KeyFileError, match="another key"):
        key.read()
    key.accept()
    assert key.problem() == ""
    assert not (key.data / "arrival-key.fingerprint").exists()


def test_a_key_of_the_environment_is_held_against_the_fingerprint_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_KEY", base64.b64encode(OTHER).decode())
    key = SiteKey.of("env:SITE_KEY", tmp_path)
    key.read()
    assert key.state(), "the arrival process reads it once, and not for every file"
    monkeypatch.setenv("SITE_KEY", base64.b64encode(OTHER[::-1]).decode())
    assert "--key-file env:SITE_KEY" in key.problem()
    monkeypatch.delenv("SITE_KEY")
    assert "SITE_KEY" in key.problem()
    assert not (tmp_path / "env:SITE_KEY").exists()


def test_another_key_is_accepted_on_purpose_only(key: SiteKey) -> None:
    key.read()
    removed(key)
    run, data = CliRunner().invoke, ["--data", str(key.data)]
    assert run(app, ["check", *data]).exit_code == 1
    refused = run(app, ["accept", *data])
    assert (refused.exit_code, "--draw" in refused.output) == (1, True)
    assert not key.file.exists()
    assert run(app, ["accept", "--draw", *data]).exit_code == 0
    assert key.file.stat().st_mode & 0o777 == 0o600
    assert run(app, ["check", *data]).exit_code == 0
    drawn = key.file.read_bytes()
    assert run(app, ["accept", "--draw", *data]).exit_code == 0
    assert key.file.read_bytes() == drawn, "a key that is there is never drawn anew"


def test_no_other_key_is_accepted_while_an_orthanc_runs(key: SiteKey) -> None:
    key.read()
    replaced(key)
    with (key.data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = CliRunner().invoke(app, ["accept", "--data", str(key.data)])
        assert (refused.exit_code, "stop it first" in refused.output) == (1, True)
    assert key.problem()
    assert CliRunner().invoke(app, ["accept", "--data", str(key.data)]).exit_code == 0


def test_who_accepts_another_key_is_told_what_only_the_one_before_opens(key: SiteKey) -> None:
    audit = AccessAudit.beside(str(key.data / "queue.sqlite"), key.read())
    audit.add("anna", Sight(Shown.PICTURE, 1, "a", 1, "burned-in-annotation"))
    replaced(key)
    said = CliRunner().invoke(app, ["accept", "--data", str(key.data)]).output
    assert "deid-review-audit.sqlite: is sealed under the key before" in said


@pytest.mark.parametrize("lose", [removed, replaced])
def test_workers_copies_and_the_review_make_no_key_in_place_of_a_lost_one(
    key: SiteKey, lose: Callable[[SiteKey], None]
) -> None:
    node = handover(key.data, DeidentificationReview={"Reviewers": ["anna"]})
    key.read()
    lose(key)
    before = key.file.read_bytes() if key.file.exists() else b""
    with pytest.raises(KeyFileError):
        reader_for(node, cast("Archive", None), cast("Gate", None))
    with pytest.raises(KeyFileError):
        node.site_key.read()
    desk = desk_assembly.desk(node, cast("Archive", None))
    assert desk is not None
    with pytest.raises(KeyFileError):
        desk()
    assert (key.file.read_bytes() if key.file.exists() else b"") == before


def test_the_review_opens_by_itself_once_the_key_is_there_again(
    key: SiteKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.site_key.AGAIN_SECONDS", 0.05)
    node = handover(key.data, DeidentificationReview={"Reviewers": ["anna"]})
    secret = key.read() and key.file.read_bytes()
    removed(key)
    desk = desk_assembly.desk(node, cast("Archive", None))
    assert desk is not None
    with pytest.raises(KeyFileError):
        desk()
    key.file.write_bytes(secret)
    key.file.chmod(0o600)
    opened = desk()
    assert opened is not None
    assert opened.may_review("anna")


def test_a_process_that_waits_says_why_once_and_goes_on_by_itself(
    key: SiteKey, caplog: pytest.LogCaptureFixture
) -> None:
    secret = key.read() and key.file.read_bytes()
    removed(key)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            key.file.write_bytes(secret)
            key.file.chmod(0o600)

    assert key.awaited(sleep).derive("uid") == DeidentificationKey(secret).derive("uid")
    assert len(waits) == 3
    said = [
        record.message for record in caplog.records if "nothing is de-identified" in record.message
    ]
    assert len(said) == 1


@pytest.mark.parametrize("lose", [removed, replaced])
def test_a_worker_does_nothing_once_its_key_was_taken_away(
    key: SiteKey, lose: Callable[[SiteKey], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.worker.service.TROUBLE_SECONDS", 0.0)
    key.read()
    nobody = cast("Any", None)  # whoever is asked something has none to ask
    worker = WorkerService(
        "w", nobody, nobody, nobody, nobody, nobody, 60.0, nobody, KeyWatch(key).problem
    )
    with pytest.raises(AttributeError):
        worker.step()
    lose(key)
    assert worker.step() is False


def test_copies_and_routes_wait_once_their_key_was_taken_away(key: SiteKey) -> None:
    key.read()
    carrier = Carrier("r", lambda: cast("CopySender", object()), KeyWatch(key).problem)
    late = LateReader(lambda: cast("Any", object()), key)
    carrier.prepare()
    assert late.problem() == ""
    removed(key)
    for ask in (lambda: carrier.load(cast("Any", None)), late.reader):
        with pytest.raises(UnreachableError, match="restore it from its backup"):
            ask()


def test_the_key_of_a_command_is_held_against_the_fingerprint_beside_it(key: SiteKey) -> None:
    with pytest.raises(KeyFileError):
        key.existing()
    assert not key.file.exists()
    key.read()
    assert key.existing()
    replaced(key)
    with pytest.raises(KeyFileError, match="another key"):
        key.existing()


def test_an_empty_table_of_another_file_is_no_work(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "copies.sqlite") as db:
        db.execute("CREATE TABLE copied (x TEXT)")
    assert SiteKey.of("", tmp_path).read()


@pytest.mark.parametrize("text", [b"", b"a1b2", b"\xff" * 64, b"a" * 63 + b"g\n"])
def test_a_damaged_fingerprint_is_not_blamed_on_the_key(key: SiteKey, text: bytes) -> None:
    pseudonym = key.read().derive("uid")
    key.fingerprint.write_bytes(text)
    said = key.problem()
    assert "the fingerprint file" in said
    assert "is damaged: restore it from its backup" in said
    assert "another key" not in said
    done = CliRunner().invoke(app, ["accept", "--data", str(key.data)])
    assert "all pseudonyms stay" in done.output
    assert key.problem() == ""
    assert key.read().derive("uid") == pseudonym


def test_who_accepts_the_key_that_the_node_began_with_is_told_that_nothing_changes(
    key: SiteKey,
) -> None:
    AccessAudit.beside(str(key.data / "queue.sqlite"), key.read()).add(
        "anna", Sight(Shown.PICTURE, 1, "a", 1, "burned-in-annotation")
    )
    (said,) = CliRunner().invoke(app, ["accept", "--data", str(key.data)]).output.splitlines()
    assert "all pseudonyms stay" in said
