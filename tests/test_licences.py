# SPDX-License-Identifier: Apache-2.0
"""Every source file says its licence, and the licence is that of its folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "plugin": "AGPL-3.0-or-later",
    "deid": "Apache-2.0",
    "inference": "Apache-2.0",
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_python_file_of_a_folder_has_its_licence(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert first == f"# SPDX-License-Identifier: {FOLDERS[folder]}", path.name


@pytest.mark.parametrize("folder", ["tests", "benchmarks", "docker"])
def test_every_other_python_file_has_one_of_both(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert first.removeprefix("# SPDX-License-Identifier: ") in FOLDERS.values(), path.name


def test_the_text_of_every_licence_is_there() -> None:
    for licence in set(FOLDERS.values()):
        assert (ROOT / "LICENSES" / f"{licence}.txt").stat().st_size > 10_000


def test_weights_are_small_and_each_bundle_has_a_card_that_says_what_it_is() -> None:
    models = ROOT / "inference" / "models"
    assert sum(path.stat().st_size for path in models.rglob("*.safetensors")) < 20_000_000
    for bundle in models.iterdir():
        first = (bundle / "README.md").read_text(encoding="utf-8").split("\n", 1)[0].lower()
        assert "trained on phantoms" in first
        assert "not for clinical use" in first


def test_no_path_of_a_machine_is_in_the_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    pattern = "|".join(("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"))
    found = subprocess.run(
        ["git", "grep", "-n", "-I", "-E", pattern, "--", "."],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout == ""
