# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc under a limit of memory leaves the callback out, so it does not start under one."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from plugin.arrival import memory


def test_limits_of_memory_are_taken_away() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, before[1]))
    memory.lift_memory_limits()
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_a_limit_that_stays_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_limit: int, _values: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(memory.MemoryLimitError, match="RLIMIT_AS"):
        memory.lift_memory_limits()


def test_a_machine_without_overcommitment_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "overcommit").write_text("2\n", encoding="ascii")
    monkeypatch.setattr(memory, "_OVERCOMMIT", tmp_path / "overcommit")
    with pytest.raises(memory.MemoryLimitError, match="overcommit"):
        memory.lift_memory_limits()
