# SPDX-License-Identifier: Apache-2.0
"""The vault: what leads back, for whom, and what shows that it was asked."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from deid.errors import UnknownLinkError, VaultAccessError, VaultError
from deid.vault import Role, Vault
from deid.vault.originals import PATIENT, UID, Pair
from deid.vault.sealing import Cost, bound, opened, seal

PHRASES = {
    Role.CURATOR: "curator's long phrase",
    Role.REIDENTIFIER: "reidentifier's phrase",
    Role.AUDITOR: "auditor's long phrase",
}
PAIRS = [
    Pair(PATIENT, "ABCD", "", '{"PatientID": "4711"}'),
    Pair(PATIENT, "EFGH", "", '{"PatientID": "4712"}'),
    Pair("study", "2.25.1", "2.25.1", '{"StudyInstanceUID": "1.2.3"}'),
    Pair(UID, "2.25.1", "2.25.1", "1.2.3"),
    Pair(UID, "2.25.2", "2.25.1", "1.2.3.4"),
]
QUICK = Cost(memory=64, iterations=1, lanes=1)
ASKED = ("Dr. A", "incidental finding")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vault") / "vault.db"
    Vault.create(path, "lungs", PHRASES, QUICK)
    with Vault.open(path, Role.CURATOR, PHRASES[Role.CURATOR]) as vault:
        vault.keep(PAIRS)
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "vault.db"))


def opened_by(path: Path, role: Role) -> Vault:
    return Vault.open(path, role, PHRASES[role])


def change(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute(statement)
    database.close()


def test_the_reidentifier_gets_the_original_and_the_audit_says_so(path: Path) -> None:
    with opened_by(path, Role.REIDENTIFIER) as vault:
        assert json.loads(vault.reveal(PATIENT, "ABCD", *ASKED)) == {"PatientID": "4711"}
        links = vault.links("2.25.1", *ASKED)
    assert links.original == {"StudyInstanceUID": "1.2.3"}
    assert links.uids == {"2.25.1": "1.2.3", "2.25.2": "1.2.3.4"}

    with opened_by(path, Role.AUDITOR) as vault:
        created, revealed, linked = vault.audit()
    assert created.action == "created"
    assert revealed[1:] == ("reidentifier", "Dr. A", "revealed", "patient ABCD", ASKED[1])
    assert (linked.action, linked.subject) == ("linked", "study 2.25.1")


def test_a_question_without_an_answer_is_in_the_audit_too(path: Path) -> None:
    with opened_by(path, Role.REIDENTIFIER) as vault, pytest.raises(UnknownLinkError):
        vault.reveal(PATIENT, "ZZZZ", *ASKED)
    with opened_by(path, Role.AUDITOR) as vault:
        assert vault.audit()[-1].subject == "patient ZZZZ"


@pytest.mark.parametrize("role", [Role.CURATOR, Role.AUDITOR])
def test_no_other_role_reidentifies(path: Path, role: Role) -> None:
    with opened_by(path, role) as vault:
        with pytest.raises(VaultAccessError, match="only the reidentifier"):
            vault.reveal(PATIENT, "ABCD", *ASKED)
        with pytest.raises(VaultAccessError, match="only the reidentifier"):
            vault.links("2.25.1", *ASKED)


@pytest.mark.parametrize("role", [Role.REIDENTIFIER, Role.AUDITOR])
def test_only_the_curator_adds(path: Path, role: Role) -> None:
    with opened_by(path, role) as vault, pytest.raises(VaultAccessError, match="only the curator"):
        vault.keep(PAIRS)


def test_the_auditor_holds_no_key_of_the_entries(path: Path) -> None:
    with opened_by(path, Role.AUDITOR) as vault:
        assert vault._keys.entries == b""


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("who", " ")])
def test_nobody_reidentifies_without_a_name_and_a_reason(path: Path, by: str, reason: str) -> None:
    with opened_by(path, Role.REIDENTIFIER) as vault, pytest.raises(VaultAccessError, match="who"):
        vault.reveal(PATIENT, "ABCD", by, reason)


def test_a_pass_phrase_opens_its_own_role_alone(path: Path) -> None:
    for phrase in (PHRASES[Role.AUDITOR], "some other phrase"):
        with pytest.raises(VaultAccessError, match="not the pass-phrase"):
            Vault.open(path, Role.REIDENTIFIER, phrase)


def test_a_slot_given_another_role_opens_nothing(path: Path) -> None:
    change(path, "DELETE FROM slots WHERE role = 'reidentifier'")
    change(path, "UPDATE slots SET role = 'reidentifier' WHERE role = 'auditor'")
    with pytest.raises(VaultAccessError):
        Vault.open(path, Role.REIDENTIFIER, PHRASES[Role.AUDITOR])


@pytest.mark.parametrize(
    "statement",
    [
        (
            "UPDATE entries SET sealed = (SELECT sealed FROM entries WHERE pseudonym = 'EFGH')"
            " WHERE pseudonym = 'ABCD'"
        ),
        "UPDATE entries SET study = '2.25.1' WHERE pseudonym = 'ABCD'",
        "UPDATE entries SET sealed = zeroblob(60) WHERE pseudonym = 'ABCD'",
        "UPDATE entries SET sealed = x'' WHERE pseudonym = 'ABCD'",
    ],
)
def test_an_entry_moved_or_changed_is_not_opened(path: Path, statement: str) -> None:
    change(path, statement)
    with opened_by(path, Role.REIDENTIFIER) as vault, pytest.raises(VaultError, match="entry"):
        vault.reveal(PATIENT, "ABCD", *ASKED)


def test_another_projects_name_opens_nothing(path: Path) -> None:
    change(path, "UPDATE vault SET project = 'hearts'")
    with pytest.raises(VaultAccessError):
        opened_by(path, Role.REIDENTIFIER)


def test_the_file_holds_no_original_and_no_reason(path: Path) -> None:
    with opened_by(path, Role.REIDENTIFIER) as vault:
        vault.reveal(PATIENT, "ABCD", *ASKED)
    content = path.read_bytes()
    assert b"ABCD" in content
    assert not any(word in content for word in (b"4711", b"1.2.3", b"incidental", b"Dr. A"))


def test_a_new_vault_is_open_to_its_owner_alone_and_overwrites_none(made: Path) -> None:
    assert made.stat().st_mode & 0o777 == 0o600
    with pytest.raises(VaultError, match="can't create"):
        Vault.create(made, "lungs", PHRASES)


def test_pairs_that_are_there_stay_as_they_are(path: Path) -> None:
    with opened_by(path, Role.CURATOR) as vault:
        vault.keep([PAIRS[0]._replace(original="other")])
    with opened_by(path, Role.REIDENTIFIER) as vault:
        assert "4711" in vault.reveal(PATIENT, "ABCD", *ASKED)


def test_a_new_pass_phrase_replaces_the_old_one_and_the_audit_says_so(path: Path) -> None:
    with opened_by(path, Role.REIDENTIFIER) as vault:
        vault.change_passphrase("another long phrase")
    with pytest.raises(VaultAccessError):
        opened_by(path, Role.REIDENTIFIER)
    with Vault.open(path, Role.REIDENTIFIER, "another long phrase") as vault:
        assert "4711" in vault.reveal(PATIENT, "ABCD", *ASKED)
    with opened_by(path, Role.AUDITOR) as vault:
        assert [record.action for record in vault.audit()][1] == "pass-phrase changed"


def three_questions(path: Path) -> None:
    with opened_by(path, Role.REIDENTIFIER) as vault:
        for _ in range(3):
            vault.reveal(PATIENT, "ABCD", *ASKED)


def test_the_audit_refuses_changes(path: Path) -> None:
    three_questions(path)
    for statement in ("DELETE FROM audit", "UPDATE audit SET number = 9 WHERE number = 1"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            change(path, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit WHERE number = 4",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit",
        "DELETE FROM audit_head",
        "UPDATE audit SET sealed = (SELECT sealed FROM audit WHERE number = 3) WHERE number = 2",
        "INSERT INTO audit SELECT 5, sealed FROM audit WHERE number = 4",
    ],
)
def test_an_audit_changed_behind_its_back_is_noticed(path: Path, statement: str) -> None:
    three_questions(path)
    change(path, "DROP TRIGGER audit_stays")
    change(path, "DROP TRIGGER audit_remains")
    change(path, statement)
    with opened_by(path, Role.AUDITOR) as vault, pytest.raises(VaultError, match="backup"):
        vault.audit()


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda phrases: phrases.pop(Role.AUDITOR), "each role"),
        (lambda phrases: phrases.update({Role.AUDITOR: PHRASES[Role.CURATOR]}), "each role"),
        (lambda phrases: phrases.update({Role.AUDITOR: "short"}), "12 characters"),
    ],
)
def test_weak_pass_phrases_make_no_vault(
    tmp_path: Path, damage: Callable[[dict[Role, str]], object], error: str
) -> None:
    phrases = dict(PHRASES)
    damage(phrases)
    with pytest.raises(VaultAccessError, match=error):
        Vault.create(tmp_path / "vault.db", "lungs", phrases)
    assert not (tmp_path / "vault.db").exists()


def test_what_is_no_vault_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no vault at all, but a file of some length" * 30)
    for name in ("text", "missing"):
        with pytest.raises(VaultError, match="no vault"):
            Vault.open(tmp_path / name, Role.AUDITOR, PHRASES[Role.AUDITOR])


def test_associated_data_keeps_parts_apart() -> None:
    assert bound("a", "bc") != bound("ab", "c")
    key = bytes(32)
    sealed = seal(key, b"plain", bound("a", "bc"))
    assert opened(key, sealed, bound("a", "bc")) == b"plain"
    with pytest.raises(VaultError):
        opened(key, sealed, bound("ab", "c"))
    assert seal(key, b"plain", b"") != seal(key, b"plain", b"")


NEW = {Role.CURATOR: "curator's new phrase", Role.REIDENTIFIER: "reidentifier's new one"}


def test_a_rotated_vault_opens_with_the_new_phrases_alone(path: Path) -> None:
    with opened_by(path, Role.CURATOR) as vault:
        assert vault.rotate(NEW, "Dr. C", "a laptop was lost", QUICK) == len(PAIRS)
        vault.keep([Pair(PATIENT, "IJKL", "", "{}")])
    with pytest.raises(VaultAccessError):
        opened_by(path, Role.REIDENTIFIER)
    with Vault.open(path, Role.REIDENTIFIER, NEW[Role.REIDENTIFIER]) as vault:
        assert vault.reveal(UID, "2.25.2", *ASKED) == "1.2.3.4"
        assert vault.reveal(PATIENT, "IJKL", *ASKED) == "{}"


def test_the_old_key_reads_nothing_of_a_rotated_vault_and_no_old_byte_is_left(path: Path) -> None:
    old = sqlite3.connect(path).execute("SELECT sealed FROM entries").fetchall()
    with opened_by(path, Role.CURATOR) as vault:
        key = vault._keys.entries
        vault.rotate(NEW, "Dr. C", "a laptop was lost", QUICK)
        entries = vault._database.execute("SELECT kind, pseudonym, study, sealed FROM entries")
        for *place, sealed in entries.fetchall():
            with pytest.raises(VaultError):
                opened(key, sealed, vault._binding(tuple(place)))
    content = path.read_bytes()
    assert not any(sealed in content for (sealed,) in old)


def test_the_audit_stays_whole_over_a_rotation_and_names_it(path: Path) -> None:
    with opened_by(path, Role.CURATOR) as vault:
        vault.rotate(NEW, "Dr. C", "a laptop was lost", QUICK)
    with opened_by(path, Role.AUDITOR) as vault:
        last = vault.audit()[-1]
    assert (last.action, last.by, last.reason) == ("key rotated", "Dr. C", "a laptop was lost")


def test_a_rotation_that_meets_a_changed_entry_changes_nothing(path: Path) -> None:
    change(path, "UPDATE entries SET sealed = zeroblob(40) WHERE pseudonym = 'EFGH'")
    before = sqlite3.connect(path).execute("SELECT * FROM entries").fetchall()
    with opened_by(path, Role.CURATOR) as vault, pytest.raises(VaultError):
        vault.rotate(NEW, "Dr. C", "a laptop was lost", QUICK)
    assert sqlite3.connect(path).execute("SELECT * FROM entries").fetchall() == before
    opened_by(path, Role.REIDENTIFIER).close()


@pytest.mark.parametrize("role", [Role.REIDENTIFIER, Role.AUDITOR])
def test_only_the_curator_rotates(path: Path, role: Role) -> None:
    with opened_by(path, role) as vault, pytest.raises(VaultAccessError):
        vault.rotate(NEW, "Dr. C", "a laptop was lost", QUICK)


def test_a_rotation_needs_both_phrases_a_person_and_a_reason(path: Path) -> None:
    with opened_by(path, Role.CURATOR) as vault:
        with pytest.raises(VaultAccessError):
            vault.rotate({Role.CURATOR: NEW[Role.CURATOR]}, "Dr. C", "lost", QUICK)
        with pytest.raises(VaultAccessError):
            vault.rotate(NEW, " ", "lost", QUICK)


def test_who_opened_the_vault_before_a_rotation_writes_nothing_under_the_old_key(
    path: Path,
) -> None:
    with opened_by(path, Role.CURATOR) as early, opened_by(path, Role.CURATOR) as late:
        early.keep([Pair(PATIENT, "IJKL", "", "{}")])
        late.rotate(NEW, "Dr. C", "a laptop was lost", QUICK)
        with pytest.raises(VaultError):
            early.keep([Pair(PATIENT, "MNOP", "", "{}")])
        with pytest.raises(VaultError):
            early.change_passphrase("a phrase of long ago")
        with pytest.raises(VaultError):
            early.rotate(NEW, "Dr. C", "again", QUICK)
    with Vault.open(path, Role.CURATOR, NEW[Role.CURATOR]) as vault:
        assert vault.rotate(NEW, "Dr. C", "once more", QUICK) == len(PAIRS) + 1


def test_a_frame_of_reference_of_two_studies_is_found_from_both(path: Path) -> None:
    shared = [
        Pair(kind, pseudonym, study, original)
        for study, original in (("2.25.7", "1.7"), ("2.25.8", "1.8"))
        for kind, pseudonym, original in (
            ("study", study, f'{{"StudyInstanceUID": "{original}"}}'),
            (UID, "2.25.99", "1.99"),
        )
    ]
    with opened_by(path, Role.CURATOR) as vault:
        vault.keep(shared)
        vault.rotate(NEW, "Dr. C", "a laptop was lost", QUICK)
    with Vault.open(path, Role.REIDENTIFIER, NEW[Role.REIDENTIFIER]) as vault:
        for study in ("2.25.7", "2.25.8"):
            assert vault.links(study, *ASKED).uids == {"2.25.99": "1.99"}
        assert vault.reveal(UID, "2.25.99", *ASKED) == "1.99"


# As the table was when a pseudonym belonged to one study alone.
OLD_TABLE = """
ALTER TABLE entries RENAME TO now;
DROP INDEX entries_of_study;
CREATE TABLE entries (kind TEXT, pseudonym TEXT, study TEXT, sealed BLOB NOT NULL,
    PRIMARY KEY (kind, pseudonym)) WITHOUT ROWID;
CREATE INDEX entries_of_study ON entries (study);
INSERT INTO entries SELECT * FROM now;
DROP TABLE now;
"""


def test_a_vault_of_an_earlier_version_keeps_its_entries_and_takes_shared_ones(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.executescript(OLD_TABLE)
    with opened_by(path, Role.REIDENTIFIER) as vault:
        assert vault.reveal(UID, "2.25.2", *ASKED) == "1.2.3.4"
    for _ in range(2):
        with opened_by(path, Role.CURATOR) as vault:
            vault.keep([Pair(UID, "2.25.2", "2.25.8", "1.2.3.4")])
    with opened_by(path, Role.REIDENTIFIER) as vault:
        assert vault.links("2.25.1", *ASKED).uids == {"2.25.1": "1.2.3", "2.25.2": "1.2.3.4"}
    entries = sqlite3.connect(path).execute("SELECT count(*) FROM entries").fetchone()
    assert entries == (len(PAIRS) + 1,)


def test_a_full_disk_is_said_and_keeps_what_was_there(path: Path) -> None:
    many = [Pair(UID, f"2.25.{at}", "2.25.1", f"1.{at}") for at in range(9000, 9500)]
    with opened_by(path, Role.CURATOR) as vault:
        vault._database.execute(f"PRAGMA max_page_count = {len(path.read_bytes()) // 4096 + 1}")
        with pytest.raises(VaultError, match="disk is full"):
            vault.keep(many)
    with opened_by(path, Role.REIDENTIFIER) as vault:
        assert vault.reveal(UID, "2.25.2", *ASKED) == "1.2.3.4"
        with pytest.raises(UnknownLinkError):
            vault.reveal(UID, "2.25.9000", *ASKED)


def test_a_vault_that_can_not_be_written_says_so(path: Path) -> None:
    with opened_by(path, Role.REIDENTIFIER) as vault:
        vault._database.execute("PRAGMA query_only = ON")
        with pytest.raises(VaultError, match="can't be written"):
            vault.reveal(UID, "2.25.2", *ASKED)


def test_a_damaged_vault_is_not_rotated_and_says_that_it_is_damaged(path: Path) -> None:
    with opened_by(path, Role.CURATOR) as vault:
        vault.keep([Pair(UID, f"2.25.{at}", "2.25.1", "1." * 30) for at in range(400)])
    content = bytearray(path.read_bytes())
    at = content.index(b"2.25.300")
    content[at // 4096 * 4096 : at // 4096 * 4096 + 12] = bytes(12)
    path.write_bytes(content)
    with opened_by(path, Role.CURATOR) as vault, pytest.raises(VaultError, match="damaged"):
        vault.rotate(NEW, "Dr. C", "a laptop was lost", QUICK)
    opened_by(path, Role.REIDENTIFIER).close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE slots SET memory = 99999999",
        "UPDATE slots SET lanes = 0",
        "UPDATE slots SET salt = 'x'",
    ],
)
def test_a_slot_whose_cost_was_changed_opens_nothing(path: Path, statement: str) -> None:
    change(path, statement)
    with pytest.raises(VaultError, match="backup"):
        opened_by(path, Role.AUDITOR)


def test_a_vault_that_could_not_be_made_leaves_no_file_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr("deid.vault.vault.SCHEMA", "CREATE TABLE broken")
        with pytest.raises(VaultError, match="can't be used"):
            Vault.create(tmp_path / "vault.db", "lungs", PHRASES, QUICK)
    assert not list(tmp_path.iterdir())
    Vault.create(tmp_path / "vault.db", "lungs", PHRASES, QUICK)
    assert [file.name for file in tmp_path.iterdir()] == ["vault.db"]
    opened_by(tmp_path / "vault.db", Role.AUDITOR).close()
