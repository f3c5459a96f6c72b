# SPDX-License-Identifier: Apache-2.0
"""``deid check`` finds what was left; ``deid explain`` shows rules and no value."""

from __future__ import annotations

import zipfile
from pathlib import Path

from typer.testing import CliRunner

from deid import Deidentifier
from deid.checking import check
from deid.commands import app
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of
from tests.deid.planted import planted_ct


def test_an_original_is_found_out() -> None:
    places = {finding.place for finding in check(planted_ct().content)}

    assert {"00120062", "00100010", "file"} <= places


def test_a_deidentified_scan_passes() -> None:
    for options in ((), PIPELINE):
        made = Deidentifier(KEY, options).deidentify(planted_ct().content).to_bytes()
        assert check(made, ["QZ11XW"]) == []


def test_a_known_term_is_found_in_any_byte() -> None:
    whats = {finding.what for finding in check(file_of(ct()), ["Jane", "Absent"])}

    assert "term 1 of the list" in whats
    assert "term 2 of the list" not in whats


def test_the_commands_name_places_and_rules_but_no_values(tmp_path: Path) -> None:
    file = tmp_path / "one.dcm"
    file.write_bytes(file_of(ct()))

    explained = CliRunner().invoke(app, ["explain", str(file)])
    checked = CliRunner().invoke(app, ["check", str(tmp_path)])

    assert explained.exit_code == 0
    assert "00100020\treplaced by a pseudonym" in explained.output
    assert checked.exit_code == 1
    assert "Doe" not in explained.output + checked.output


def test_a_zip_archive_is_read_and_its_result_passes_the_check(tmp_path: Path) -> None:
    archive, out, key = tmp_path / "study.zip", tmp_path / "out", tmp_path / "key"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("Doe/1", file_of(ct()))
        made.writestr("DICOMDIR", b"not read")

    run = [str(archive), "--out", str(out), "--key-file", str(key), "--profile", "research"]
    done = CliRunner().invoke(app, run)

    assert done.exit_code == 0, done.output
    assert len(list(out.rglob("*.dcm"))) == 1
    assert CliRunner().invoke(app, ["check", str(out)]).exit_code == 0
