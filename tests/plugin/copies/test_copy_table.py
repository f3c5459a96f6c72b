# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of copies says what it means, or what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from plugin.configuration.copy_table import CopyTable, check_copies, read_copies
from plugin.configuration.table_file import TableError
from plugin.copies.commands import app

RULE = """
[[copy]]
name = "research"
when = {{ modalities = ["CT"], descriptions = ["*lung*"] }}
profile = "research"
destination = {{ kind = "folder", path = "{folder}" }}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "copies.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_table_means_no_copies() -> None:
    assert read_copies("") == CopyTable()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('name = "a"\nat = "instance"\nwhen = { regions = ["chest"] }', "regions"),
        ('name = "a"\nat = "instance"\nresults = "include"', "results"),
        ('name = "A b"', "name"),
        ('name = "a"\nwhen = { modality = ["CT"] }', "allowed: modalities"),
    ],
)
def test_a_rule_that_is_not_allowed_is_named(tmp_path: Path, line: str, said: str) -> None:
    text = f'[[copy]]\n{line}\ndestination = {{ kind = "node", modality = "x" }}\n'
    with pytest.raises(TableError, match=said):
        read_copies(str(written(tmp_path, text)))


@pytest.mark.parametrize(
    "destination",
    [
        '{ kind = "orthanc", url = "http://elsewhere:8042" }',
        '{ kind = "dicomweb", url = "https://user:secret@elsewhere" }',
        '{ kind = "node", modality = "x", zone = "phi" }',
        '{ kind = "folder", path = "relative" }',
    ],
)
def test_no_destination_is_open_to_eavesdroppers_or_gets_originals(
    tmp_path: Path, destination: str
) -> None:
    with pytest.raises(TableError) as error:
        read_copies(str(written(tmp_path, f'[[copy]]\nname = "a"\ndestination = {destination}\n')))
    assert "secret" not in str(error.value)


def test_a_missing_folder_is_named_before_anything_starts(tmp_path: Path) -> None:
    table = read_copies(str(written(tmp_path, RULE.format(folder=tmp_path / "nowhere"))))
    with pytest.raises(TableError, match="no such folder"):
        check_copies(table)


def test_the_command_says_what_a_table_means(tmp_path: Path) -> None:
    good = written(tmp_path, RULE.format(folder=tmp_path))
    done = CliRunner().invoke(app, ["check", str(good)])
    assert done.exit_code == 0, done.output
    assert "research" in done.output
    bad = written(tmp_path, RULE.format(folder=tmp_path).replace('"research"\nd', '"none"\nd'))
    done = CliRunner().invoke(app, ["check", str(bad)])
    assert done.exit_code == 1
    assert "no such profile" in done.output
