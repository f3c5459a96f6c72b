# SPDX-License-Identifier: Apache-2.0
"""Loading large libraries at the start of the service."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import with Python's cyclic garbage collector at rest; once per process.

    Hardly anything of what is imported is garbage, and looking through it again and again took a
    fifth of the import's processor time. It is not looked through later either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
