# SPDX-License-Identifier: Apache-2.0
"""Ending with the process that started the service, however that one ends.

A parent that is killed cannot stop its children. Its end of the pipe to our standard input closes
with it, and Linux can signal us besides.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_SIGNAL = signal.SIGUSR1
_INPUT = 0


def hold(at_end: Callable[[], None]) -> None:
    """Exit the process when standard input reaches its end, or the parent is gone.

    Call it in the main thread.

    :param at_end: called right before; must be quick and must not raise.
    """
    parent = os.getppid()

    def leave() -> None:
        at_end()
        # Not sys.exit: a forward pass in another thread would keep the process alive.
        os._exit(0)

    def leave_an_orphan(*_: object) -> None:
        # Linux sends it when the thread that started us ends, even if its process lives on.
        if os.getppid() != parent:
            leave()

    def watch() -> None:
        while _read_some():
            pass
        leave()

    if sys.platform == "linux":
        signal.signal(_SIGNAL, leave_an_orphan)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(_SIGNAL), 0, 0, 0)
    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _read_some() -> bool:
    try:
        return bool(os.read(_INPUT, 4096))
    except OSError:
        return False
