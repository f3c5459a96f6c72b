# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of one arriving file: de-identified, known as Sidelight's own, or refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from deid import (
    DeidentificationError,
    DeidentificationKey,
    Deidentifier,
    DocumentDroppedError,
    KeyFileError,
    NotDicomError,
)
from plugin.arrival.held import HeldArrivals, HeldError
from plugin.arrival.key import ArchiveKey
from plugin.arrival.own_objects import Announced, content_digest
from plugin.arrival.protocol import Kind
from plugin.configuration.deidentification import DeidentificationSection
from plugin.deidentification import options_of, policy_of

LOGGER = logging.getLogger(__name__)

_NOT_WORTH_KEEPING = (DocumentDroppedError, KeyFileError, NotDicomError)
"""What the policy leaves out, what is no DICOM, and what comes while there is no key."""

Ruling = tuple[Kind, bytes]


@dataclass
class Admission:
    """Rules on files, one at a time, with the key as it is now."""

    key: ArchiveKey
    section: DeidentificationSection
    announced: Announced = field(default_factory=Announced)
    quarantine: tuple[Path, int] | None = None
    """Folder of refused arrivals, and how many bytes it may hold; None: they are not kept."""
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
        return self._ruled(received)

    def _ruled(self, received: bytes) -> Ruling:
        try:
            return Kind.STORE, self._ready().deidentify(received).to_bytes()
        except DeidentificationError as error:
            words, name = f"{type(error).__name__}: {error}", type(error).__name__
            worth = not isinstance(error, _NOT_WORTH_KEEPING)
        except Exception as error:  # noqa: BLE001
            # Whatever a broken file provokes in a library; the text of its error can quote it.
            words = name = type(error).__name__
            worth = True
        if worth and self.quarantine is not None:
            words += self._held(received, name)
        return Kind.REFUSE, words.encode("ascii", "replace")

    def _held(self, received: bytes, reason: str) -> str:
        """Keep it aside; it is refused whether that works or not."""
        folder, most = self.quarantine or (Path(), 0)
        try:
            kept = HeldArrivals(folder, self.key.read(), most).keep(received, reason)
        except (HeldError, DeidentificationError) as error:
            return f" (not kept: {error})"
        except Exception as error:  # noqa: BLE001 - as above: the answer is a refusal anyhow
            return f" (not kept: {type(error).__name__})"
        return f" (kept as {kept.name})"

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
