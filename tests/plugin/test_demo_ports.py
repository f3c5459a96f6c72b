# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers that are started side by side get ports of their own, and time on a busy machine."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from plugin.demo.server import OrthancServer, free_port


def test_no_port_is_given_out_twice() -> None:
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == len(ports)


def test_a_wanted_port_is_given_where_it_is_free() -> None:
    wanted = free_port()
    assert free_port(wanted) == wanted
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert free_port(taken.getsockname()[1]) != taken.getsockname()[1]


def test_a_connection_that_orthanc_closes_while_it_starts_is_no_reason_to_give_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = OrthancServer(tmp_path)
    monkeypatch.setattr(server, "_answers", lambda _path: True)

    def closed(_path: str) -> None:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")

    monkeypatch.setattr(server.client, "get", closed)
    assert server._ready() is False
