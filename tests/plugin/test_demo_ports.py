# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers that are started side by side get ports of their own."""

from __future__ import annotations

import socket

from plugin.demo.server import free_port


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
