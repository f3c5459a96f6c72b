# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of one arriving file: de-identified, known as Sidelight's own, or refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from deid import DeidentificationError, DeidentificationKey, Deidentifier
from plugin.arrival.key import ArchiveKey
from plugin.arrival.own_objects import Announced, content_digest
from plugin.arrival.protocol import Kind
from plugin.configuration.deidentification import DeidentificationSection
from plugin.deidentification import options_of, policy_of

LOGGER = logging.getLogger(__name__)

Ruling = tuple[Kind, bytes]


@dataclass
class Admission:
    """Rules on files, one at a time, with the key as it is now."""

    key: ArchiveKey
    section: DeidentificationSection
    announced: Announced = field(default_factory=Announced)
    _state: tuple[int, ...] = ()
    _deidentifier: Deidentifier | None = None

    def prepare(self) -> None:
        """Load what the first file needs; a key that can't be used is told to every file."""
        try:
            self._ready()
        except DeidentificationError as error:
            LOGGER.error("nothing is stored: %s", error)  # noqa: TRY400 - no trace: it is foreseen

    def rule(self, received: bytes) -> Ruling:
        """What to store in place of a file, or why nothing."""
        if self.announced.take(content_digest(received)):
            return Kind.KEEP, b""
        return _ruled(lambda: self._ready().deidentify(received).to_bytes())

    def _ready(self) -> Deidentifier:
        state = self.key.state()
        if self._deidentifier is None or not state or state != self._state:
            self._deidentifier = None
            self._deidentifier = self._made(self.key.read())
            self._state = self.key.state()
        return self._deidentifier

    def _made(self, key: DeidentificationKey) -> Deidentifier:
        return Deidentifier(
            key, options=options_of(self.section), policy=policy_of(self.section), once=True
        )


def _ruled(deidentified: Callable[[], bytes]) -> Ruling:
    try:
        return Kind.STORE, deidentified()
    except DeidentificationError as error:
        return Kind.REFUSE, f"{type(error).__name__}: {error}".encode("ascii", "replace")
    except Exception as error:  # noqa: BLE001
        # Whatever a broken file provokes in a library; the text of its error can quote the file.
        return Kind.REFUSE, type(error).__name__.encode("ascii", "replace")
