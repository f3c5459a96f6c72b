# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sidelight that can't start: Orthanc goes on, but an archive without originals stays one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugin import host, startup
from plugin.arrival.storage_guard import NotAdmittedError


class Actions:
    KEEP_AS_IS, MODIFY, DISCARD = "keep", "modify", "discard"


UUID = "0f3b1a2c-4d5e-6f70-8192-a3b4c5d6e7f8"


def start(orthanc: Any, section: dict[str, Any], **whole: Any) -> list[Any]:
    """The hook of received instances, and the storage's, after a start with this section."""
    hooks: list[Any] = []
    orthanc.GetConfiguration = lambda: json.dumps({"Sidelight": section, **whole})
    orthanc.GetConfigurationPath = lambda: "."
    orthanc.LogError = orthanc.LogWarning = lambda _line: None
    orthanc.RegisterRestCallback = lambda *_: None
    orthanc.ReceivedInstanceAction = Actions
    orthanc.RegisterReceivedInstanceCallback = hooks.append
    orthanc.RegisterStorageArea = lambda *storage: hooks.append(storage)
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
    orthanc: Any, tmp_path: Path, section: dict[str, Any]
) -> None:
    hook, (create, _read, _remove) = start(orthanc, section, StorageDirectory=str(tmp_path))
    assert hook(b"an original", 2) == ("modify", host.REFUSAL)
    with pytest.raises(NotAdmittedError):
        create(UUID, 1, b"an original")
    assert list(tmp_path.iterdir()) == []


def test_it_reads_what_is_there_all_the_same(orthanc: Any, tmp_path: Path) -> None:
    _, (_create, read, remove) = start(
        orthanc, {"Arrival": ASKED, "Enabled": False}, StorageDirectory=str(tmp_path)
    )
    place = tmp_path / "0f" / "3b" / UUID
    place.parent.mkdir(parents=True)
    place.write_bytes(b"stored before")
    assert read(UUID, 1) == b"stored before"
    remove(UUID, 1)
    assert not place.exists()


@pytest.mark.parametrize(
    ("arrival", "whole"),
    [
        ({"GuardStorage": "off"}, {}),
        ({"GuardStorage": "required"}, {"PostgreSQL": {"EnableStorage": True}}),
        ({}, {"AwsS3Storage": {"BucketName": "x"}}),
    ],
)
def test_a_storage_that_cannot_or_shall_not_be_guarded_stays_what_it_is(
    orthanc: Any, arrival: dict[str, Any], whole: dict[str, Any]
) -> None:
    section = {"Arrival": {**ASKED, **arrival}, "Environment": "/no/such/folder"}
    (hook,) = start(orthanc, section, **whole)
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
