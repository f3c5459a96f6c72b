# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bundles of other Sidelights, served to the workers as if they were this site's own."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from inference.contract import AnalysisAnswer, ModelDescription
from plugin.configuration.application_destinations import RemoteDestination
from plugin.configuration.application_table import ApplicationTable
from plugin.configuration.secret_file import read_secret
from plugin.configuration.table_file import TableError
from plugin.gate import Gate, InferenceUnavailableError

if TYPE_CHECKING:
    from deid import DeidentifiedScan

LOGGER = logging.getLogger(__name__)

_AGAIN_SECONDS = 60.0
"""A service that is away is not asked at every turn: each question may take seconds."""


@dataclass
class RemoteBundle:
    """One bundle of one other service, with what was last known of it."""

    bundle: str
    gate: Gate
    known: ModelDescription | None = None
    _next: float = field(default=0.0)

    def description(self) -> ModelDescription | None:
        """What the service says of the bundle; the last word while it is away, or None."""
        if time.monotonic() < self._next:
            return self.known
        try:
            served = self.gate.models()
        except InferenceUnavailableError as error:
            LOGGER.warning("bundle %s of another service: %s", self.bundle, error)
            self._next = time.monotonic() + _AGAIN_SECONDS
            return self.known
        self.known = next((model for model in served if model.name == self.bundle), None)
        return self.known


class RoutedGate(Gate):
    """The gate to this site's service, and to those that the table of applications names.

    Anatomy is always recognized by the own service; a bundle that the table places elsewhere is
    analysed there, also where the own service has one of the same name.
    """

    _remote: Mapping[str, RemoteBundle] = MappingProxyType({})

    def place(self, remote: Mapping[str, RemoteBundle]) -> None:
        """Have these bundles analysed elsewhere."""
        self._remote = dict(remote)

    def analyse(self, model: str, scans: Sequence[DeidentifiedScan]) -> AnalysisAnswer:
        """Run one bundle over the instances of one scan, where the bundle is served."""
        remote = self._remote.get(model)
        return remote.gate.analyse(model, scans) if remote else super().analyse(model, scans)

    def models(self) -> list[ModelDescription]:
        """The bundles that can be asked now."""
        own = [model for model in super().models() if model.name not in self._remote]
        described = [remote.description() for remote in self._remote.values()]
        return own + [model for model in described if model is not None]


def remote_bundles(table: ApplicationTable) -> dict[str, RemoteBundle]:
    """Gates to the services that the table names, by bundle.

    Raises:
        TableError: a token or certificate file can't be read.
    """
    return {
        one.destination.bundle: RemoteBundle(one.destination.bundle, _gate(one.destination))
        for one in table.applications
        if isinstance(one.destination, RemoteDestination)
    }


def _gate(destination: RemoteDestination) -> Gate:
    token = read_secret(destination.token_file)
    authority = destination.certificate_authority
    try:
        return Gate.to(destination.url, token, destination.timeout_seconds, authority)
    except OSError as error:
        raise TableError(f"{authority}: can't be read ({type(error).__name__})") from None
