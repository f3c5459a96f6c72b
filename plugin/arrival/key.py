# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key of an archive in arrival mode: drawn once, and from then on this one or none.

Nothing leads from the stored instances back to the originals, so a second key would silently tear
every patient in two. A fingerprint of the first one lies in the data directory.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from deid import DeidentificationKey, KeyFileError

FINGERPRINT_FILE = "arrival-key.fingerprint"


@dataclass(frozen=True)
class ArchiveKey:
    """The key file, and where the fingerprint of its key is kept."""

    file: Path
    fingerprint: Path

    @classmethod
    def of(cls, key_file: str, data: Path) -> ArchiveKey:
        """The key of a node whose data directory is ``data``."""
        return cls(Path(key_file), data / FINGERPRINT_FILE)

    def read(self) -> DeidentificationKey:
        """The key, made at the very first start.

        Raises:
            KeyFileError: it is missing, unusable, or not the one that this archive began with.
        """
        known = self._known()
        key = DeidentificationKey.from_file(self.file, create=known is None)
        own = key.derive("fingerprint").hex()
        if known is None:
            self._remember(own)
        elif not hmac.compare_digest(own, known):
            raise KeyFileError(
                f"the key file {self.file} holds another key than the one that this archive began "
                f"with: restore it from its backup, or remove {self.fingerprint} to go on with "
                "other pseudonyms"
            )
        return key

    def state(self) -> tuple[int, ...]:
        """Changes when one of the files may have changed; () where one is missing."""
        try:
            found = [path.stat() for path in (self.file, self.fingerprint)]
        except OSError:
            return ()
        return tuple(
            number for s in found for number in (s.st_ino, s.st_size, s.st_mtime_ns, s.st_mode)
        )

    def _known(self) -> str | None:
        try:
            return self.fingerprint.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise KeyFileError(
                f"can't read {self.fingerprint}: {getattr(error, 'strerror', None) or 'no text'}"
            ) from None

    def _remember(self, own: str) -> None:
        partial = self.fingerprint.with_name(f".{self.fingerprint.name}.{os.getpid()}")
        try:
            with partial.open("w", encoding="ascii") as stream:
                stream.write(own + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            partial.rename(self.fingerprint)
        except OSError as error:
            raise KeyFileError(f"can't write {self.fingerprint}: {error.strerror}") from None
