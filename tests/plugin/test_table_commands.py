# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables are checked before Orthanc reads them, and their mistakes are said in an admin's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from plugin.configuration import read
from plugin.configuration.table_file import TableError
from plugin.configuration.tables import check_tables
from plugin.copies.commands import app as copies
from plugin.routing.commands import app as applications
from plugin.table_commands import Kind, app

SHIPPED = Path(__file__).parents[2] / "plugin" / "configuration"
FILES = {
    Kind.ANATOMY_RULES: "anatomy_rules.toml",
    Kind.HANGINGS: "hangings.toml",
    Kind.PRIORITIES: "priorities.toml",
    Kind.STANDARD_ENTRIES: "standard_entries.toml",
}
HANGING = """
[[hanging]]
name = "CT Body"
description = "Axial"
modalities = "CT"
regions = ["thorax"]
rows = 1
columns = 2
[[hanging.box]]
at = "left"
colour = "red"
"""


@pytest.mark.parametrize("kind", FILES)
def test_the_shipped_tables_are_right_and_what_they_hold_is_said(kind: Kind) -> None:
    result = CliRunner().invoke(app, ["check", kind.value, str(SHIPPED / FILES[kind])])
    assert result.exit_code == 0
    assert " x " in result.stdout


@pytest.mark.parametrize("kind", FILES)
def test_a_table_that_an_editor_of_windows_saved_with_a_byte_order_mark_is_read(
    kind: Kind, tmp_path: Path
) -> None:
    file = tmp_path / FILES[kind]
    file.write_bytes(b"\xef\xbb\xbf" + (SHIPPED / FILES[kind]).read_bytes())
    assert CliRunner().invoke(app, ["check", kind.value, str(file)]).exit_code == 0


def test_every_mistake_has_a_line_and_none_follows_from_another(tmp_path: Path) -> None:
    file = tmp_path / "hangings.toml"
    file.write_text(HANGING)
    result = CliRunner().invoke(app, ["check", "hangings", str(file)])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        (
            "hanging CT Body: name = 'CT Body': "
            "allowed: up to 16 small letters, digits, hyphens, a letter first"
        ),
        "hanging CT Body: modalities = 'CT': a list is wanted, in square brackets",
        (
            "hanging CT Body: regions.0 = 'thorax': input should be 'whole body', 'head', 'neck', "
            "'spine', 'chest', 'breast', 'abdomen', 'pelvis', 'upper limb' or 'lower limb'"
        ),
        (
            "hanging CT Body: box.0.colour: there is no such key; allowed: at, modalities, "
            "regions, views, laterality, orientation, contrast, prior"
        ),
    ]


def test_a_file_that_is_missing_or_no_toml_is_said_too(tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, ["check", "priorities", str(tmp_path / "none.toml")])
    assert (missing.exit_code, "No such file" in missing.stderr) == (1, True)
    (tmp_path / "broken.toml").write_text("[[rule]")
    broken = CliRunner().invoke(app, ["check", "priorities", str(tmp_path / "broken.toml")])
    assert (broken.exit_code, "is no TOML" in broken.stderr) == (1, True)


APPLICATIONS = """
[[application]]
name = "lung-follow-up"
scan = { modalities = ["CT"], regions = ["chest"] }
destination = { kind = "http", url = "https://ai.example", authorization_file = "/no/word" }
[[application]]
name = "elsewhere"
scan = { modalities = ["DX"], regions = ["chest"] }
[application.destination]
kind = "sidelight"
bundle = "chest"
url = "https://ai.example"
token_file = "/no/token"
certificate_authority = "/no/ca.pem"
"""
COPIES = """
[[copy]]
name = "research"
profile = "/no/profile.toml"
destination = { kind = "dicomweb", url = "https://a.example", authorization_file = "/no/word" }
[[copy]]
name = "teaching"
destination = { kind = "folder", path = "/no/folder" }
"""
AWAY = "can't be read (FileNotFoundError)"
MISSING = {
    APPLICATIONS: [
        f"application lung-follow-up: destination.authorization_file = /no/word: {AWAY}",
        f"application elsewhere: destination.token_file = /no/token: {AWAY}",
        f"application elsewhere: destination.certificate_authority = /no/ca.pem: {AWAY}",
    ],
    COPIES: [
        f"copy research: destination.authorization_file = /no/word: {AWAY}",
        "copy research: profile = /no/profile.toml: there is no such profile",
        "copy teaching: destination.path = /no/folder: there is no such folder",
    ],
}


@pytest.mark.parametrize(("kind", "text"), [("applications", APPLICATIONS), ("copies", COPIES)])
def test_files_that_a_table_names_and_nobody_finds_are_mistakes_as_for_orthanc(
    kind: str, text: str, tmp_path: Path
) -> None:
    file = tmp_path / "table.toml"
    file.write_text(text)
    result = CliRunner().invoke(app, ["check", kind, str(file)])
    assert (result.exit_code, result.stderr.splitlines()) == (1, MISSING[text])
    section = {"Applications" if kind == "applications" else "Copies": {"Table": str(file)}}
    with pytest.raises(TableError) as caught:
        check_tables(read(section))
    assert caught.value.mistakes == MISSING[text]


def test_the_commands_of_both_tables_say_the_same(tmp_path: Path) -> None:
    for text, check in ((APPLICATIONS, applications), (COPIES, copies)):
        file = tmp_path / "table.toml"
        file.write_text(text)
        result = CliRunner().invoke(check, ["check", str(file)])
        assert (result.exit_code, result.stderr.strip()) == (1, "; ".join(MISSING[text]))
