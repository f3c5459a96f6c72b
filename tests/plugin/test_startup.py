# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sidelight that can't start: Orthanc goes on, but an archive without originals stays one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugin import host, startup


class Actions:
    KEEP_AS_IS, MODIFY, DISCARD = "keep", "modify", "discard"


def start(orthanc: Any, section: dict[str, Any]) -> list[Any]:
    """The hooks of received instances after a start with this section."""
    hooks: list[Any] = []
    orthanc.GetConfiguration = lambda: json.dumps({"Sidelight": section})
    orthanc.LogError = orthanc.LogWarning = lambda _line: None
    orthanc.RegisterRestCallback = lambda *_: None
    orthanc.ReceivedInstanceAction = Actions
    orthanc.RegisterReceivedInstanceCallback = hooks.append
    startup.start(Path(startup.__file__).parents[1])
    return hooks


ASKED = {"Mode": "deidentify"}


@pytest.mark.parametrize(
    "section",
    [
        {"Arrival": ASKED, "Enabled": False},
        {"Arrival": ASKED, "Environment": "/no/such/folder"},
        {"Arrival": ASKED, "Workers": {"Cuont": 2}},
        {"Arrival": ASKED, "Python": "/no/such/python"},
        {"Arrival": {"Mode": "deidentify", "TimeoutSeconds": -1}},
        {"Arrival": {"Mode": "deidentfy"}},
        {"Arival": ASKED},
    ],
)
def test_an_archive_without_originals_stores_nothing_when_sidelight_does_not_start(
    orthanc: Any, section: dict[str, Any]
) -> None:
    (hook,) = start(orthanc, section)
    assert hook(b"an original", 2) == ("modify", host.REFUSAL)


@pytest.mark.parametrize(
    "section", [{"Enabled": False}, {"Workers": {"Cuont": 2}}, {"Environment": "/no/such/folder"}]
)
def test_any_other_orthanc_goes_on_as_if_without_sidelight(
    orthanc: Any, section: dict[str, Any]
) -> None:
    assert start(orthanc, section) == []


def test_a_python_plugin_without_the_hook_ends_orthanc(orthanc: Any) -> None:
    # Orthanc exits when its script raises.
    def missing(_callback: object) -> None:
        raise AttributeError

    orthanc.ReceivedInstanceAction = Actions
    orthanc.RegisterReceivedInstanceCallback = missing
    with pytest.raises(AttributeError):
        host.on_received(lambda _: None)
