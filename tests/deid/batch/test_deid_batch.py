# SPDX-License-Identifier: Apache-2.0
"""Runs over many files: several processes, stopped and gone on, counted."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deid.batch.journal import FOLDER, Finished, Journal
from deid.batch.outcome import Written
from deid.batch.run import jobs_for
from deid.batch.run import run as run_files
from deid.batch.settings import Settings
from deid.batch.worker import Task
from deid.commands import app
from deid.errors import OutputError
from deid.key import DeidentificationKey
from deid.source_files import SourceFile
from tests.deid.made_scans import ROOT, ct, file_of

sidelight = typer.Typer()
sidelight.add_typer(app, name="deid")
sidelight.command("other")(lambda: None)


def run(*arguments: object):
    return CliRunner().invoke(sidelight, ["deid", *map(str, arguments)])


def originals(folder: Path, number: int) -> Path:
    folder.mkdir()
    for at in range(number):
        content = file_of(
            ct(PatientID="PAT-4711", SOPInstanceUID=f"{ROOT}.3.{at}", SeriesNumber=at)
        )
        (folder / f"Doe {at}.dcm").write_bytes(content)
    return folder


def contents(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*.dcm")}


def journal_of(out: Path) -> Path:
    return out / FOLDER / "journal.jsonl"


def test_several_processes_write_what_one_writes(tmp_path: Path) -> None:
    source, key = originals(tmp_path / "in", 40), tmp_path / "key"

    for jobs in (1, 2):
        report = tmp_path / f"{jobs}.json"
        out = tmp_path / f"out {jobs}"
        result = run(source, out, "--key-file", key, "--jobs", jobs, "--report", report)
        assert result.exit_code == 0, result.output

    assert contents(tmp_path / "out 1") == contents(tmp_path / "out 2")
    assert len(contents(tmp_path / "out 1")) == 40
    assert (tmp_path / "1.json").read_text() == (tmp_path / "2.json").read_text()


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    source, key, out = originals(tmp_path / "in", 300), tmp_path / "key", tmp_path / "out"
    code = "from deid.commands import app; app()"
    command = [sys.executable, "-c", code, str(source), str(out), "--key-file", str(key)]
    command += ["--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    journal = journal_of(out)
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = journal.read_bytes().count(b"\n")

    result = run(source, out, "--key-file", key, "--jobs", 1)
    whole = run(source, tmp_path / "whole", "--key-file", key, "--jobs", 1)

    assert result.exit_code == whole.exit_code == 0, result.output
    assert 0 < done <= 300
    assert f"{done} of those written were there from an earlier run" in result.output
    assert contents(out) == contents(tmp_path / "whole")
    assert not list(out.rglob("*.part"))


def test_no_process_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    source, key, out = originals(tmp_path / "in", 200), tmp_path / "key", tmp_path / "out"
    code = "from deid.commands import app; app()"
    command = [sys.executable, "-c", code, str(source), str(out), "--key-file", str(key)]
    run_process = subprocess.Popen([*command, "--jobs", "2"], stderr=subprocess.PIPE)
    journal = journal_of(out)
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.002)

    run_process.kill()

    # Its processes have the other end of this pipe: it is at its end when all of them are.
    run_process.communicate(timeout=20)
    assert run_process.returncode == -signal.SIGKILL


def test_what_is_done_is_not_done_again_unless_content_settings_or_result_changed(
    tmp_path: Path,
) -> None:
    source, out, report = originals(tmp_path / "in", 3), tmp_path / "out", tmp_path / "r.json"
    arguments = (source, out, "--key-file", tmp_path / "key", "--report", report)

    def resumed(*more: object) -> int:
        assert run(*arguments, *more).exit_code == 0
        return json.loads(report.read_text())["resumed"]

    assert resumed() == 0
    assert resumed() == 3
    assert resumed("--redo") == 0
    assert resumed("--option", "clean-descriptors") == 0
    assert resumed("--option", "clean-descriptors") == 3
    next(iter(out.rglob("*.dcm"))).unlink()
    assert resumed("--option", "clean-descriptors") == 2
    (source / "Doe 1.dcm").write_bytes(file_of(ct(SOPInstanceUID=f"{ROOT}.3.1", SeriesNumber=9)))
    assert resumed("--option", "clean-descriptors") == 2


def test_a_report_asked_for_later_is_whole(tmp_path: Path) -> None:
    source, out, report = originals(tmp_path / "in", 2), tmp_path / "out", tmp_path / "r.json"

    run(source, out, "--key-file", tmp_path / "key")
    run(source, out, "--key-file", tmp_path / "key", "--report", report)
    first = json.loads(report.read_text())
    run(source, out, "--key-file", tmp_path / "key", "--report", report)
    second = json.loads(report.read_text())

    assert len(first["instances"]) == 2
    assert (first["resumed"], second["resumed"]) == (0, 2)
    assert {**first, "resumed": 2} == second


def test_the_output_folder_names_nobody(tmp_path: Path) -> None:
    source, out = originals(tmp_path / "in", 2), tmp_path / "out"

    run(source, out, "--key-file", tmp_path / "key", "--report", tmp_path / "r.json")

    for file in out.rglob("*"):
        said = str(file.relative_to(out)).encode() + (file.read_bytes() if file.is_file() else b"")
        assert not any(word in said for word in (b"Doe", b"PAT-4711", ROOT.encode()))


def made(number: int) -> Written:
    return Written("1", "2", str(number), 10, {"kept": 3}, ("113100",), (("p", "r", "kept"),))


def test_a_line_cut_off_by_a_kill_is_no_line(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add("aa", Finished(made(1), ""))
        journal.add("bb", Finished(made(2), "v"))
    file = journal_of(tmp_path)
    file.write_bytes(file.read_bytes()[:-7])

    with Journal(tmp_path) as journal:
        assert journal.finished == {"aa": Finished(made(1), "")}
        journal.add("bb", Finished(made(2), "v"))
    with Journal(tmp_path) as journal:
        assert journal.finished["bb"] == Finished(made(2), "v")


def test_one_run_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(OutputError, match="another run"):
        Journal(tmp_path)


def test_two_inputs_with_one_instance_uid_are_told(tmp_path: Path) -> None:
    source = originals(tmp_path / "in", 1)
    (source / "copy.dcm").write_bytes((source / "Doe 0.dcm").read_bytes())

    result = run(source, tmp_path / "out", "--key-file", tmp_path / "key")

    assert "1 have the SOP Instance UID of another" in result.output


def test_a_damaged_member_of_an_archive_is_refused_and_the_others_are_done(tmp_path: Path) -> None:
    archive = tmp_path / "in.zip"
    files = [file_of(ct(SOPInstanceUID=f"{ROOT}.3.{at}")) for at in range(2)]
    with zipfile.ZipFile(archive, "w") as target:
        for at, content in enumerate(files):
            target.writestr(f"Doe {at}.dcm", content)
    broken = bytearray(archive.read_bytes())
    broken[broken.index(files[0]) + 200] ^= 0xFF
    archive.write_bytes(broken)

    result = run(archive, tmp_path / "out", "--key-file", tmp_path / "key")

    assert result.exit_code == 1
    assert "1 written, 1 refused" in result.output
    assert "Doe" not in result.output


def test_a_folder_that_cant_be_written_ends_the_run_with_status_3(tmp_path: Path) -> None:
    source, out = originals(tmp_path / "in", 2), tmp_path / "out"
    run(source, out, "--key-file", tmp_path / "key")
    study = next(iter(out.rglob("*.dcm"))).parents[1]
    for file in study.rglob("*.dcm"):
        file.unlink()
    for series in study.iterdir():
        series.rmdir()
    study.rmdir()
    study.write_bytes(b"a file where the folder of the study should be")

    result = run(source, out, "--key-file", tmp_path / "key")

    assert result.exit_code == 3
    assert "can't write to the output folder" in " ".join(result.output.split())


def test_results_inside_the_input_folder_are_no_inputs(tmp_path: Path) -> None:
    source = originals(tmp_path / "in", 2)
    for _ in range(2):
        result = run(source, source / "out", "--key-file", tmp_path / "key")
        assert "2 written, 0 refused, 0 not DICOM" in result.output
    assert run(source, source, "--key-file", tmp_path / "key").exit_code == 2


def test_a_killed_process_ends_the_run_and_keeps_what_is_done(tmp_path: Path) -> None:
    files = [SourceFile(file) for file in originals(tmp_path / "in", 120).iterdir()]
    DeidentificationKey.from_file(tmp_path / "key")
    settings = Settings(tmp_path / "key")
    with Journal(tmp_path / "out") as journal:
        outcomes = run_files(files, Task(settings, tmp_path / "out", False, "", {}), journal, 2)
        next(outcomes)
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(OutputError, match="fewer --jobs"):
            list(outcomes)
    with Journal(tmp_path / "out") as journal:
        assert 0 < len(journal.finished) < 120


def test_few_files_are_worth_no_process() -> None:
    assert jobs_for(10) == 1
    assert 1 <= jobs_for(10_000) <= len(os.sched_getaffinity(0))
