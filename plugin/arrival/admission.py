# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of one arriving file: de-identified, known as Sidelight's own, or refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from deid import (
    DeidentificationError,
    DeidentificationKey,
    DeidentifiedScan,
    Deidentifier,
    DocumentDroppedError,
    Extensions,
    KeyFileError,
    NotDicomError,
)
from plugin.arrival.held import HeldArrivals, HeldError
from plugin.arrival.identified import IdentifiedStage
from plugin.arrival.own_objects import Announced, content_digest
from plugin.arrival.protocol import Kind, Ruling
from plugin.configuration.deidentification import DeidentificationSection
from plugin.deidentification import options_of, policy_of
from plugin.site_key import SiteKey
from plugin.standardization.arriving import ArrivingHeaders, Wanted
from plugin.standardization.deidentified import StandardEntriesStage

LOGGER = logging.getLogger(__name__)

_NOT_WORTH_KEEPING = (DocumentDroppedError, KeyFileError, NotDicomError)
"""What the policy leaves out, what is no DICOM, and what comes while there is no key."""


@dataclass
class Admission:
    """Rules on files, one at a time, with the key as it is now."""

    key: SiteKey
    section: DeidentificationSection
    announced: Announced = field(default_factory=Announced)
    quarantine: tuple[Path, int] | None = None
    """Folder of refused arrivals, and how many bytes it may hold; None: they are not kept."""
    headers: ArrivingHeaders | None = None
    """Says what a header should say; None: nothing is made standard."""
    answers: Kind = Kind.DEIDENTIFY
    _stage: StandardEntriesStage = field(default_factory=StandardEntriesStage)
    _said: str = ""
    _state: tuple[int, ...] = ()
    _deidentifier: Deidentifier | None = None
    _of_headers: Deidentifier | None = None

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
            deidentifier = self._ready()
            if self.headers is None or self._of_headers is None:
                return Kind.STORE, deidentifier.deidentify(received).to_bytes()
            scan = self._standard(received, deidentifier, self.headers, self._of_headers)
            return Kind.STANDARD if self._stage.changed else Kind.STORE, scan.to_bytes()
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

    def _standard(
        self,
        received: bytes,
        deidentifier: Deidentifier,
        headers: ArrivingHeaders,
        of_headers: Deidentifier,
    ) -> DeidentifiedScan:
        """De-identified, with a standard header where that is possible; never without the first."""

        def wanted() -> Wanted:
            said = headers.wanted(received, of_headers)
            if said.why != self._said:
                # Once: what is wrong with inference is wrong for all that come.
                LOGGER.warning("standard headers: %s", said.why or "made again")
                self._said = said.why
            return said

        self._stage.changed = False
        try:
            with self._stage.writing(wanted):
                return deidentifier.deidentify(received)
        except DeidentificationError:
            raise
        except Exception as error:  # noqa: BLE001 - as above; what is left out is the standard
            LOGGER.warning("a header was not made standard: %s", type(error).__name__)
            self._stage.changed = False
            return deidentifier.deidentify(received)

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
        options, policy = options_of(self.section), policy_of(self.section, leaving=True)
        if self.headers is not None:
            self._of_headers = Deidentifier(key, options=options, policy=policy.without_pixels())
        return Deidentifier(
            key,
            options=options,
            policy=policy,
            extensions=Extensions(before=(IdentifiedStage(),), after=(self._stage,)),
            once=True,
        )
