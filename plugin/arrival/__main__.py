# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.arrival``: looks at what Orthanc receives, before it is stored.

In arrival mode it de-identifies; where headers are made standard at arrival it does that too, or
that alone.
"""

from __future__ import annotations

from pathlib import Path

from deid import Deidentifier
from plugin.arrival.admission import Admission
from plugin.arrival.held import FOLDER
from plugin.arrival.received import MEGABYTE
from plugin.arrival.service import ArrivalService
from plugin.arrival.standardizing import HeaderDesk
from plugin.configuration.standard_entries import read_standard_entries
from plugin.deidentification import options_of, policy_of
from plugin.gate import Gate
from plugin.handover import Handover, receive
from plugin.logs import quiet_libraries
from plugin.standardization.arriving import ArrivingHeaders
from plugin.standardization.settled import SettledHeaders


def main() -> None:
    """Answer until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    service = assemble(handover)
    service.admission.prepare()
    service.serve_forever(handover.arrival_socket or handover.standardization_socket)


def assemble(handover: Handover) -> ArrivalService:
    """Put the service together: de-identification, or standard headers alone."""
    configuration = handover.configuration
    token = bytes.fromhex(handover.arrival_token)
    largest = configuration.arrival.maximum_megabytes * MEGABYTE
    if not handover.arrival_socket:
        seconds = configuration.standardization.arrival_seconds
        desk = HeaderDesk(_headers(handover, originals=True), lambda: _of_headers(handover))
        return ArrivalService(desk, token, seconds, largest)
    seconds = configuration.arrival.timeout_seconds
    return ArrivalService(_admission(handover), token, seconds, largest)


def _admission(handover: Handover) -> Admission:
    section = handover.configuration.arrival
    data = Path(handover.queue_file).parent
    kept = (data / FOLDER, section.quarantine_megabytes * MEGABYTE)
    quarantine = kept if section.quarantine == "encrypted" else None
    standard = handover.configuration.standardization.mode == "arrival"
    headers = _headers(handover, originals=False) if standard else None
    return Admission(
        handover.site_key,
        handover.configuration.deidentification,
        quarantine=quarantine,
        headers=headers,
    )


def _headers(handover: Handover, *, originals: bool) -> ArrivingHeaders:
    section = handover.configuration.standardization
    # Half of the time that a sender waits: the rest is for reading and writing.
    gate = Gate.to(
        handover.inference_url, handover.configuration.inference.token, section.arrival_seconds / 2
    )
    return ArrivingHeaders(
        gate,
        section,
        read_standard_entries(section.table),
        SettledHeaders.beside(handover.queue_file),
        originals=originals,
    )


def _of_headers(handover: Handover) -> Deidentifier:
    """What de-identifies headers for inference, with the key of the workers."""
    section = handover.configuration.deidentification
    key = handover.site_key.read()
    return Deidentifier(key, options_of(section), policy_of(section, leaving=True).without_pixels())


if __name__ == "__main__":
    main()
