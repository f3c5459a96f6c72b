# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a de-identified copy gets to its destination."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from deid import DeidentifiedScan
from plugin.configuration.copy_table import (
    CopyRule,
    DicomwebCopy,
    FolderCopy,
    NodeCopy,
    OrthancCopy,
    PeerCopy,
)
from plugin.dispatch.outward import (
    authorization_of,
    receiver_of,
    require_known,
    sent_by_orthanc,
)
from plugin.doors.errors import RefusedError, UnreachableError
from plugin.doors.posting import post
from plugin.doors.stow import stow
from plugin.routing.cargo import leaving

_UID = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)


class Transport(Protocol):
    """Sends files to one destination; ``batch``: how many in one request at most."""

    @property
    def batch(self) -> int:
        """Files at a time."""

    def send(self, scans: Sequence[DeidentifiedScan], /) -> None:
        """Send them, or raise a ``DeliveryError``."""


class Orthanc(Protocol):
    """What is needed of Orthanc, to send to what it knows by name."""

    def modalities(self) -> list[str]:
        """Names in DicomModalities."""

    def send_file(self, modality: str, dicom: bytes, /) -> None:
        """C-STORE a file that Orthanc does not keep."""

    def peers(self) -> list[str]:
        """Names in OrthancPeers."""

    def send_file_to_peer(self, peer: str, dicom: bytes, /) -> None:
        """Send a file that Orthanc does not keep to another Orthanc."""


def transport_for(rule: CopyRule, orthanc: Orthanc) -> Transport:
    """The transport to a rule's destination."""
    destination = rule.destination
    if isinstance(destination, NodeCopy):
        return ToNode(destination, orthanc)
    if isinstance(destination, PeerCopy):
        return ToPeer(destination, orthanc)
    if isinstance(destination, DicomwebCopy):
        return ToDicomweb(destination)
    if isinstance(destination, OrthancCopy):
        return ToOrthanc(destination)
    return ToFolder(destination)


@dataclass(frozen=True)
class ToNode:
    """C-STORE through Orthanc, which does not keep the file."""

    destination: NodeCopy
    orthanc: Orthanc
    batch: int = 1

    def send(self, scans: Sequence[DeidentifiedScan]) -> None:
        """Send one by one; a node that refuses one is told from one that is away."""
        name = self.destination.modality
        require_known(self.orthanc.modalities, name, "DicomModalities")
        for scan in scans:
            sent_by_orthanc(partial(self.orthanc.send_file, name, leaving(scan)))


@dataclass(frozen=True)
class ToPeer:
    """To another Orthanc, by this one, which knows its address and password."""

    destination: PeerCopy
    orthanc: Orthanc
    batch: int = 1

    def send(self, scans: Sequence[DeidentifiedScan]) -> None:
        """Send one by one; what is there already stays there."""
        name = self.destination.peer
        require_known(self.orthanc.peers, name, "OrthancPeers")
        for scan in scans:
            sent_by_orthanc(partial(self.orthanc.send_file_to_peer, name, leaving(scan)))


@dataclass(frozen=True)
class ToDicomweb:
    """STOW-RS."""

    destination: DicomwebCopy
    batch: int = 50

    def send(self, scans: Sequence[DeidentifiedScan]) -> None:
        """Send in one request; every instance must be named as stored."""
        receiver = receiver_of(self.destination, f"{self.destination.url}/studies")
        files = {scan.sop_instance_uid: leaving(scan) for scan in scans}
        stow(receiver, files, authorization_of(self.destination))


@dataclass(frozen=True)
class ToOrthanc:
    """POST to another Orthanc."""

    destination: OrthancCopy
    batch: int = 1

    def send(self, scans: Sequence[DeidentifiedScan]) -> None:
        """Send one by one; what is there already stays there."""
        receiver = receiver_of(self.destination, f"{self.destination.url}/instances")
        headers = {"Content-Type": "application/dicom", **authorization_of(self.destination)}
        for scan in scans:
            post(receiver, leaving(scan), headers)


@dataclass(frozen=True)
class ToFolder:
    """Files by the new UIDs; under its name a file is whole, also after a power failure."""

    destination: FolderCopy
    batch: int = 1

    def send(self, scans: Sequence[DeidentifiedScan]) -> None:
        """Write; a full or missing disk is tried again."""
        root = Path(self.destination.path)
        if not root.is_dir():
            # Made by nobody but the admin: an unmounted disk must not fill the one below.
            raise UnreachableError("the folder is not there")
        for scan in scans:
            uids = (scan.study_instance_uid, scan.series_instance_uid, scan.sop_instance_uid)
            if not all(_UID.fullmatch(uid) for uid in uids):
                raise RefusedError("a UID of the copy is none")
            place = root / uids[0] / uids[1]
            try:
                place.mkdir(parents=True, exist_ok=True)
                _write(place / f"{uids[2]}.dcm", leaving(scan))
            except OSError as error:
                raise UnreachableError(f"the folder: {error.strerror}") from None


def _write(file: Path, content: bytes) -> None:
    partial = file.with_name(f".{file.name}.part")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)
