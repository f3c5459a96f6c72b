# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of rows to train with is written where ``--out`` says, and takes no other's place."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path
from subprocess import run

import pytest
from typer.testing import CliRunner, Result

from plugin.anatomy.commands import app
from plugin.anatomy.ledger import FILE_NAME, AnatomyLedger, Lesson


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with one row."""
    row = {"SeriesDescription": "CHEST", "Modality": "CT", "regions": "chest"}
    AnatomyLedger(tmp_path / FILE_NAME).learn("s1", Lesson("metadata", row))
    return tmp_path


def exported(data: Path, out: Path) -> Result:
    result = CliRunner().invoke(app, ["export", str(data), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return result


def test_a_link_stays_and_the_file_behind_it_has_the_table(data: Path) -> None:
    (data / "shared").mkdir()
    link, behind = data / "rows.csv", data / "shared" / "rows.csv"
    link.symlink_to(behind)
    exported(data, link)
    assert link.is_symlink()
    assert "CHEST" in behind.read_text()


def test_a_pipe_is_written_into(data: Path) -> None:
    pipe = data / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    exported(data, pipe)
    reader.join(10)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert "CHEST" in read[0]


def test_the_standard_output_has_the_table_and_nothing_else(data: Path) -> None:
    # What /dev/stdout is; that of the machine is left alone, whatever the command does.
    out = data / "stdout"
    out.symlink_to("/proc/self/fd/1")
    command = [sys.executable, "-m", "plugin.anatomy.commands", "export", str(data)]
    done = run([*command, "--out", str(out)], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 2
    assert "1 rows written" in done.stderr


def test_a_file_of_before_keeps_its_mode(data: Path) -> None:
    out = data / "rows.csv"
    out.touch(mode=0o600)
    exported(data, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "CHEST" in out.read_text()


def test_a_table_that_cant_be_written_leaves_the_one_of_before(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    out = data / "rows.csv"
    out.write_text("the table of before")
    monkeypatch.setattr("plugin.anatomy.commands.write_table", full)
    result = CliRunner().invoke(app, ["export", str(data), "--out", str(out)])
    assert result.exit_code == 2
    assert "No space left" in result.output
    assert out.read_text() == "the table of before"
    assert not list(data.glob(".*.part"))
