# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeping pydicom from quoting the original's values in warnings and logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from pydicom.config import disable_value_validation

_lock = Lock()
_inside = 0
_switched = ExitStack()


@contextmanager
def values_unquoted() -> Iterator[None]:
    """pydicom says nothing of odd values inside; they are dealt with where they matter.

    The switch is one for the whole process: it goes back when the last thread leaves, so that
    threads that overlap can't leave it on.
    """
    global _inside  # noqa: PLW0603
    with _lock:
        if _inside == 0:
            _switched.enter_context(disable_value_validation())
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _switched.close()
