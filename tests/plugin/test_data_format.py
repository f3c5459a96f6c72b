# SPDX-License-Identifier: AGPL-3.0-or-later
"""An earlier version does not go on with what a newer one has written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from plugin import data_format, startup
from plugin.data_format import FILE_NAME, FORMAT, NewerFormatError


def test_a_new_data_directory_and_one_of_before_get_the_number(tmp_path: Path) -> None:
    data_format.take(tmp_path)
    assert (tmp_path / FILE_NAME).read_text(encoding="ascii") == f"{FORMAT}\n"
    data_format.take(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_newer_number_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(f"{FORMAT + 1}\n", encoding="ascii")
    with pytest.raises(NewerFormatError, match="install that version again"):
        data_format.take(tmp_path)
    assert (tmp_path / FILE_NAME).read_text(encoding="ascii") == f"{FORMAT + 1}\n"


@pytest.mark.parametrize("text", ["", "new", "-1", "\u00b2"])
def test_a_damaged_number_keeps_nobody_from_starting(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8")
    data_format.take(tmp_path)
    assert (tmp_path / FILE_NAME).read_text(encoding="ascii") == f"{FORMAT}\n"


def test_sidelight_does_not_start_with_the_data_of_a_newer_version(
    orthanc: Any, tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_text(f"{FORMAT + 1}\n", encoding="ascii")
    said: list[str] = []
    section = {"DataDirectory": str(tmp_path), "Python": sys.executable}
    orthanc.GetConfiguration = lambda: json.dumps({"Sidelight": section})
    orthanc.GetConfigurationPath = lambda: "."
    orthanc.LogError = orthanc.LogWarning = said.append
    orthanc.RegisterRestCallback = lambda *_: None
    startup.start(Path(startup.__file__).parents[1])
    (line,) = said
    assert "not started" in line
    assert "newer version" in line
