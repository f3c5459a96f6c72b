# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of one arriving file where its header is made standard and its identity stays."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from deid import DeidentificationError, Deidentifier
from plugin.arrival.own_objects import Announced
from plugin.arrival.protocol import Kind, Ruling
from plugin.standardization.arriving import ArrivingHeaders
from plugin.standardization.incoming import standardized

LOGGER = logging.getLogger(__name__)


@dataclass
class HeaderDesk:
    """Rules on files, one at a time: a standard header, or as it came.

    ``deidentifier`` makes what de-identifies headers before inference sees them; it is tried again
    at each file while it fails.
    """

    headers: ArrivingHeaders
    deidentifier: Callable[[], Deidentifier]
    announced: Announced = field(default_factory=Announced)
    answers: Kind = Kind.STANDARDIZE
    _ready: Deidentifier | None = None

    def prepare(self) -> None:
        """Load what the first file needs."""
        try:
            self._ready = self.deidentifier()
        except DeidentificationError as error:
            LOGGER.error("headers stay as they come: %s", error)  # noqa: TRY400 - it is foreseen

    def rule(self, received: bytes) -> Ruling:
        """What to store in place of a file; why it is left as it came, or nothing to be said."""
        try:
            if self._ready is None:
                self._ready = self.deidentifier()
            wanted = self.headers.wanted(received, self._ready)
            changed = standardized(received, wanted) if wanted.entries else None
        except DeidentificationError as error:
            return Kind.REFUSE, f"{type(error).__name__}: {error}".encode("ascii", "replace")
        except Exception as error:  # noqa: BLE001
            # pydicom raises whatever a broken file provokes, and its messages can quote the file.
            return Kind.REFUSE, f"it can't be written again ({type(error).__name__})".encode()
        if changed is not None:
            return Kind.STANDARD, changed
        if wanted.why:
            return Kind.REFUSE, wanted.why.encode("ascii", "replace")
        return Kind.KEEP, b""
