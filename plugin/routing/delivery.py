# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends a matched study set to where its application lies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from deid import Deidentifier
from plugin.archive import ArchiveError, NotFoundError
from plugin.configuration.application_destinations import (
    DicomwebDestination,
    HandoverDestination,
    HttpDestination,
    NodeDestination,
    PeerDestination,
)
from plugin.dispatch.outward import (
    authorization_of,
    receiver_of,
    require_known,
    sent_by_orthanc,
)
from plugin.doors.errors import SupersededError, UnreachableError
from plugin.doors.outbox import Delivery
from plugin.doors.posting import post
from plugin.doors.stow import stow
from plugin.doors.webhook import DELIVERY
from plugin.routing.cargo import Cargo, Item
from plugin.routing.exchange import Exchange
from plugin.routing.parcels import packed
from plugin.routing.records import Decision, kept

_BATCH_BYTES = 64 << 20
_BATCH_INSTANCES = 100


@dataclass(frozen=True)
class Shipment:
    """A delivery with the decision that it carries out."""

    delivery: Delivery
    decision: Decision

    @property
    def token(self) -> str:
        """Name of the delivery, the same at each attempt: hexadecimal, 64 digits."""
        return hashlib.sha256(f"{self.delivery.result} {self.delivery.event}".encode()).hexdigest()


def load(archive: Exchange, delivery: Delivery) -> Shipment:
    """Read which set is to be sent.

    Raises:
        SupersededError: the study has another set for this application by now, or is gone.
        UnreachableError: Orthanc can't be asked now.
    """
    try:
        record = kept(archive, delivery.study)
    except ValidationError:
        raise SupersededError("the decision was written by another version") from None
    except NotFoundError:
        record = None
    except ArchiveError as error:
        raise UnreachableError(str(error)) from None
    if record is None:
        raise SupersededError("the study is no longer in Orthanc")
    for decision in record.decisions:
        if decision.digest == delivery.result:
            return Shipment(delivery, decision)
    raise SupersededError("the study has a newer set for this application")


@dataclass(frozen=True)
class Sender:
    """Sends sets to one destination.

    Args:
        archive: Orthanc, which sends over DICOM.
        destination: where to.
        deidentifier: gives what makes files that may leave the PHI zone; see ``Cargo``.
        folder: where a set is packed.
    """

    archive: Exchange
    destination: HandoverDestination
    deidentifier: Callable[[], Deidentifier]
    folder: Path

    def send(self, shipment: Shipment) -> None:
        """Send a set.

        Raises:
            DeliveryError: it did not get through; the subclass says what follows.
        """
        destination = self.destination
        if isinstance(destination, NodeDestination):
            self._to_node(destination.modality, shipment.decision)
        elif isinstance(destination, PeerDestination):
            self._to_peer(destination.peer, shipment.decision)
        elif isinstance(destination, HttpDestination):
            self._to_endpoint(destination, shipment)
        elif destination.server:
            self._through_server(destination.server, shipment.decision)
        else:
            self._to_dicomweb(destination, shipment.decision)

    def _cargo(self, decision: Decision) -> Cargo:
        if decision.zone != self.destination.zone:
            raise SupersededError("the destination lies in another zone by now")
        return Cargo(self.archive, decision, self.deidentifier)

    def _to_node(self, modality: str, decision: Decision) -> None:
        require_known(self.archive.modalities, modality, "DicomModalities")
        way = (self.archive.send_stored, self.archive.send_file)
        self._by_orthanc(modality, decision, *way)

    def _to_peer(self, peer: str, decision: Decision) -> None:
        require_known(self.archive.peers, peer, "OrthancPeers")
        way = (self.archive.send_stored_to_peer, self.archive.send_file_to_peer)
        self._by_orthanc(peer, decision, *way)

    def _by_orthanc(
        self,
        name: str,
        decision: Decision,
        stored: Callable[[str, Sequence[str]], None],
        file: Callable[[str, bytes], None],
    ) -> None:
        """Originals as Orthanc holds them, or what is de-identified here."""
        cargo = self._cargo(decision)
        if decision.zone == "phi":
            sent_by_orthanc(partial(stored, name, _instances(decision)))
            return
        for item in cargo.items():
            sent_by_orthanc(partial(file, name, item.content))

    def _through_server(self, server: str, decision: Decision) -> None:
        self._cargo(decision)
        require_known(self.archive.dicomweb_servers, server, "DicomWeb.Servers")
        sent_by_orthanc(partial(self.archive.stow_stored, server, _instances(decision)))

    def _to_endpoint(self, destination: HttpDestination, shipment: Shipment) -> None:
        cargo = self._cargo(shipment.decision)
        with packed(cargo, shipment.token, destination.form, self.folder) as parcel:
            headers = {
                "Content-Type": parcel.content_type,
                "Content-Length": str(parcel.length),
                DELIVERY: shipment.token,
                **authorization_of(destination),
            }
            post(receiver_of(destination, destination.url), parcel, headers)

    def _to_dicomweb(self, destination: DicomwebDestination, decision: Decision) -> None:
        receiver = receiver_of(destination, f"{destination.url}/studies")
        authorization = authorization_of(destination)
        for batch in _batches(self._cargo(decision).items()):
            stow(receiver, {item.uids[2]: item.content for item in batch}, authorization)


def _instances(decision: Decision) -> list[str]:
    """Those that matched: a series of the set may have others, such as derived ones."""
    return [one for part in decision.parts for one in part.instances]


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.content)
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_INSTANCES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
