# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.web``: the web process, started and supervised by Orthanc's."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn

from plugin.archive import Archive
from plugin.arrival.own_objects import announcement
from plugin.configuration.application_table import read_applications
from plugin.handover import receive
from plugin.logs import quiet_libraries
from plugin.queue import JobQueue
from plugin.routing.services import RoutedGate, remote_bundles
from plugin.web import assembly
from plugin.web.app import create_app
from plugin.web.desk import Desk

STATUS_SECONDS = 5.0


def main() -> None:
    """Serve until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    archive = Archive(
        handover.orthanc_url,
        handover.authorization,
        before_storing=announcement(handover),
        find_limit=handover.find_limit,
    )
    configuration = handover.configuration
    gate = RoutedGate.to(handover.inference_url, configuration.inference.token, STATUS_SECONDS)
    gate.place(remote_bundles(read_applications(configuration.applications.table)))
    services = assembly.services(handover, archive, gate)
    app = create_app(
        archive,
        Desk(JobQueue(Path(handover.queue_file)), archive),
        lambda: assembly.status(gate, services),
        lambda: assembly.models(gate),
        services,
    )
    # Only this user's processes may connect: Orthanc has authenticated, this process does not.
    os.umask(0o077)
    Path(handover.web_socket).unlink(missing_ok=True)
    uvicorn.run(app, uds=handover.web_socket, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
