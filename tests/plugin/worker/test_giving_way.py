# SPDX-License-Identifier: AGPL-3.0-or-later
"""Workers rest while scans pour in, in proportion to what they worked, and never for long."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin.queue import JobQueue
from plugin.worker.giving_way import MOST_SECONDS, POURING, GivingWay

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    ("arrivals", "share", "worked", "rested"),
    [
        (POURING, 0.5, 0.2, [0.2]),
        (POURING, 0.75, 0.2, [0.6]),
        (POURING, 0.5, 30.0, [MOST_SECONDS]),
        (POURING - 1, 0.5, 0.2, []),
        (POURING, 0.0, 0.2, []),
    ],
)
def test_rest_follows_work_while_scans_pour_in(
    arrivals: int, share: float, worked: float, rested: list[float]
) -> None:
    rests: list[float] = []
    GivingWay(lambda _: arrivals, share, rests.append).after(worked)
    assert rests == pytest.approx(rested)


def test_the_queue_knows_what_arrived_of_late(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "queue.sqlite")
    assert queue.arrived(60.0) == 0
    for number in range(130):
        queue.put(f"{number:044}", CT)
    assert queue.arrived(60.0) == 100
    assert queue.arrived(-1.0) == 0


def test_what_arrived_is_known_after_it_was_settled(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "queue.sqlite")
    queue.put("i1", CT)
    queue.settle(queue.arrivals(), [])
    assert queue.arrived(60.0) == 1
