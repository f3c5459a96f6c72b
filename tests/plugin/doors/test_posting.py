# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is told of a receiver that can't be used."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugin.demo.server import free_port
from plugin.doors.errors import UnreachableError
from plugin.doors.posting import Receiver, post
from tests.plugin.doors import certificates


@contextmanager
def shown(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a listener that shows a certificate and hangs up."""

    def once() -> None:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as talk:
                talk.recv(1 << 16)
        except OSError:
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=once, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(5.0)


def test_a_certificate_that_is_not_trusted_is_told_apart_from_an_absent_receiver(
    tmp_path: Path,
) -> None:
    made = certificates.make(tmp_path)
    with shown(made.server()) as port, pytest.raises(UnreachableError, match="certificate") as told:
        post(Receiver(f"https://127.0.0.1:{port}/secret", 5.0), b"", {})
    assert "secret" not in str(told.value)
    with pytest.raises(UnreachableError, match=r"reached \(ConnectError\)"):
        post(Receiver(f"https://127.0.0.1:{free_port()}", 5.0), b"", {})


def test_with_its_authority_the_certificate_is_trusted(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    with shown(made.server()) as port, pytest.raises(UnreachableError) as told:
        post(Receiver(f"https://127.0.0.1:{port}", 5.0, str(made.authority)), b"", {})
    assert "certificate" not in str(told.value)
