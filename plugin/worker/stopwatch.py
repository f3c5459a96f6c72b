# SPDX-License-Identifier: AGPL-3.0-or-later
"""Milliseconds per stage of one scan."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up the time of named stages."""

    def __init__(self) -> None:
        self._milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, (time.perf_counter() - start) * 1000.0)

    def add(self, name: str, milliseconds: float) -> None:
        """Add time that was measured elsewhere."""
        self._milliseconds[name] = self._milliseconds.get(name, 0.0) + milliseconds

    def milliseconds(self) -> dict[str, float]:
        """Rounded to a tenth."""
        return {name: round(value, 1) for name, value in self._milliseconds.items()}
