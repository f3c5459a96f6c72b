# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console script: what no command may tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READING = """
import sys
from unittest.mock import Mock
import typer
from pydicom.dataelem import DataElement
from plugin import commands

app = typer.Typer()

@app.callback()
def reading():
    pass

@app.command()
def header():
    element = DataElement("PatientBirthDate", "DA", sys.stdin.read())
    typer.echo(f"read {len(str(element.value))} characters")

commands.metadata = Mock(**{"entry_points.return_value": [Mock(load=lambda: app)]})
commands.metadata.entry_points.return_value[0].name = "reading"
sys.argv[:] = ["sidelight", "reading", "header"]
commands.main()
"""


def test_no_command_shows_values_that_a_dicom_library_warns_of() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", READING],
        input="QUENTIN1950", capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert "read 11 characters" in ended.stdout, ended.stderr
    assert "QUENTIN" not in ended.stdout + ended.stderr
