# SPDX-License-Identifier: AGPL-3.0-or-later
"""Names in the configuration that nobody has: a pin or a mode of them would do nothing, unsaid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference.anatomy.serving.bundle import NAMES
from inference.contract import Health
from plugin.configuration import read
from plugin.gate import InferenceUnavailableError
from plugin.web.configured_names import ConfiguredNames


def problems(
    section: dict[str, Any], findings: Sequence[str] = ("scar",), elsewhere: Sequence[str] = ()
) -> list[str]:
    """What is said where chest-phantom is served, chest-ct is installed, and nothing else."""
    health = Health(status="ok", device="cpu", models=("chest-phantom",), rejected={"chest-ct": ""})
    served = SimpleNamespace(classes=[SimpleNamespace(key=key) for key in findings])
    names = ConfiguredNames(read(section), tuple(elsewhere))
    return names.problems(health, lambda: [served])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"Applications": {"Modes": {"chest-phanton": "disabled"}}}, "Applications.Modes"),
        ({"Inference": {"PinnedDigests": {"chest-phanton": "0" * 64}}}, "Inference.PinnedDigests"),
        ({"Results": {"SeriesNumbers": {"chest-phanton": 9200}}}, "Results.SeriesNumbers"),
    ],
)
def test_a_model_that_is_not_installed_is_said_with_those_that_are(
    section: dict[str, Any], key: str
) -> None:
    assert problems(section) == [
        f"{key}: no model chest-phanton is installed, so nothing is done about it; "
        "there are: " + ", ".join(known_to(key))
    ]


def known_to(key: str) -> list[str]:
    pinned = list(NAMES) if key.endswith("Digests") else []
    return sorted(["chest-ct", "chest-phantom", *pinned])


def test_installed_models_are_no_problem_also_those_that_are_not_served() -> None:
    modes = {"chest-phantom": "dry-run", "chest-ct": "disabled", "knee": "disabled"}
    pins = dict.fromkeys(["chest-phantom", "chest-ct", *NAMES], "0" * 64)
    section = {"Applications": {"Modes": modes}, "Inference": {"PinnedDigests": pins}}
    assert problems(section, elsewhere=["knee"]) == []


def test_a_folder_of_models_that_is_not_there_is_said(tmp_path: Path) -> None:
    there, away = str(tmp_path), str(tmp_path / "models")
    said = problems({"Inference": {"ModelDirectories": [there, away]}})
    assert said == [f"Inference.ModelDirectories: there is no folder {away}"]


def test_keys_that_reach_no_service_elsewhere_are_said() -> None:
    pins = {"PinnedDigests": {"chest-phantom": "0" * 64}, "RequireSignature": True}
    said = problems({"Inference": {"Url": "unix:/run/inference.sock", **pins}})
    assert [one.split(":")[0] for one in said] == [
        "Inference.PinnedDigests",
        "Inference.RequireSignature",
    ]
    assert all("set it at that service" in one for one in said)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Regions", {"lungmass": "lungs"}),
        ("SmoothingByFinding", {"lungmass": 0.5}),
        ("Preference", ["nodule", "lungmass", "scar"]),
    ],
)
def test_findings_that_no_model_has_are_said(key: str, value: object) -> None:
    (said,) = problems({"HeatMaps": {key: value}})
    assert said.startswith(f"HeatMaps.{key}: no model has a finding lungmass; there are: ")


def test_findings_of_models_and_of_the_shipped_table_are_no_problem() -> None:
    assert problems({"HeatMaps": {"Preference": ["scar", "nodule"]}}) == []


def test_nothing_is_said_while_models_are_loaded_or_can_not_be_asked_for() -> None:
    def away() -> list[Any]:
        raise InferenceUnavailableError("inference is not reachable")

    names = ConfiguredNames(read({"HeatMaps": {"Preference": ["lungmass"]}}))
    ok = Health(status="ok", device="cpu", models=())
    assert names.problems(ok, away) == []
    starting = Health(status="starting", device="", models=())
    modes = read({"Applications": {"Modes": {"nobody": "disabled"}}})
    assert ConfiguredNames(modes).problems(starting, away) == []
