# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all ways out of Orthanc have in common: names that Orthanc knows, secrets, and troubles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Protocol

from plugin.archive import ArchiveError, NotFoundError
from plugin.configuration.secret_file import read_secret
from plugin.configuration.table_file import TableError
from plugin.doors.errors import RefusedError, UndeliverableError, UnreachableError
from plugin.doors.posting import Receiver

_STATUS = re.compile(rb"C-STORE SCU to AET .{1,64} has failed with DIMSE status 0x([0-9A-Fa-f]{4})")
_TAKEN = re.compile(r"only able to receive (\d{1,9}) instances out of (\d{1,9})")
_BY_STOW = {
    15: "the DICOMweb server's answer can't be read: does its Url in DicomWeb.Servers lead there?",
    17: "the DICOMweb server answers 404: correct its Url in Orthanc's DicomWeb.Servers",
    29: "the DICOMweb server answers 401: correct its password in Orthanc's DicomWeb.Servers",
}
"""By Orthanc's error codes (``OrthancPluginErrorCode``), of a job that stores by STOW-RS."""
_NO_CONTEXT = b"Unable to negotiate a presentation context"
_BUSY = ("0110", "0213")
"""Processing failure and resource limitation (PS3.7 C.5). So is A7xx, out of resources (PS3.4
B.2.3): a node whose disk is full takes the same images when there is room again."""


class WebDestination(Protocol):
    """An address of a table, with how its certificate is checked and who we are there."""

    @property
    def authorization_file(self) -> str:
        """Holds the value of the Authorization header; empty: none."""

    @property
    def certificate_authority(self) -> str:
        """File of the authority; empty: those of the system."""

    @property
    def timeout_seconds(self) -> float:
        """How long an answer may take."""


def receiver_of(destination: WebDestination, url: str) -> Receiver:
    """Where to, as the table says."""
    return Receiver(url, destination.timeout_seconds, destination.certificate_authority)


def authorization_of(destination: WebDestination) -> dict[str, str]:
    """The Authorization header, read anew each time; none where the table names no file.

    Raises:
        UnreachableError: the file can't be read now.
    """
    try:
        value = read_secret(destination.authorization_file)
    except TableError as error:
        raise UnreachableError(f"the authorization file: {error}") from None
    return {"Authorization": value} if value else {}


def require_known(names: Callable[[], list[str]], name: str, key: str) -> None:
    """Look for a destination in Orthanc's own configuration.

    Args:
        names: asks Orthanc.
        key: of Orthanc's configuration, for people.

    Raises:
        UndeliverableError: Orthanc knows no such destination.
        UnreachableError: Orthanc can't be asked now.
    """
    try:
        known = names()
    except NotFoundError:
        known = []  # the plugin that has such names is not there
    except ArchiveError as error:
        raise UnreachableError(str(error)) from None
    if name not in known:
        raise UndeliverableError(f"Orthanc's {key} has no {name}; add it and send again")


def sent_by_orthanc(order: Callable[[], None]) -> None:
    """Have Orthanc send.

    Raises:
        UndeliverableError: what is to be sent is gone.
        RefusedError: a DICOM node or DICOMweb server was reached and does not take these images.
        UnreachableError: it was not sent.
    """
    try:
        order()
    except NotFoundError:
        raise UndeliverableError("an image was deleted from Orthanc, or the destination") from None
    except ArchiveError as error:
        refusal = _refusal(error.answer) or _stow_refusal(error.answer)
        if refusal:
            raise RefusedError(refusal) from None
        raise UnreachableError(f"Orthanc could not send: {error}") from None


def _refusal(answer: bytes) -> str:
    """Why a DICOM node does not take an image; nothing where another attempt may help.

    Orthanc answers 500 whatever the trouble is; its words tell whether there was an association
    (1.10.1 and 1.12.7 have the same).
    """
    if _NO_CONTEXT in answer:
        return "the node takes no images of this kind (no presentation context)"
    found = _STATUS.search(answer)
    status = found.group(1).decode().upper() if found else ""
    if not status or status in _BUSY or status.startswith("A7"):
        return ""
    return f"the node refuses an image (C-STORE status 0x{status})"


def _stow_refusal(answer: bytes) -> str:
    """Why a DICOMweb server does not take a set, by the job that Orthanc sent it in.

    Orthanc has one error (9) for a server that is away, that answers 5xx, and that took only some
    images; the words of the last tell it from the others.
    """
    try:
        said = json.loads(answer)
        code, words = said.get("FunctionErrorCode"), said.get("FunctionErrorDetails", "")
    except (ValueError, AttributeError):
        return ""
    taken = _TAKEN.search(str(words))
    if taken:
        return f"the DICOMweb server took {taken.group(1)} of {taken.group(2)} images"
    return _BY_STOW.get(code, "") if isinstance(code, int) else ""
