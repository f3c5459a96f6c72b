# SPDX-License-Identifier: AGPL-3.0-or-later
"""How SQLite finds what is asked of a file: what takes long after years is seen on a small one."""

from __future__ import annotations

import re
from collections.abc import Callable

from plugin.queue_file import QueueFile

_STATEMENT = re.compile(r"\s*(SELECT|UPDATE|INSERT|DELETE|WITH)\b")


def plan_of(file: QueueFile, ask: Callable[[], object]) -> list[str]:
    """The steps of every statement that ``ask`` runs on a file, in this thread."""
    statements: list[str] = []
    db = file._connection()
    db.set_trace_callback(statements.append)
    ask()
    db.set_trace_callback(None)
    # A statement is told of once more for each trigger that it sets off.
    asked = [one for one in dict.fromkeys(statements) if _STATEMENT.match(one)]
    assert asked
    return [str(row[3]) for one in asked for row in db.execute(f"EXPLAIN QUERY PLAN {one}")]
