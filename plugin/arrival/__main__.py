# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.arrival``: de-identifies what Orthanc receives, before it is stored."""

from __future__ import annotations

from pathlib import Path

from plugin.arrival.admission import Admission
from plugin.arrival.held import FOLDER
from plugin.arrival.key import ArchiveKey
from plugin.arrival.received import MEGABYTE
from plugin.arrival.service import ArrivalService
from plugin.handover import Handover, receive
from plugin.logs import quiet_libraries


def main() -> None:
    """Answer until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    service = assemble(handover)
    service.admission.prepare()
    service.serve_forever(handover.arrival_socket)


def assemble(handover: Handover) -> ArrivalService:
    """Put the service together."""
    section = handover.configuration.arrival
    data = Path(handover.queue_file).parent
    key = ArchiveKey.of(handover.key_file, data)
    kept = (data / FOLDER, section.quarantine_megabytes * MEGABYTE)
    quarantine = kept if section.quarantine == "encrypted" else None
    return ArrivalService(
        Admission(key, handover.configuration.deidentification, quarantine=quarantine),
        bytes.fromhex(handover.arrival_token),
        section.timeout_seconds,
        section.maximum_megabytes * MEGABYTE,
    )


if __name__ == "__main__":
    main()
