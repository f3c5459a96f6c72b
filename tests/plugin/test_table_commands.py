# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables are checked before Orthanc reads them, and their mistakes are said in an admin's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

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
