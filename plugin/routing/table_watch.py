# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks whether what the table of applications names is there: bundles, nodes, peers, servers.

A name that nobody knows stops nothing: its application gets nothing, and the others go on. So a
person is told, in the status and once in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from inference.contract import Health, ModelDescription
from plugin.archive import ArchiveError, NotFoundError
from plugin.configuration.application_destinations import (
    BundleDestination,
    DicomwebDestination,
    NodeDestination,
    PeerDestination,
    RemoteDestination,
)
from plugin.configuration.application_table import Application, ApplicationTable
from plugin.gate import InferenceRefusedError, InferenceUnavailableError

LOGGER = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

AGAIN_SECONDS = 30.0
_UNAUTHORIZED = ("unauthorized", "http-401", "http-403")
_MODALITIES, _PEERS, _SERVERS = "DicomModalities", "OrthancPeers", "DicomWeb.Servers"


class Orthanc(Protocol):
    """What is needed of Orthanc: the names that it knows."""

    def modalities(self) -> list[str]:
        """Names in DicomModalities."""

    def peers(self) -> list[str]:
        """Names in OrthancPeers."""

    def dicomweb_servers(self) -> list[str]:
        """Names in DicomWeb.Servers; ``NotFoundError`` without the plugin."""


class Inference(Protocol):
    """What is needed of this site's own inference service."""

    def health(self) -> Health:
        """How it is."""


class Elsewhere(Protocol):
    """What is needed of another Sidelight."""

    def models(self) -> list[ModelDescription]:
        """The bundles that it serves."""


@dataclass
class TableWatch:
    """Keeps what a person should know of the names in a table.

    Args:
        table: the table.
        orthanc: this site's Orthanc.
        own: this site's inference service.
        elsewhere: services of other sites, by the bundle that the table places there.
    """

    table: ApplicationTable
    orthanc: Orthanc
    own: Inference
    elsewhere: Mapping[str, Elsewhere]
    _found: dict[str, str] = field(default_factory=dict, init=False)
    """What is wrong, by what was looked at; what can't be asked now stays as it was."""

    def problems(self) -> list[str]:
        """Names that nobody knows, as far as they were looked for."""
        return [said for said in self._found.values() if said]

    def look(self) -> None:
        """Look once; what is new is logged."""
        for key, said in self._looked():
            if said and self._found.get(key) != said:
                LOGGER.warning("%s", said)
            self._found = {**self._found, key: said}

    def _looked(self) -> Iterator[tuple[str, str]]:
        known = self._known()
        for user, place, name in self._named():
            if place in known:
                missing = name not in known[place]
                said = f"{user}: Orthanc's {place} has no {name}; add it, or correct the table"
                yield f"{user} {place}", said if missing else ""
        own = self._own_bundles()
        for one in self.table.applications:
            if not one.bundle:
                continue
            try:
                is_own = isinstance(one.destination, BundleDestination)
                served = own if is_own else self._remote(one)
            except InferenceRefusedError as error:
                yield f"application {one.name} bundle", _refusal(one, error)
                continue
            if served is not None:
                missing = one.bundle not in served
                yield f"application {one.name} bundle", _no_bundle(one, served) if missing else ""

    def _known(self) -> dict[str, list[str]]:
        """The names that Orthanc knows, of each kind that can be asked for now and is named."""
        named = {place for _, place, _ in self._named()}
        questions: dict[str, Callable[[], list[str]]] = {
            _MODALITIES: self.orthanc.modalities,
            _PEERS: self.orthanc.peers,
            _SERVERS: self.orthanc.dicomweb_servers,
        }
        known = {}
        for place in sorted(named):
            try:
                known[place] = questions[place]()
            except NotFoundError:
                known[place] = []  # the plugin that has such names is not there
            except ArchiveError as error:
                LOGGER.debug("%s can't be asked for: %s", place, error)
        return known

    def _named(self) -> Iterator[tuple[str, str, str]]:
        """Who names what of which kind."""
        for one in self.table.applications:
            user, destination = f"application {one.name}", one.destination
            if isinstance(destination, NodeDestination):
                yield user, _MODALITIES, destination.modality
            elif isinstance(destination, PeerDestination):
                yield user, _PEERS, destination.peer
            elif isinstance(destination, DicomwebDestination) and destination.server:
                yield user, _SERVERS, destination.server
        for pull in self.table.pulls:
            kind = _MODALITIES if pull.modality else _SERVERS
            yield f"pull {pull.name}", kind, pull.modality or pull.server

    def _own_bundles(self) -> list[str] | None:
        """Installed bundles, also those that are not served: these have a problem of their own."""
        try:
            health = _asked(self.own.health)
        except InferenceRefusedError as error:
            LOGGER.debug("the own bundles can't be asked for: %s", error)  # the status says so
            return None
        if health is None or health.status == "starting":
            return None
        return [*health.models, *health.rejected]

    def _remote(self, one: Application) -> list[str] | None:
        if not isinstance(one.destination, RemoteDestination) or one.bundle not in self.elsewhere:
            return None
        served = _asked(self.elsewhere[one.bundle].models)
        return None if served is None else [model.name for model in served]


def _asked(question: Callable[[], _Answer]) -> _Answer | None:
    try:
        return question()
    except InferenceUnavailableError as error:
        LOGGER.debug("bundles can't be asked for: %s", error)
        return None


def _refusal(one: Application, error: InferenceRefusedError) -> str:
    what = "the token" if error.code in _UNAUTHORIZED else f"to say what it serves ({error.code})"
    return f"application {one.name}: the other service refuses {what}, so nothing runs for it"


def _no_bundle(one: Application, served: list[str]) -> str:
    where = "installed here" if isinstance(one.destination, BundleDestination) else "served there"
    return (
        f"application {one.name}: no bundle {one.bundle} is {where}, so nothing runs for it; "
        f"there are: {', '.join(sorted(served)) or 'none'}"
    )
