# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Orthanc's process hands to the child processes of the PHI zone.

It travels as one line of JSON on the child's standard input: neither arguments nor environment,
which other processes may read, carry the token. The pipe then stays open as a lifeline: when it
ends, Orthanc is gone, however it went, and the child goes too.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from plugin.configuration import Configuration
from plugin.site_key import SiteKey

_PR_SET_PDEATHSIG = 1
VOCABULARY = "vocabulary.json"
"""In the data directory: the words that reviewers of this site confirmed."""


class Handover(BaseModel):
    """All that a worker or the web process needs."""

    model_config = ConfigDict(frozen=True)

    orthanc_url: str
    authorization: str
    queue_file: str
    key_file: str
    inference_url: str
    web_socket: str
    stable_age: float
    find_limit: int = 0
    """Orthanc's LimitFindResults; 0: none."""
    user_metadata: dict[str, int] = {}
    """Orthanc's UserMetadata: numbers of metadata by the names that its admin gave them."""
    dicomweb_root: str = "/dicom-web/"
    """Orthanc's DicomWeb.Root."""
    configuration: Configuration
    arrival_socket: str = ""
    """Where the arrival process listens; empty: arrival mode is off."""
    standardization_socket: str = ""
    """Where the arrival process listens while it makes headers standard and nothing else."""
    arrival_token: str = ""
    """With which it knows Orthanc and the workers, and they it: 64 hexadecimal digits."""

    @property
    def site_key(self) -> SiteKey:
        """The key, held against the one that this node began with."""
        return SiteKey.of(self.key_file, Path(self.queue_file).parent)

    @property
    def quarantine(self) -> Path:
        """Folder for result objects that failed validation."""
        return Path(self.queue_file).parent / "quarantine"

    @property
    def vocabulary(self) -> Path:
        """File of the words that reviewers of this site confirmed."""
        return Path(self.queue_file).parent / VOCABULARY


def receive() -> Handover:
    """Read the handover from standard input, and from then on live only as long as Orthanc."""
    line = sys.stdin.readline()
    handover = Handover.model_validate_json(line)
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()
    _die_with_parent()
    return handover


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def _die_with_parent() -> None:
    # The pipe alone would do, were it not for a thread that holds Python's lock for long.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
