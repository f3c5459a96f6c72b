# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.worker NAME``: one worker process, started and supervised by Orthanc's."""

from __future__ import annotations

import sys

from plugin.handover import receive
from plugin.loading import loading
from plugin.logs import quiet_libraries


def main() -> None:
    """Run until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    owner = sys.argv[1] if len(sys.argv) > 1 else "worker"
    # Here, not as it is put together: a worker that waits does not end again and again.
    handover.site_key.awaited()
    with loading():
        from plugin.worker.assembly import assemble  # noqa: PLC0415

        worker = assemble(owner, handover)
    worker.run_forever()


if __name__ == "__main__":
    main()
