# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reader that is made when the site's key can be used: what needs none does not wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from deid import DeidentifiedScan, KeyFileError
from plugin.doors.errors import UnreachableError
from plugin.site_key import KeyWatch, SiteKey
from plugin.worker.scan import Reader


@dataclass
class LateReader:
    """Called from the threads of several doors.

    Args:
        make: makes the reader; raises ``KeyFileError`` where the key can't be used.
        key: of this node.
    """

    make: Callable[[], Reader]
    key: SiteKey
    _made: Reader | None = None
    _watch: KeyWatch = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._watch = KeyWatch(self.key)

    def reader(self) -> Reader:
        """The reader, while the key can be used.

        Raises:
            UnreachableError: it can't; says why and what to do.
        """
        with self._lock:
            try:
                if self._made is None:
                    self._made = self.make()
            except KeyFileError as error:
                raise UnreachableError(f"the key can't be used: {error}") from None
            if problem := self._watch.problem():
                raise UnreachableError(f"the key can't be used: {problem}")
            return self._made

    def deidentify_header(self, header: bytes) -> DeidentifiedScan:
        """A header that may pass the gate.

        Raises:
            UnreachableError: as ``reader``.
            DeidentificationError: the header can't be de-identified.
        """
        return self.reader().header_deidentifier.deidentify_header(header)

    def problem(self) -> str:
        """Why there is no reader now; empty where there is one."""
        try:
            self.reader()
        except UnreachableError as error:
            return str(error)
        return ""
