# SPDX-License-Identifier: AGPL-3.0-or-later
"""The environment and the Python inside Orthanc must be of one version, or say so in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plugin import environment, startup
from plugin.environment import EnvironmentMismatchError, activate, interpreter


def make_environment(folder: Path, version: str) -> Path:
    (folder / "lib" / version / "site-packages").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="ascii")
    return folder


def test_an_environment_of_another_python_is_named_with_the_way_out(tmp_path: Path) -> None:
    folder = make_environment(tmp_path / "env", "python3.7")
    with pytest.raises(EnvironmentMismatchError) as caught:
        activate(tmp_path, str(folder))
    embedded = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    assert "is for python3.7" in str(caught.value)
    assert f"'{embedded} -m venv'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMismatchError, match="there is no such folder"):
        activate(tmp_path, str(tmp_path / "absent"))


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "NEEDED_INSIDE_ORTHANC", ("no_such_package",))
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    folder = make_environment(tmp_path / "env", version)
    with pytest.raises(EnvironmentMismatchError, match="lacks the package no_such_package"):
        activate(tmp_path, str(folder))


def test_the_environment_beside_the_code_is_found(tmp_path: Path) -> None:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    folder = make_environment(tmp_path / ".venv", version)
    assert activate(tmp_path, "") == folder


def test_children_run_under_the_environments_python(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert interpreter(tmp_path, "") == str(tmp_path / "bin" / "python")
    assert interpreter(tmp_path, "/opt/python") == "/opt/python"


def test_a_mismatch_leaves_orthanc_running_and_is_said_on_the_status_route(
    orthanc: object, tmp_path: Path
) -> None:
    lines: list[str] = []
    routes: dict[str, object] = {}
    orthanc.GetConfiguration = lambda: '{"Sidelight": {"Environment": "/no/such"}}'  # type: ignore[attr-defined]
    orthanc.LogError = lines.append  # type: ignore[attr-defined]
    orthanc.RegisterRestCallback = routes.__setitem__  # type: ignore[attr-defined]
    startup.start(tmp_path)
    assert len(lines) == 1
    assert "there is no such folder" in lines[0]
    assert list(routes) == ["/sidelight/status"]
