# SPDX-License-Identifier: Apache-2.0
"""Health check of both containers: exit code 0 when the address given answers.

Orthanc asks for a password first (401): that it asks shows that it is alive, and a health check
needs no credentials.
"""

from __future__ import annotations

import http.client
import socket
import sys
from urllib.parse import urlsplit

SECONDS = 4.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


def main(address: str) -> int:
    """Ask once."""
    if address.startswith("unix:"):
        connection: http.client.HTTPConnection = _UnixConnection(address.removeprefix("unix:"))
        path = "/v1/health"
    else:
        parts = urlsplit(address)
        connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=SECONDS
        )
        path = parts.path
    try:
        connection.request("GET", path)
        return 0 if connection.getresponse().status in (200, 401) else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
