# SPDX-License-Identifier: AGPL-3.0-or-later
"""Arrival mode inside Orthanc's process: both of its locks, put together once.

The received-instance callback hands each file to the arrival process; the guard of the storage
writes nothing that did not come back from there. Each closes by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plugin import host
from plugin.arrival.memory import lift_memory_limits
from plugin.arrival.received import (
    ArrivalDoor,
    ClosedError,
    ReceivedInstances,
    RefusedError,
    refusing,
)
from plugin.arrival.storage_guard import StorageGuard
from plugin.arrival.storage_settings import UnguardedError, guard_is_declined, storage_folder

BYPASSED = (
    "another plugin took Orthanc's storage, which Arrival.GuardStorage was to guard: set it to off"
)


@dataclass
class Entrance:
    """The callback, and the guard where there is one."""

    received: ReceivedInstances
    guard: StorageGuard | None
    unguarded: str = ""
    """Why there is no guard."""

    @classmethod
    def of(cls, door: ArrivalDoor, guarding: str, whole: Mapping[str, Any]) -> Entrance:
        """The entrance of an archive in arrival mode.

        Args:
            door: to the arrival process.
            guarding: Arrival.GuardStorage.
            whole: Orthanc's configuration.

        Raises:
            UnguardedError: the storage can't be guarded, and must be.
        """
        guard, unguarded = _guard(guarding, whole, _sealed_by(door))
        if guard is None:
            return cls(ReceivedInstances(door.stored_for, host.log_error), None, unguarded)

        def stored_for(received: bytes) -> bytes:
            if guard.bypassed:
                raise ClosedError(BYPASSED)
            return door.stored_for(received)

        return cls(ReceivedInstances(stored_for, host.log_error, guard.admit), guard)

    @classmethod
    def closed(cls, reason: str, section: object, whole: Mapping[str, Any]) -> Entrance:
        """An entrance that lets nothing pass, for where Sidelight could not start."""
        guarding = "off" if guard_is_declined(section) else "auto"
        guard, unguarded = _guard(guarding, whole, lambda _file: False)
        return cls(refusing(reason, host.log_error), guard, unguarded)

    def register(self) -> None:
        """Close Orthanc to whatever does not come through here.

        Raises:
            MemoryLimitError: Orthanc must not run in arrival mode here.
            AttributeError: this Python plugin is too old.
        """
        lift_memory_limits()
        host.on_received(self.received.on_received_instance)
        if self.guard is not None:
            host.on_storage(self.guard)
        else:
            host.log_warning(f"arrival mode: the storage is not guarded: {self.unguarded}")

    def on_new_instance(self) -> None:
        """Orthanc has stored an instance that it did not have."""
        if self.guard is None or self.guard.bypassed:
            return
        if not self.guard.note_stored():
            host.log_error(f"arrival mode: nothing is stored any more. {BYPASSED}")

    def problems(self) -> list[str]:
        """What keeps every instance out, in words, as the latest arrival found it."""
        return [f"arrivals are refused: {self.received.closed}"] if self.received.closed else []

    def status(self) -> dict[str, object]:
        """Counts since Orthanc's start, the latest reason of a refusal, and the guard."""
        storage: dict[str, object] = {"guarded": False, "kept_out": 0, "reason": self.unguarded}
        if self.guard is not None:
            reason = BYPASSED if self.guard.bypassed else ""
            storage = {**self.guard.status(), "reason": reason}
        return {**self.received.status(), "storage": storage}


def _guard(
    guarding: str, whole: Mapping[str, Any], sealed: Callable[[bytes], bool]
) -> tuple[StorageGuard | None, str]:
    if guarding == "off":
        return None, "Arrival.GuardStorage is off"
    try:
        return StorageGuard(storage_folder(whole, host.configuration_folder()), sealed), ""
    except UnguardedError as error:
        if guarding == "required":
            raise
        return None, str(error)


def _sealed_by(door: ArrivalDoor) -> Callable[[bytes], bool]:
    def sealed(file: bytes) -> bool:
        """Whether it stays what it is when it arrives: it bears a seal that holds."""
        try:
            return door.stored_for(file) == file
        except RefusedError:
            return False

    return sealed
