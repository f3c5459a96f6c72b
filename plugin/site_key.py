# SPDX-License-Identifier: AGPL-3.0-or-later
"""The site's key: drawn at the first start, and from then on this one or none.

All pseudonyms hang on it. A second key would silently tear every patient in two: copies and models
would get other names for the same people, and in arrival mode nothing leads back to the originals.
So a fingerprint of the first one, which tells nothing of the key, lies in the data directory.
"""

from __future__ import annotations

import fcntl
import hmac
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from deid.errors import KeyFileError
from deid.key import IN_ENVIRONMENT, DeidentificationKey

LOGGER = logging.getLogger(__name__)

KEY_FILE = "deidentification.key"
FINGERPRINT_FILE = "deidentification-key.fingerprint"
_FIRST_NAME = "arrival-key.fingerprint"
"""Where archives in arrival mode kept it before every node had one."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")
LOCK_FILE = "lock"
AGAIN_SECONDS = 5.0

_AUDIT = "deid-review-audit.sqlite"
_TRACES = (
    ("queue.sqlite", "jobs"),
    ("copies.sqlite", "copied"),
    ("deid-review.sqlite", "items"),
    (_AUDIT, "audit"),
)
"""Files and tables that have a row once something was de-identified."""
_HELD = "arrival-quarantine"


@dataclass(frozen=True)
class SiteKey:
    """The key file, and the data directory of the node that works with it.

    Attributes:
        file: the key, or ``env:NAME``.
        data: where the fingerprint lies, beside what was made with the key.
    """

    file: Path
    data: Path

    @classmethod
    def of(cls, key_file: str, data: Path) -> SiteKey:
        """The key of a node whose data directory is ``data``; empty: the file lies in it."""
        return cls(Path(key_file or data / KEY_FILE), data)

    @property
    def fingerprint(self) -> Path:
        """Where the fingerprint lies."""
        first = self.data / _FIRST_NAME
        now = self.data / FINGERPRINT_FILE
        return first if first.exists() and not now.exists() else now

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables of the environment that hold it."""
        named = str(self.file)
        return (named.removeprefix(IN_ENVIRONMENT),) if named.startswith(IN_ENVIRONMENT) else ()

    def read(self) -> DeidentificationKey:
        """The key, made at the very first start.

        Raises:
            KeyFileError: it is missing, unusable, or not the one that this node began with.
        """
        known = self._known()
        key = self._checked(known, create=known is None and not self._was_used())
        if known is None:
            self._remember(key)
        return key

    def existing(self) -> DeidentificationKey:
        """The key for a command that an admin runs: held against the fingerprint, never made.

        Raises:
            KeyFileError: as ``read``, and where there is none.
        """
        return self._checked(self._known(), create=False)

    def problem(self) -> str:
        """Why the key can't be used, and what to do; empty where it can. Makes nothing."""
        try:
            known = self._known()
            if known is None and not self._is_there() and not self._was_used():
                return ""
            self._checked(known, create=False)
        except KeyFileError as error:
            return str(error)
        return ""

    def awaited(self, sleep: Callable[[float], None] = time.sleep) -> DeidentificationKey:
        """The key, as soon as it can be used; the log says once why it can't."""
        said = ""
        while True:
            try:
                return self.read()
            except KeyFileError as error:
                if str(error) != said:
                    said = str(error)
                    LOGGER.error("nothing is de-identified: %s", said)  # noqa: TRY400 - foreseen
            sleep(AGAIN_SECONDS)

    def accept(self, *, draw: bool = False) -> bool | None:
        """Go on with the key as it is now, whatever this node began with.

        Args:
            draw: make a key where there is none.

        Returns:
            Whether it is another one than before; None: its fingerprint is damaged or lost.

        Raises:
            KeyFileError: there is no usable key, Orthanc still runs on the data directory, or the
                fingerprint can't be written.
        """
        if self._is_locked():
            raise KeyFileError(
                f"an Orthanc runs with {self.data}, and its processes hold the key that they "
                "began with: stop it first"
            )
        drawn = draw and not self._is_there()
        if not drawn and not self._is_there():
            raise KeyFileError(
                f"the key file {self.file} is missing: restore it from its backup, or say --draw "
                "for a new one"
            )
        known = self._known()
        key = DeidentificationKey.from_file(self.file, create=drawn)
        if drawn:
            self._hand_over(self.file)
        self._remember(key)
        (self.data / _FIRST_NAME).unlink(missing_ok=True)
        if drawn or (known is not None and _FINGERPRINT.match(known)):
            return drawn or known != _told(key).decode()
        return None

    def left_behind(self) -> dict[str, str]:
        """What lies in the data directory and only the key before can open, and what to do."""
        found = {}
        if _has_rows(self.data / _AUDIT, "audit"):
            found[_AUDIT] = (
                "is sealed under the key before: put it away, or no original is shown to reviewers"
            )
        held = self.data / _HELD
        if held.is_dir() and any(held.iterdir()):
            found[_HELD] = "can be read with the key before only"
        return found

    def state(self) -> tuple[int, ...]:
        """Changes when one of the files may have changed; () where one is missing."""
        files = (self.fingerprint,) if self.variables else (self.file, self.fingerprint)
        try:
            found = [path.stat() for path in files]
        except OSError:
            return ()
        return tuple(
            number for s in found for number in (s.st_ino, s.st_size, s.st_mtime_ns, s.st_mode)
        )

    def _checked(self, known: str | None, *, create: bool) -> DeidentificationKey:
        try:
            key = DeidentificationKey.from_file(self.file, create=create)
        except KeyFileError as error:
            if self._is_there() or (known is None and not self._was_used()):
                raise
            raise KeyFileError(
                f"the key file {self.file} is missing, and this node has worked with it: "
                f"{self._what_to_do()}"
            ) from error
        if known is not None and not _FINGERPRINT.match(known):
            raise KeyFileError(
                f"the fingerprint file {self.fingerprint} is damaged: restore it from its backup; "
                "where the key is the one that this node began with, stop Orthanc and run: "
                f"{self._accept()}, which then keeps all pseudonyms"
            )
        if known is not None and not hmac.compare_digest(_told(key), known.encode()):
            raise KeyFileError(
                f"the key file {self.file} holds another key than the one that this node began "
                f"with: {self._what_to_do()}"
            )
        return key

    def _what_to_do(self) -> str:
        return (
            "restore it from its backup; to go on with other pseudonyms on purpose, stop Orthanc "
            f"and run: {self._accept()}"
        )

    def _accept(self) -> str:
        own = self.file == self.data / KEY_FILE
        named = "" if own else f" --key-file {self.file}"
        return f"sidelight key accept --data {self.data}{named}"

    def _is_there(self) -> bool:
        # What the environment holds is never made; whether it is there is said when it is read.
        return bool(self.variables) or self.file.exists()

    def _was_used(self) -> bool:
        """Whether something was de-identified here, before there were fingerprints or without."""
        held = self.data / _HELD
        return (held.is_dir() and any(held.iterdir())) or any(
            _has_rows(self.data / name, table) for name, table in _TRACES
        )

    def _is_locked(self) -> bool:
        try:
            with (self.data / LOCK_FILE).open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def _known(self) -> str | None:
        try:
            return self.fingerprint.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyFileError(f"can't read {self.fingerprint}: {error.strerror}") from None

    def _remember(self, key: DeidentificationKey) -> None:
        kept = self.data / FINGERPRINT_FILE
        partial = kept.with_name(f".{kept.name}.{os.getpid()}")
        try:
            with partial.open("wb") as stream:
                stream.write(_told(key) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._hand_over(partial)
            partial.rename(kept)
        except OSError as error:
            raise KeyFileError(f"can't write {kept}: {error.strerror}") from None

    def _hand_over(self, path: Path) -> None:
        """Give a file that root has made to the account that Orthanc runs under."""
        if os.geteuid() == 0:
            owner = self.data.stat()
            os.chown(path, owner.st_uid, owner.st_gid)


@dataclass
class KeyWatch:
    """Notices while a process works that its key was taken away or replaced."""

    key: SiteKey
    _good: tuple[int, ...] = field(default=())
    _said: str = ""

    def problem(self) -> str:
        """As of the key; looked at only where a file has changed, and logged once."""
        state = self.key.state()
        if state and state == self._good:
            return ""
        problem = self.key.problem()
        self._good = () if problem else state
        if problem and problem != self._said:
            LOGGER.error("nothing is de-identified: %s", problem)
        self._said = problem
        return problem


def _told(key: DeidentificationKey) -> bytes:
    return key.derive("fingerprint").hex().encode("ascii")


def _has_rows(path: Path, table: str) -> bool:
    """Whether a table has a row; a file that can't be read counts as used."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as db:
            made = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            if made is None:
                return False
            return db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None  # noqa: S608
    except sqlite3.Error:
        return True
