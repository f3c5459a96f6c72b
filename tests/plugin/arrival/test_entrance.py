# SPDX-License-Identifier: AGPL-3.0-or-later
"""Both locks of arrival mode as Orthanc meets them: what the one hands back, the other lets in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugin.arrival.entrance import Entrance
from plugin.arrival.protocol import Kind
from plugin.arrival.received import ArrivalDoor
from plugin.arrival.storage_guard import Content, NotAdmittedError
from plugin.arrival.storage_settings import UnguardedError
from tests.plugin.arrival.faulty import TOKEN, answering, whole
from tests.plugin.arrival.test_received import DEIDENTIFIED, ORIGINAL

UUID = "0f3b1a2c-4d5e-6f70-8192-a3b4c5d6e7f8"


@pytest.fixture
def logged(orthanc: Any) -> list[str]:
    lines: list[str] = []
    orthanc.GetConfigurationPath = lambda: "."
    orthanc.LogError = orthanc.LogWarning = lines.append
    return lines


def entrance(socket: str, storage: Path, guarding: str = "auto", **more: Any) -> Entrance:
    door = ArrivalDoor(socket, TOKEN, 2.0, 1)
    return Entrance.of(door, guarding, {"StorageDirectory": str(storage), **more})


def test_what_came_back_can_be_stored_and_the_original_cannot(
    logged: list[str], tmp_path: Path
) -> None:
    with answering(tmp_path / "s", whole(Kind.STORE, DEIDENTIFIED)) as path:
        both = entrance(path, tmp_path / "db")
        assert both.received.on_received_instance(ORIGINAL) == DEIDENTIFIED
        assert both.guard is not None
        with pytest.raises(NotAdmittedError):
            both.guard.create(UUID, Content.DICOM, ORIGINAL)
        both.guard.create(UUID, Content.DICOM, DEIDENTIFIED)
    assert both.status()["storage"] == {"guarded": True, "kept_out": 1, "reason": ""}
    assert logged == []


def test_an_own_object_can_be_stored_as_it_is(logged: list[str], tmp_path: Path) -> None:
    with answering(tmp_path / "s", whole(Kind.KEEP, b"")) as path:
        both = entrance(path, tmp_path / "db")
        assert both.received.on_received_instance(b"an object") == b"an object"
    assert both.guard is not None
    both.guard.create(UUID, Content.DICOM, b"an object")
    assert logged == []


def test_a_file_of_another_day_is_stored_if_the_arrival_process_knows_it(
    logged: list[str], tmp_path: Path
) -> None:
    with answering(tmp_path / "s", whole(Kind.STORE, DEIDENTIFIED)) as path:
        guard = entrance(path, tmp_path / "db").guard
        assert guard is not None
        with pytest.raises(NotAdmittedError):
            guard.create(UUID, Content.DICOM, ORIGINAL)
        guard.create(UUID, Content.DICOM, DEIDENTIFIED)
    unknown = entrance(str(tmp_path / "nobody"), tmp_path / "other").guard
    assert unknown is not None
    with pytest.raises(NotAdmittedError):
        unknown.create(UUID, Content.DICOM, DEIDENTIFIED)
    assert logged == []


def test_a_storage_that_must_be_guarded_and_cannot_be_is_an_error(
    logged: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UnguardedError, match="PostgreSQL"):
        entrance("s", tmp_path, "required", PostgreSQL={"EnableStorage": True})
    assert logged == []


@pytest.mark.parametrize(
    ("guarding", "more", "reason"),
    [
        ("auto", {"PostgreSQL": {"EnableStorage": True}}, "PostgreSQL"),
        ("off", {}, "GuardStorage is off"),
    ],
)
def test_a_storage_without_guard_is_named_in_the_status(
    logged: list[str], tmp_path: Path, guarding: str, more: dict[str, Any], reason: str
) -> None:
    storage: Any = entrance("s", tmp_path, guarding, **more).status()["storage"]
    assert storage["guarded"] is False
    assert reason in storage["reason"]
    assert logged == []


def test_where_another_plugin_has_the_storage_nothing_more_is_let_in(
    logged: list[str], tmp_path: Path
) -> None:
    with answering(tmp_path / "s", whole(Kind.STORE, DEIDENTIFIED)) as path:
        both = entrance(path, tmp_path / "db")
        assert both.received.on_received_instance(ORIGINAL) == DEIDENTIFIED
        both.on_new_instance()
        both.on_new_instance()
        assert both.received.on_received_instance(ORIGINAL) is None
    storage: Any = both.status()["storage"]
    assert storage["guarded"] is False
    assert "another plugin" in storage["reason"]
    assert len([line for line in logged if "nothing is stored any more" in line]) == 1


@pytest.mark.parametrize("reason", [b"KeyFileError: the key is missing", None])
def test_what_keeps_every_instance_out_is_a_problem_until_one_is_judged_again(
    logged: list[str], tmp_path: Path, reason: bytes | None
) -> None:
    both = entrance(str(tmp_path / "s"), tmp_path / "db")
    if reason is None:
        both.received.on_received_instance(ORIGINAL)
    else:
        with answering(tmp_path / "s", whole(Kind.REFUSE, reason)):
            both.received.on_received_instance(ORIGINAL)
    (problem,) = both.problems()
    assert problem.startswith("arrivals are refused: ")
    with answering(tmp_path / "s", whole(Kind.REFUSE, b"NotDicomError: no DICOM file")):
        both.received.on_received_instance(ORIGINAL)
    assert both.problems() == []
    assert len(logged) == 1
