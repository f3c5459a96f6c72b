# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refused arrivals are kept encrypted where the site asks for it, and refused all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deid import DeidentificationKey
from plugin.archive import ArchiveError
from plugin.arrival import commands
from plugin.arrival.admission import Admission
from plugin.arrival.held import FOLDER, HeldArrivals, HeldError
from plugin.arrival.protocol import Kind
from plugin.configuration.deidentification import DeidentificationSection
from plugin.site_key import SiteKey
from tests.deid.made_scans import ct, file_of

KEY = DeidentificationKey(bytes(range(32)))
REFUSED = file_of(ct(BurnedInAnnotation="YES"))
DROPPED = file_of(ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"))


def admission(data: Path, most: int = 1 << 20, **section: str) -> Admission:
    return Admission(
        SiteKey.of(str(data / "deidentification.key"), data),
        # So that what says that text is burned in is refused.
        DeidentificationSection.model_validate({"PixelText": "leave"} | section),
        quarantine=(data / FOLDER, most),
    )


def held(data: Path) -> HeldArrivals:
    key = SiteKey.of(str(data / "deidentification.key"), data).read()
    return HeldArrivals(data / FOLDER, key)


def test_a_refused_arrival_is_kept_encrypted_and_its_sender_is_told_of_a_failure(
    tmp_path: Path,
) -> None:
    kind, words = admission(tmp_path).rule(REFUSED)
    assert kind is Kind.REFUSE
    (entry,) = held(tmp_path).entries()
    assert entry.reason == "BurnedInAnnotationError"
    assert entry.name in words.decode()
    assert held(tmp_path).released(entry.name) == REFUSED
    (file,) = (tmp_path / FOLDER).iterdir()
    content = file.read_bytes()
    assert not any(part in content for part in (b"Doe", b"4711", b"DICM", b"BurnedIn"))
    assert file.stat().st_mode & 0o077 == 0


def test_the_same_file_sent_again_takes_no_more_room(tmp_path: Path) -> None:
    rules = admission(tmp_path)
    for _ in range(3):
        rules.rule(REFUSED)
    assert len(list(held(tmp_path).entries())) == 1


@pytest.mark.parametrize("file", [b"no DICOM file", DROPPED], ids=["no DICOM", "dropped by policy"])
def test_what_nobody_can_repair_or_wants_is_not_kept(tmp_path: Path, file: bytes) -> None:
    rules = admission(tmp_path, SecondaryCaptures="drop")
    assert rules.rule(file)[0] is Kind.REFUSE
    assert not list(held(tmp_path).entries())


def test_a_full_quarantine_keeps_no_more_and_refuses_still(tmp_path: Path) -> None:
    rules = admission(tmp_path, most=len(REFUSED) + 500)
    rules.rule(REFUSED)
    kind, words = rules.rule(file_of(ct(BurnedInAnnotation="YES", PatientID="4712")))
    assert kind is Kind.REFUSE
    assert b"full" in words
    assert len(list(held(tmp_path).entries())) == 1


def test_a_folder_that_cannot_be_written_changes_no_refusal(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    kind, words = admission(tmp_path).rule(REFUSED)
    assert kind is Kind.REFUSE
    assert b"not kept" in words


def test_without_the_key_nothing_is_kept_and_nothing_stored(tmp_path: Path) -> None:
    rules = admission(tmp_path)
    rules.rule(REFUSED)
    (tmp_path / "deidentification.key").unlink()
    other = file_of(ct(BurnedInAnnotation="YES", PatientID="4712"))
    assert rules.rule(other)[0] is Kind.REFUSE
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


@pytest.mark.parametrize("at", [10, -1])
def test_a_changed_or_renamed_file_does_not_open(tmp_path: Path, at: int) -> None:
    kept = HeldArrivals(tmp_path, KEY)
    first = kept.keep(b"one original", "SomeError").name
    second = kept.keep(b"another one", "SomeError").name
    file = tmp_path / f"{first}.held"
    changed = bytearray(file.read_bytes())
    changed[at] ^= 1
    file.write_bytes(changed)
    with pytest.raises(HeldError, match="changed"):
        kept.released(first) if at < 0 else list(kept.entries())
    (tmp_path / f"{second}.held").rename(file)
    with pytest.raises(HeldError, match="changed"):
        kept.released(first)
    with pytest.raises(HeldError, match="another key"):
        HeldArrivals(tmp_path, DeidentificationKey(bytes(32))).released(first)


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    with pytest.raises(HeldError, match="no such"):
        HeldArrivals(tmp_path, KEY).released("../deidentification")


def command(data: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(commands.app, [*words, "--data", str(data)])
    return done.exit_code, done.output


def test_an_admin_lists_repairs_sends_again_and_discards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = admission(tmp_path)
    rules.rule(REFUSED)
    code, listed = command(tmp_path, "list")
    name = listed.split("\t")[0]
    assert (code, "BurnedInAnnotationError" in listed) == (0, True)
    out = tmp_path / "repair.dcm"
    assert command(tmp_path, "release", name, "--out", str(out))[0] == 0
    assert out.read_bytes() == REFUSED
    assert out.stat().st_mode & 0o077 == 0

    def refuses(archive: object, dicom: bytes) -> None:
        raise ArchiveError("Orthanc answers 400 to POST /instances/…")

    monkeypatch.setattr(commands.Archive, "post_instance", refuses)
    again = ("release", name, "--url", "http://127.0.0.1:8042")
    code, said = command(tmp_path, *again)
    assert (code, "is kept" in said) == (1, True)
    assert command(tmp_path, "release", name, "--url", "http://elsewhere:8042")[0] == 1
    sent: list[bytes] = []
    monkeypatch.setattr(commands.Archive, "post_instance", lambda _, dicom: sent.append(dicom))
    assert command(tmp_path, *again)[0] == 0
    assert sent == [REFUSED]
    assert command(tmp_path, "list") == (0, "")
    rules.rule(REFUSED)
    assert command(tmp_path, "discard", name)[0] == 0
    assert command(tmp_path, "discard", name)[0] == 1
