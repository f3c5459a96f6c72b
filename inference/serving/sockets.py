# SPDX-License-Identifier: Apache-2.0
"""Opening the socket that the service listens on."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

_BACKLOG = 128
_LONGEST_PATH = 107


class AddressInUseError(OSError):
    """Another process serves at the address already."""


def unix_socket(path: Path, mode: int) -> socket.socket:
    """Listen on a Unix socket; what a killed service left there is replaced.

    :param mode: permission bits of the socket file, e.g. ``0o660``. Nobody can connect in between.
    :raises AddressInUseError: if somebody answers there.
    :raises OSError: if the folder cannot be written, or the path is too long for a socket.
    """
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise OSError(f"a socket path has at most {_LONGEST_PATH} bytes; choose a shorter folder")
    if path.is_socket():
        if _answers(path):
            raise AddressInUseError("another service listens on this socket")
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        listening.bind(str(path))
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(previous)
    path.chmod(mode)
    listening.listen(_BACKLOG)
    return listening


def tcp_socket(host: str, port: int) -> socket.socket:
    """Listen on a TCP port; 0 takes a free one.

    :raises OSError: if the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def remove(path: Path) -> None:
    """Remove a socket file that may be gone already."""
    with contextlib.suppress(OSError):
        path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
