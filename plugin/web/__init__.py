# SPDX-License-Identifier: AGPL-3.0-or-later
"""The answering process: every Sidelight address that Orthanc serves, as one ASGI application.

Orthanc has authenticated a request before its own process forwards it here over a Unix socket.
Answers are read from Orthanc itself, where the results lie beside the scans.
"""

import os
from typing import TYPE_CHECKING, Any

# Before numpy is loaded. Pictures are small for a matrix product: several threads would wait for
# each other in a busy loop, and take the processors from Orthanc.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from plugin.web.protocols import Archive, Queue

if TYPE_CHECKING:
    from plugin.web.app import create_app

__all__ = ["Archive", "Queue", "create_app"]


def __getattr__(name: str) -> Any:
    """Load the application when it is first used (PEP 562): workers use the readers alone."""
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from plugin.web.app import create_app  # noqa: PLC0415

    return create_app
