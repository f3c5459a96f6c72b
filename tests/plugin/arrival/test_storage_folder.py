# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files lie where Orthanc's own storage would put them, and whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plugin.arrival.storage_folder import StorageFolder, StorageFolderError

UUID = "0f3b1a2c-4d5e-6f70-8192-a3b4c5d6e7f8"


def test_a_file_lies_where_orthanc_looks_for_it(tmp_path: Path) -> None:
    folder = StorageFolder(tmp_path)
    folder.create(UUID, b"content")
    assert (tmp_path / "0f" / "3b" / UUID).read_bytes() == b"content"
    assert folder.read(UUID) == b"content"


def test_an_empty_attachment_is_a_file_too(tmp_path: Path) -> None:
    StorageFolder(tmp_path, sync=False).create(UUID, b"")
    assert StorageFolder(tmp_path).read(UUID) == b""


def test_what_is_removed_leaves_no_folder_and_may_be_gone_already(tmp_path: Path) -> None:
    folder = StorageFolder(tmp_path)
    folder.create(UUID, b"content")
    folder.remove(UUID)
    folder.remove(UUID)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    folder = StorageFolder(tmp_path)
    folder.create(UUID, b"first")
    with pytest.raises(StorageFolderError):
        folder.create(UUID, b"second")
    assert folder.read(UUID) == b"first"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_half_a_file_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    write = os.write
    written: list[int] = []

    def failing(descriptor: int, content: bytes) -> int:
        if written:
            raise error
        written.append(write(descriptor, bytes(content)[:3]))
        return 3

    monkeypatch.setattr(os, "write", failing)
    with pytest.raises((StorageFolderError, MemoryError)):
        StorageFolder(tmp_path).create(UUID, b"content")
    assert written == [3]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("uuid", ["", "../../../../etc/passwd", UUID.upper(), f"{UUID}\n"])
def test_only_orthancs_own_identifiers_name_a_file(tmp_path: Path, uuid: str) -> None:
    folder = StorageFolder(tmp_path)
    with pytest.raises(StorageFolderError):
        folder.create(uuid, b"content")
    with pytest.raises(StorageFolderError):
        folder.read(uuid)


def test_a_folder_that_another_thread_removes_just_now_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open
    calls: list[str] = []

    def once_missing(path: Path, *arguments: int) -> int:
        calls.append(str(path))
        if len(calls) == 1:
            Path(path).parent.rmdir()
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", once_missing)
    StorageFolder(tmp_path).create(UUID, b"content")
    assert len(calls) == 2
