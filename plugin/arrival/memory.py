# SPDX-License-Identifier: AGPL-3.0-or-later
"""Memory that may run out inside Orthanc's process, which arrival mode can't stand.

Where the Python plugin gets no memory for the call of the received-instance callback, it does not
call it and Orthanc goes on with the original (measured with plugins 4.0 and 5.0 below a limit of
address space). The guard of the storage keeps it out then, where the storage can be guarded.
Linux refuses memory to a process under such a limit or without overcommitment alone; else it ends
one, and an Orthanc that has ended stores nothing.
"""

from __future__ import annotations

import resource
from pathlib import Path

_OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
_LIMITS = {"RLIMIT_AS": resource.RLIMIT_AS, "RLIMIT_DATA": resource.RLIMIT_DATA}
_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class MemoryLimitError(RuntimeError):
    """Orthanc must not run in arrival mode here; says what to change."""


def lift_memory_limits() -> None:
    """Take the limits of this process away.

    Raises:
        MemoryLimitError: a limit can't be taken away, or the machine does not overcommit memory.
    """
    for name, limit in _LIMITS.items():
        try:
            resource.setrlimit(limit, _UNLIMITED)
        except (OSError, ValueError):
            raise MemoryLimitError(
                f"arrival mode: {name} limits Orthanc, whose callback is then "
                "left out; take the limit away (ulimit, systemd's LimitAS or LimitDATA)"
            ) from None
    if _overcommit() == "2":
        raise MemoryLimitError(
            "arrival mode: vm.overcommit_memory is 2, and Orthanc leaves Sidelight's callback out "
            "when it gets no memory; set it to 0"
        )


def _overcommit() -> str:
    try:
        return _OVERCOMMIT.read_text(encoding="ascii").strip()
    except OSError:
        return ""  # no Linux, or no proc: the limits above are all that can be asked
