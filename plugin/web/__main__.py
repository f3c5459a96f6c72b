# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.web``: the process that answers Sidelight's routes for Orthanc."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import uvicorn

from inference.contract import ModelDescription
from plugin.archive import Archive
from plugin.gate import Gate
from plugin.gate import InferenceUnavailableError as ServiceUnavailable
from plugin.handover import Handover, receive
from plugin.logs import quiet_libraries
from plugin.queue import JobQueue
from plugin.review import assembly
from plugin.review.ledger import LedgerError
from plugin.review.recount import recount_if_new
from plugin.web.app import create_app
from plugin.web.desk import Desk
from plugin.web.errors import InferenceUnavailableError
from plugin.web.reviews import Reviewing

LOGGER = logging.getLogger(__name__)

STATUS_SECONDS = 5.0


def main() -> None:
    """Serve until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    archive = Archive(handover.orthanc_url, handover.authorization)
    gate = Gate.to(handover.inference_url, handover.configuration.inference.token, STATUS_SECONDS)
    reviewing = _reviewing(handover, archive)
    app = create_app(
        archive,
        Desk(JobQueue(Path(handover.queue_file)), archive),
        lambda: _status(gate, reviewing),
        lambda: _models(gate),
        heat_maps=handover.configuration.heat_maps,
        reviewing=reviewing,
    )
    # Only this user's processes may connect: Orthanc has authenticated, this process does not.
    os.umask(0o077)
    Path(handover.web_socket).unlink(missing_ok=True)
    uvicorn.run(app, uds=handover.web_socket, log_level="warning", access_log=False)


def _reviewing(handover: Handover, archive: Archive) -> Reviewing | None:
    data = Path(handover.queue_file).parent
    try:
        taking = assembly.reviewer(archive, handover.configuration, data)
    except LedgerError as error:
        LOGGER.error("no reviews are taken: %s", error)  # noqa: TRY400
        return None
    threading.Thread(
        target=recount_if_new, args=(taking, archive), name="recount", daemon=True
    ).start()
    return Reviewing(taking, assembly.rule(taking, handover.configuration))


def _models(gate: Gate) -> list[ModelDescription]:
    try:
        return gate.models()
    except ServiceUnavailable as error:
        raise InferenceUnavailableError(str(error)) from error


def _status(gate: Gate, reviewing: Reviewing | None) -> dict[str, Any]:
    status: dict[str, Any] = {"remediations": _open_remediations(reviewing)}
    try:
        status["inference"] = gate.health().model_dump(mode="json")
    except ServiceUnavailable as error:
        status |= {"inference": None, "reason": str(error)}
    return status


def _open_remediations(reviewing: Reviewing | None) -> list[dict[str, Any]]:
    """Classes of models with too many errors; the status is said also when they can't be read."""
    try:
        return [one.as_json() for one in reviewing.rule.open()] if reviewing else []
    except LedgerError as error:
        LOGGER.warning("the counts of reviews can't be read: %s", error)
        return []


if __name__ == "__main__":
    main()
