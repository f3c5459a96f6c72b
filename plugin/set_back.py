# SPDX-License-Identifier: AGPL-3.0-or-later
"""Moments to wait for, where the clock was set back since they were noted.

What waits until a time of day would wait longer by as much as the clock was set back. Nothing waits
longer than it may when it is noted, so what is further away than that is brought near again.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from plugin.queue_file import QueueFile


@dataclass(frozen=True)
class LongestWaits:
    """How far away moments in the queue may be, in seconds."""

    series: float = math.inf
    """A growing series, after its last image."""
    retry: float = math.inf
    lease: float = math.inf

    def bring_near(self, file: QueueFile) -> None:
        """Bring near what is further away in the queue's file.

        Raises:
            QueueError: it can't be read or written.
        """
        bring_near(file, "gathering", "due", self.series, "due IS NOT NULL")
        open_jobs = "status IN ('queued', 'running') AND status ="
        bring_near(file, "jobs", "not_before", self.retry, f"{open_jobs} 'queued'")
        # Not to this moment: its owner may be at work.
        bring_near(file, "jobs", "lease_until", self.lease, f"{open_jobs} 'running'", self.lease)


def bring_near(
    file: QueueFile, table: str, column: str, longest: float, which: str, to: float = 0.0
) -> None:
    """Have rows that wait for a moment more than ``longest`` seconds away wait for ``to`` seconds.

    Args:
        file: has the table.
        table: of the rows.
        column: the moment, in seconds since the epoch.
        longest: such a wait is right.
        which: condition of the rows that wait, as SQL.
        to: they wait so long from now.

    Raises:
        QueueError: the file can't be read or written.
    """
    now = time.time()
    where = f"WHERE {which} AND {column} > ?"
    # A look first: almost always there is nothing to do.
    if file.read(f"SELECT 1 FROM {table} {where} LIMIT 1", (now + longest,)):  # noqa: S608
        values = (now + to, now + longest)
        file.append(f"UPDATE {table} SET {column} = ? {where}", values)  # noqa: S608
