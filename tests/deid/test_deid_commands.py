# SPDX-License-Identifier: Apache-2.0
"""``sidelight deidentify`` on files and folders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
import typer
from typer.testing import CliRunner

from deid.commands import app
from tests.deid.made_scans import ROOT, ct, file_of
from tests.deid.planted import planted_ct

sidelight = typer.Typer()
sidelight.add_typer(app, name="deidentify")
sidelight.command("other")(lambda: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    (source / "Doe^Jane").mkdir(parents=True)
    for number in range(3):
        content = file_of(ct(SOPInstanceUID=f"{ROOT}.3.{number}", StudyDescription="CT Chest Doe"))
        (source / "Doe^Jane" / f"{number}.dcm").write_bytes(content)
    (source / "notes.txt").write_text("Jane Doe")
    return source


def run(*arguments: object):
    return CliRunner().invoke(sidelight, ["deidentify", *map(str, arguments)])


def test_a_folder_is_written_under_new_uids_alone(folder: Path, tmp_path: Path) -> None:
    out, key = tmp_path / "out", tmp_path / "key"

    result = run(folder, out, "--key-file", key)

    assert result.exit_code == 0, result.output
    files = sorted(out.rglob("*.*cm"))
    assert len(files) == 3
    for file in files:
        dataset = pydicom.dcmread(file)
        assert file.stem == dataset.SOPInstanceUID
        assert file.parent.name == dataset.SeriesInstanceUID
        assert file.parent.parent.name == dataset.StudyInstanceUID
        assert "StudyDescription" not in dataset
    assert "Doe" not in result.output
    assert key.stat().st_mode & 0o777 == 0o600


def test_options_may_stand_anywhere_and_a_file_is_enough(folder: Path, tmp_path: Path) -> None:
    file = folder / "Doe^Jane" / "1.dcm"
    options = ("--option", "clean-descriptors", "--option", "modified-dates")

    result = run("--key-file", tmp_path / "key", file, tmp_path / "out", *options)

    assert result.exit_code == 0, result.output
    (made,) = (tmp_path / "out").rglob("*.dcm")
    assert pydicom.dcmread(made).StudyDescription == "CT Chest"


def test_a_second_run_writes_the_same_files(folder: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert run(folder, tmp_path / out, "--key-file", tmp_path / "key").exit_code == 0

    contents = [
        {file.name: file.read_bytes() for file in (tmp_path / out).rglob("*.dcm")}
        for out in ("one", "two")
    ]
    assert contents[0] == contents[1]


def test_the_report_says_what_was_done_and_names_nobody(folder: Path, tmp_path: Path) -> None:
    planted = planted_ct()
    (folder / "planted.dcm").write_bytes(planted.content)
    report = tmp_path / "report.json"

    result = run(folder, tmp_path / "out", "--key-file", tmp_path / "key", "--report", report)

    assert result.exit_code == 0, result.output
    text = report.read_text()
    said = json.loads(text)
    assert (said["written"], said["not_dicom"], said["methods"]) == (4, 1, ["113100", "113101"])
    assert len(said["instances"]) == 4
    assert sum(said["actions"].values()) == sum(map(len, said["instances"].values()))
    assert not any(word.decode() in text for word in planted.identifiers.values())
    assert "Jane" not in text


def test_a_refused_file_ends_with_status_1_and_its_reason(folder: Path, tmp_path: Path) -> None:
    (folder / "burned.dcm").write_bytes(file_of(ct(BurnedInAnnotation="YES")))

    asked = (folder, tmp_path / "out", "--key-file", tmp_path / "key", "--pixel-text", "leave")
    result = run(*asked)
    allowed = run(*asked, "--allow-burned-in")

    assert result.exit_code == 1
    assert "BurnedInAnnotationError" in result.output
    assert "3 written, 1 refused, 1 not DICOM" in result.output
    assert allowed.exit_code == 0


def test_bad_options_and_keys_are_explained(folder: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"1")
    short.chmod(0o600)
    both = ("--option", "full-dates", "--option", "modified-dates")

    for arguments, words in (
        (("--key-file", short), "fewer than 32"),
        (("--key-file", tmp_path / "key", *both), "exclude each other"),
        (("--key-file", tmp_path / "key", "--option", "everything"), "everything"),
    ):
        result = run(folder, tmp_path / "out", *arguments)
        assert result.exit_code == 2
        assert words in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_folder_with_results_gets_none_of_a_new_key(folder: Path, tmp_path: Path) -> None:
    out, key = tmp_path / "out", tmp_path / "key"
    assert run(folder, out, "--key-file", key).exit_code == 0
    key.unlink()

    again = run(folder, out, "--key-file", key)

    assert again.exit_code == 2
    assert "key file" in again.output
    assert not key.exists()
    assert run(folder, tmp_path / "other", "--key-file", key).exit_code == 0


def test_a_report_that_can_not_be_written_is_said_before_the_work(
    folder: Path, tmp_path: Path
) -> None:
    done = run(
        folder, tmp_path / "out", "--key-file", tmp_path / "key", "--report", tmp_path / "no" / "r"
    )
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()
    full = run(folder, tmp_path / "out", "--key-file", tmp_path / "key", "--report", "/dev/full")
    assert full.exit_code == 3
    assert "the report can't be written" in full.output


def test_the_report_has_digests_where_the_profile_asks_for_them(
    folder: Path, tmp_path: Path
) -> None:
    profile, report = tmp_path / "profile.toml", tmp_path / "report.json"
    profile.write_text("record_digests = true")
    options = ("--key-file", tmp_path / "key", "--profile", profile, "--report", report)
    told = []
    for _ in range(2):
        assert run(folder, tmp_path / "out", *options).exit_code == 0
        told.append(json.loads(report.read_text())["instances"])

    assert told[0] == told[1]
    records = [record for made in told[0].values() for record in made]
    digests = {path: digest for path, _, _, digest in (one for one in records if len(one) == 4)}
    assert len(digests["00100010"]) == 16
    assert digests["00100010"] != digests["00100020"]


def test_neither_key_nor_vault_lies_among_the_results(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "vault.db").touch()
    for options in (
        ("--key-file", out / "key"),
        ("--key-file", tmp_path / "key", "--vault", out / "vault.db"),
    ):
        refused = run(folder, out, *options)
        assert refused.exit_code == 2
        assert "must lie outside of OUT" in refused.output
    assert [file.name for file in out.iterdir()] == ["vault.db"]


def test_no_library_quotes_a_value_on_standard_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "profile.toml").write_text('pixel_text = "mask"\npixel_terms = true')
    pixels = {
        "Rows": 16, "Columns": 16, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
        "PixelData": bytes(256), "NumberOfFrames": "1",
    }  # fmt: skip
    for at in range(2):
        scan = ct(SOPInstanceUID=f"{ROOT}.3.{at}", **pixels)
        content = file_of(scan)
        number = content.index(b"\x28\0\x08\0IS")
        planted = b"\x28\0\x08\0IS\x0a\0Fenwickson"
        (tmp_path / "in" / str(at)).write_bytes(content[:number] + planted + content[number + 10 :])
    command = [
        sys.executable, "-c", "from deid.commands import app; app()", str(tmp_path / "in"),
        "--out", str(tmp_path / "out"), "--key-file", str(tmp_path / "key"),
        "--profile", str(tmp_path / "profile.toml"), "--jobs", "2",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "2 refused" in done.stderr
    assert "Fenwickson" not in done.stdout + done.stderr
    assert "Warning" not in done.stderr
