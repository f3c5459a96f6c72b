# SPDX-License-Identifier: Apache-2.0
"""What is read of a folder or archive: all of it, or it is said."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from deid.errors import UnreadableSourceError
from deid.source_files import sources
from tests.deid.made_scans import ct, file_of


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def contents(path: Path) -> list[bytes]:
    return [file.read() for file in sources(path)]


def refusals(path: Path) -> list[str]:
    told = []
    for file in sources(path):
        try:
            file.read()
        except UnreadableSourceError as error:
            told.append(str(error))
    return told


def test_archives_inside_archives_are_opened(tmp_path: Path) -> None:
    inner = zipped(("b", b"second"), ("DICOMDIR", b"index"), ("a", b"first"))
    (tmp_path / "outer.zip").write_bytes(zipped(("x/inner", inner), ("z", b"third")))
    assert contents(tmp_path) == [b"first", b"second", b"third"]


def test_an_archive_without_end_is_refused_not_followed(tmp_path: Path) -> None:
    content = b"innermost"
    for _ in range(6):
        content = zipped(("next.zip", content))
    (tmp_path / "deep.zip").write_bytes(content)
    assert refusals(tmp_path) == ["archives in archives are nested too deep: unpack"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_two_files(tmp_path: Path) -> None:
    (tmp_path / "twice.zip").write_bytes(zipped(("a", b"first"), ("a", b"second")))
    assert contents(tmp_path) == [b"first", b"second"]


def test_a_damaged_archive_is_said_and_the_other_files_are_read(tmp_path: Path) -> None:
    whole = zipped(("a", bytes(range(256)) * 40))
    at = whole.rindex(b"PK\1\2")
    (tmp_path / "a.zip").write_bytes(whole[:at] + b"XXXX" + whole[at + 4 :])
    cut = bytearray(whole)
    cut[60:70] = bytes(10)
    (tmp_path / "b.zip").write_bytes(cut)
    (tmp_path / "c.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "d").write_bytes(b"whole")
    assert len(refusals(tmp_path)) == 3
    assert [file.path.name for file in sources(tmp_path)] == ["a.zip", "b.zip", "c.zip", "d"]


def test_a_dicom_file_that_ends_like_an_archive_is_a_dicom_file(tmp_path: Path) -> None:
    content = file_of(ct()) + zipped(("a", b"hidden"))
    (tmp_path / "both.dcm").write_bytes(content)
    assert contents(tmp_path) == [content]
    (tmp_path / "both.dcm").write_bytes(zipped(("both.dcm", content)))
    assert contents(tmp_path) == [content]


def test_linked_folders_are_read_once_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "in" / "study").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_bytes(b"linked")
    (tmp_path / "in" / "study" / "b").write_bytes(b"own")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "study" / "loop").symlink_to(tmp_path / "in")
    assert sorted(contents(tmp_path / "in")) == [b"linked", b"own"]


def test_a_link_that_leads_nowhere_is_said_and_a_pipe_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert refusals(tmp_path) == ["can't read the file: No such file or directory"]
    assert len(list(sources(tmp_path))) == 1


def test_a_folder_that_can_not_be_looked_into_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "open").write_bytes(b"own")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    # By the file system itself it can't be asked where the tests run as root.
    monkeypatch.setattr(os, "scandir", refusing)
    assert refusals(tmp_path) == ["can't look into a folder: Permission denied"]
    assert len(list(sources(tmp_path))) == 2
