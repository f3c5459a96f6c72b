# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.web``: the process that answers Sidelight's routes for Orthanc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import uvicorn

from inference.contract import ModelDescription
from plugin.archive import Archive
from plugin.configuration.priority_table import read_priorities
from plugin.doors.errors import OutboxError
from plugin.doors.outbox import Outbox
from plugin.gate import Gate
from plugin.gate import InferenceUnavailableError as ServiceUnavailable
from plugin.handover import Handover, receive
from plugin.logs import quiet_libraries
from plugin.queue import JobQueue
from plugin.web.app import create_app
from plugin.web.desk import Desk
from plugin.web.errors import InferenceUnavailableError
from plugin.web.plan import Planner
from plugin.web.protocols import Level
from plugin.web.services import Services
from plugin.web.urgency import Urgency
from plugin.worker.planner import ScanPlan, ScanPlanner, scan_of
from plugin.worker.reading import reader_for

STATUS_SECONDS = 5.0


def main() -> None:
    """Serve until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    archive = Archive(handover.orthanc_url, handover.authorization)
    outbox = Outbox.beside(handover.queue_file)
    gate = Gate.to(handover.inference_url, handover.configuration.inference.token, STATUS_SECONDS)
    app = create_app(
        archive,
        Desk(JobQueue(Path(handover.queue_file)), archive),
        lambda: _status(gate, outbox),
        lambda: _models(gate),
        Services(
            urgency=Urgency(read_priorities(handover.configuration.worklist.priority_table)),
            planner=_planner(handover, archive, gate),
            deliveries=outbox,
        ),
    )
    # Only this user's processes may connect: Orthanc has authenticated, this process does not.
    os.umask(0o077)
    Path(handover.web_socket).unlink(missing_ok=True)
    uvicorn.run(app, uds=handover.web_socket, log_level="warning", access_log=False)


def _models(gate: Gate) -> list[ModelDescription]:
    try:
        return gate.models()
    except ServiceUnavailable as error:
        raise InferenceUnavailableError(str(error)) from error


def _planner(handover: Handover, archive: Archive, gate: Gate) -> Planner:
    planner = ScanPlanner(lambda: reader_for(handover, archive, gate), gate.models)

    def plan(level: Level, resource: str, instances: list[str], /) -> ScanPlan:
        try:
            return planner.plan(level, scan_of(level, resource, instances))
        except ServiceUnavailable as error:
            raise InferenceUnavailableError(str(error)) from error

    return plan


def _status(gate: Gate, outbox: Outbox) -> dict[str, Any]:
    deliveries = {"deliveries": _deliveries(outbox)}
    try:
        return {"inference": gate.health().model_dump(mode="json"), **deliveries}
    except ServiceUnavailable as error:
        return {"inference": None, "reason": str(error), **deliveries}


def _deliveries(outbox: Outbox) -> dict[str, Any]:
    try:
        return dict(outbox.statistics())
    except OutboxError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    main()
