# SPDX-License-Identifier: Apache-2.0
"""The run of all tests says how each half ended, and no half hides the other."""

from __future__ import annotations

import sys

import pytest

from tests import both_halves


def printing(text: str, status: int) -> list[str]:
    return [sys.executable, "-c", f"print({text!r}); raise SystemExit({status})"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("== 4926 passed, 3 skipped in 528.12s (0:08:48) ==\n", "4926 passed, 3 skipped"),
        ("=== 1 failed, 2 passed in 0.12s ===\n", "1 failed, 2 passed"),
        ("=== short test summary info ===\n", ""),
        ("FAILED tests/test_x.py - found in 3 places\n", ""),
        ("1 passed in 0.1s\n", ""),
    ],
)
def test_only_the_last_line_of_pytest_counts(line: str, said: str) -> None:
    assert both_halves.counted(line) == said


def test_a_half_that_ends_without_a_summary_says_so_with_its_exit_status() -> None:
    half = both_halves.run("with servers", printing("killed", 137))
    assert str(half) == f"with servers: no summary in {half.seconds:.0f} s (exit status 137)"


@pytest.mark.parametrize(("first", "second"), [(1, 0), (0, 1), (2, 2), (0, 0)])
def test_the_second_half_runs_whatever_became_of_the_first(
    first: int, second: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = "== 5 passed in 1.00s =="
    monkeypatch.setattr(both_halves, "COMMON", [])
    halves = {"first": printing(summary, first)[1:], "second": printing(summary, second)[1:]}
    monkeypatch.setattr(both_halves, "HALVES", halves)
    assert both_halves.main() == int(bool(first or second))
    last = capfd.readouterr().out.splitlines()[-1]
    assert "first: 5 passed" in last
    assert "second: 5 passed" in last
