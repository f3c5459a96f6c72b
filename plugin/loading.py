# SPDX-License-Identifier: AGPL-3.0-or-later
"""Loading what a process works with, at its start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import and put together with Python's cyclic garbage collector at rest; once per process.

    Hardly anything of what is loaded is garbage, and looking through it again and again took a
    fifth of a start's processor time. It is not looked through later either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
