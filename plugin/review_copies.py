# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documents for a person: copies in the quarantine, de-identified but for their pixels."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from deid import (
    DeidentificationError,
    DeidentificationKey,
    Deidentifier,
    Extensions,
    Option,
    Policy,
)
from deid.documents import FlaggingStage
from plugin.quarantine import Quarantine, QuarantinedObject

LOGGER = logging.getLogger(__name__)

REVIEW = "document-for-review"
"""State of such an entry: its first error begins with it."""


@dataclass(frozen=True)
class ReviewCopies:
    """Puts copies aside.

    Args:
        deidentifier: cleans the header and leaves the pixels as they are.
        quarantine: of this node.
    """

    deidentifier: Deidentifier
    quarantine: Quarantine

    @classmethod
    def of(
        cls,
        key: DeidentificationKey,
        options: Iterable[Option],
        policy: Policy,
        quarantine: Quarantine,
    ) -> ReviewCopies:
        """As the site's own policy has it, but for documents."""
        flagging = Extensions(after=(FlaggingStage(),))
        return cls(Deidentifier(key, options, policy.without_pixels(), flagging), quarantine)

    def keep(self, original: bytes, kind: str, resource: str, *, level: str) -> None:
        """Keep a copy, flagged as one with text in its pixels (0028,0301).

        Args:
            original: the file with identifiers.
            kind: which kind of document, in words.
            resource: Orthanc identifier of where the original is.
            level: of the resource.
        """
        try:
            scan = self.deidentifier.deidentify(original)
        except DeidentificationError as error:
            LOGGER.warning("a document for review can't be shown: %s", type(error).__name__)
            return
        entry = QuarantinedObject(
            kind=kind,
            sop_instance_uid=scan.sop_instance_uid,
            errors=(f"{REVIEW}: by policy a person looks at it before it may leave",),
            level=level,
            resource=resource,
            quarantined_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        self.quarantine.put_aside(scan.to_bytes(), entry)
        LOGGER.info("a document (%s) was put aside: by policy a person looks at it first", kind)
