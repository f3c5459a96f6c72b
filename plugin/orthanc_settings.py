# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings of Orthanc's own that leave Sidelight no way to work, or a narrow one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_THREADS = 50
"""Orthanc's HttpThreadsCount, unless it is set."""
MOST_WAITING = 16
_SPARE_THREADS = 4
"""For what the web process and Orthanc's own users ask while routes wait."""
_FEW_WAITING = 2


@dataclass(frozen=True)
class OrthancSettings:
    """What Orthanc's configuration says.

    Attributes:
        whole: the configuration.
        workers: how many workers ask Orthanc at the same time.
    """

    whole: Mapping[str, Any]
    workers: int

    @property
    def threads(self) -> int:
        """How many requests Orthanc answers at the same time."""
        return int(self.whole.get("HttpThreadsCount", DEFAULT_THREADS))

    @property
    def waiting(self) -> int:
        """How many of Orthanc's threads may wait for the web process, which asks Orthanc in turn.

        None where there is only one: it would wait for itself.
        """
        left = self.threads - _SPARE_THREADS - self.workers
        return max(min(1, self.threads - 1), min(MOST_WAITING, left))

    def refusal(self) -> str:
        """Why Sidelight can't run at all; empty if it can."""
        if not self.whole.get("HttpServerEnabled", True):
            return (
                "HttpServerEnabled is false: Sidelight's processes need Orthanc's REST API; set it "
                "to true, and RemoteAccessAllowed to false where no other machine may use it"
            )
        return ""

    def problems(self) -> list[str]:
        """What stands in the way of a Sidelight that runs, in words."""
        found: list[str] = []
        if self.whole.get("SslEnabled") and self.whole.get("SslVerifyPeers"):
            found.append(
                "SslVerifyPeers is true: Orthanc wants a client certificate, which Sidelight's "
                "processes have not, so nothing is analysed and no page answers; set it to false, "
                "and let a proxy before Orthanc ask for certificates"
            )
        if self.whole.get("ReadOnly"):
            found.append(
                "ReadOnly is true: Orthanc keeps nothing that Sidelight finds; nothing new is "
                "analysed, what was found before is shown"
            )
        needed = _SPARE_THREADS + self.workers + _FEW_WAITING
        if self.threads < needed:
            answers = f"only {self.waiting} at the same time" if self.waiting else "none"
            found.append(
                f"HttpThreadsCount is {self.threads}: requests wait for each other, so Sidelight "
                f"answers {answers}; set it to {needed} or more"
            )
        return found
