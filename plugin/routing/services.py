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
from plugin.gate import Gate, InferenceRefusedError, InferenceUnavailableError

if TYPE_CHECKING:
    from deid import DeidentifiedScan

LOGGER = logging.getLogger(__name__)

_AGAIN_SECONDS = 60.0
"""A service that is away is not asked at every turn: each question may take seconds."""
_NOT_OF_THE_SCAN = frozenset(
    ("unauthorized", "unknown-model", "unknown-route", "http-401", "http-403", "http-404")
)
"""Refusals that say nothing of the scan: whoever runs the service, or this node, mends them."""


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
        except (InferenceUnavailableError, InferenceRefusedError) as error:
            # A wrong token too: it stops what is placed there, and nothing else of this node.
            LOGGER.warning("bundle %s of another service: %s", self.bundle, error)
            self._next = time.monotonic() + _AGAIN_SECONDS
            return self.known
        self.known = next((model for model in served if model.name == self.bundle), None)
        return self.known

    def analyse(self, scans: Sequence[DeidentifiedScan]) -> AnalysisAnswer:
        """Have the bundle run over the instances of one scan.

        Raises:
            InferenceUnavailableError: also where the service does not serve the bundle any more,
                or refuses the token: that is mended there, and the scan is tried again.
            InferenceRefusedError: it refuses this scan.
        """
        try:
            return self.gate.analyse(self.bundle, scans)
        except InferenceRefusedError as error:
            if error.code not in _NOT_OF_THE_SCAN:
                raise
            # What was known stays, or the next attempt would find no application for the scan.
            self._next = time.monotonic() + _AGAIN_SECONDS
            raise InferenceUnavailableError(
                f"bundle {self.bundle} of another service: {error}"
            ) from None


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
        return remote.analyse(scans) if remote else super().analyse(model, scans)

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
