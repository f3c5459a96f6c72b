# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc's storage writes an instance only if arrival mode handed it back."""

from __future__ import annotations

import uuid
import zlib
from pathlib import Path

import pytest

from plugin.arrival import storage_guard
from plugin.arrival.storage_folder import StorageFolder
from plugin.arrival.storage_guard import Content, NotAdmittedError, StorageGuard
from tests.deid.made_scans import ct, file_of

ORIGINAL = file_of(ct())
ADMITTED = file_of(ct(PatientName="Anonymous"))
HEAD = ADMITTED[:600]


def name() -> str:
    return str(uuid.uuid4())


def compressed(file: bytes) -> bytes:
    """As Orthanc compresses (its ZlibCompressor with size)."""
    return len(file).to_bytes(8, "little") + zlib.compress(file)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def guard(tmp_path: Path) -> StorageGuard:
    guard = StorageGuard(StorageFolder(tmp_path, sync=False))
    guard.admit(ADMITTED)
    return guard


def test_what_was_admitted_is_written_and_read(guard: StorageGuard) -> None:
    one = name()
    guard.create(one, Content.DICOM, ADMITTED)
    assert guard.read(one, Content.DICOM) == ADMITTED
    assert guard.status() == {"guarded": True, "kept_out": 0}


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 1024])
@pytest.mark.parametrize("content", [ORIGINAL, ORIGINAL[:600], compressed(ORIGINAL), b""])
def test_no_form_of_an_original_is_written(
    guard: StorageGuard, tmp_path: Path, kind: int, content: bytes
) -> None:
    with pytest.raises(NotAdmittedError):
        guard.create(name(), kind, content)
    assert files(tmp_path) == []
    assert guard.status()["kept_out"] == 1


def test_one_changed_bit_is_another_file(guard: StorageGuard, tmp_path: Path) -> None:
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM, ADMITTED[:-1] + b"\x01")
    assert files(tmp_path) == []


def test_a_guard_that_admitted_nothing_is_closed(tmp_path: Path) -> None:
    with pytest.raises(NotAdmittedError):
        StorageGuard(StorageFolder(tmp_path)).create(name(), Content.DICOM, ADMITTED)


def test_a_compressed_form_of_what_was_admitted_is_written(guard: StorageGuard) -> None:
    guard.create(name(), Content.DICOM, compressed(ADMITTED))
    guard.create(name(), Content.DICOM_UNTIL_PIXEL_DATA, compressed(HEAD))


def test_nothing_rides_behind_a_compressed_file(guard: StorageGuard) -> None:
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM, compressed(ADMITTED) + ORIGINAL)


def test_the_head_of_an_instance_is_written_behind_it_only(guard: StorageGuard) -> None:
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM_UNTIL_PIXEL_DATA, HEAD)
    guard.create(name(), Content.DICOM, ADMITTED)
    guard.create(name(), Content.DICOM_UNTIL_PIXEL_DATA, HEAD)
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM_UNTIL_PIXEL_DATA, ORIGINAL[: len(HEAD)])


@pytest.mark.parametrize("kind", [Content.DICOM, Content.DICOM_AS_JSON])
def test_what_was_read_may_be_written_anew_compressed_or_not(
    guard: StorageGuard, kind: Content
) -> None:
    old = name()
    guard.folder.create(old, b"stored before the mode was switched on")
    with pytest.raises(NotAdmittedError):
        guard.create(name(), kind, b"stored before the mode was switched on")
    read = guard.read(old, kind)
    again = name()
    guard.create(again, kind, compressed(read))
    guard.create(name(), kind, read)
    guard.remove(old, kind)
    with pytest.raises(NotAdmittedError):
        guard.create(name(), kind, read[:-1])


def test_a_file_that_is_gone_vouches_for_nothing(guard: StorageGuard) -> None:
    old = name()
    guard.folder.create(old, b"read and removed")
    guard.read(old, Content.DICOM)
    guard.remove(old, Content.DICOM)
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM, b"read and removed")


def test_what_bears_a_seal_is_written_long_after_it_came(tmp_path: Path) -> None:
    guard = StorageGuard(StorageFolder(tmp_path), sealed=lambda file: file == ADMITTED)
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM_AS_JSON, ADMITTED)
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM, ORIGINAL)
    guard.create(name(), Content.DICOM, compressed(ADMITTED))


def test_attachments_of_users_are_theirs(guard: StorageGuard) -> None:
    one = name()
    guard.create(one, Content.USER, b"a thumbnail")
    assert guard.read(one, Content.USER) == b"a thumbnail"
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM, b"a thumbnail")


def test_digests_of_long_ago_are_forgotten(
    guard: StorageGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_guard, "MOST_ADMITTED", 2)
    for content in (b"two", b"three"):
        guard.admit(content)
    with pytest.raises(NotAdmittedError):
        guard.create(name(), Content.DICOM, ADMITTED)
    guard.create(name(), Content.DICOM, b"three")


def test_an_instance_that_orthanc_stored_elsewhere_is_noticed(guard: StorageGuard) -> None:
    assert not guard.note_stored()
    guard.create(name(), Content.DICOM, ADMITTED)
    # Once elsewhere is enough: what comes later proves nothing.
    assert not guard.note_stored()
    assert guard.status()["guarded"] is False


def test_an_instance_that_was_written_here_proves_the_guard(guard: StorageGuard) -> None:
    guard.create(name(), Content.DICOM, ADMITTED)
    assert guard.note_stored()
    assert guard.status()["guarded"] is True
