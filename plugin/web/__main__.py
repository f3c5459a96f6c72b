# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.web``: the web process, started and supervised by Orthanc's."""

from __future__ import annotations

import os
from pathlib import Path

from plugin.handover import receive
from plugin.loading import loading
from plugin.logs import quiet_libraries


def main() -> None:
    """Serve until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    with loading():
        import uvicorn  # noqa: PLC0415

        from plugin.web.assembly import application  # noqa: PLC0415

        app = application(handover)
    # Only this user's processes may connect: Orthanc has authenticated, this process does not.
    os.umask(0o077)
    Path(handover.web_socket).unlink(missing_ok=True)
    uvicorn.run(app, uds=handover.web_socket, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
