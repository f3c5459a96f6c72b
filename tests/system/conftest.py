# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real Orthancs for the system tests: one of each release for all tests that only add scans."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from plugin.demo.server import OrthancServer, OrthancStartError
from tests.system.neighbour import known_as, knows, neighbour, on_rare_ports
from tests.system.pacs import ROOT, server_for

FOLDER = Path(__file__).parent
# Two processes of tests would take them from each other.
OrthancServer.usual_ports = (0, 0)
PHANTOM_SEED = 20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).is_relative_to(FOLDER):
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], OrthancServer]]:
    """Gives the ready Orthanc of a release: started for the first who asks, kept for all files."""
    ready: dict[str, OrthancServer] = {}
    with ExitStack() as started:

        def of(release: str) -> OrthancServer:
            if release not in ready:
                folder = tmp_path_factory.mktemp(f"orthanc-{release}")
                server = started.enter_context(server_for(release, folder, {"StableAge": 1}))
                try:
                    server.wait_ready()
                except OrthancStartError:
                    server.stop()
                    raise
                ready[release] = server
            return ready[release]

        yield of


@pytest.fixture(scope="session", params=["debian", "trixie"])
def server(
    request: pytest.FixtureRequest, releases: Callable[[str], OrthancServer]
) -> OrthancServer:
    """A ready Orthanc with Sidelight, of each release in turn."""
    return releases(request.param)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., OrthancServer]]:
    """Makes an Orthanc for one test alone, which may break it."""
    made: list[OrthancServer] = []

    def make(**changes: Any) -> OrthancServer:
        made.append(server_for("debian", tmp_path / f"orthanc-{len(made)}", changes))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Chest phantoms as DX files, the first ones with findings."""
    folder = tmp_path_factory.mktemp("phantoms")
    subprocess.run(
        [sys.executable, "-m", "plugin.demo.cli", "phantom", "chest", "--out", str(folder),
         "--count", "6", "--size", "512", "--seed", str(PHANTOM_SEED)],
        check=True, capture_output=True,
    )  # fmt: skip
    return sorted(folder.glob("*.dcm"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[OrthancServer]:
    """A second Orthanc, with DICOMweb and without Sidelight."""
    with neighbour(tmp_path / "node", StableAge=1) as server:
        yield server


@pytest.fixture
def routed(
    tmp_path: Path, node: OrthancServer, own_server: Callable[..., OrthancServer]
) -> Callable[[str], OrthancServer]:
    """Makes an Orthanc with Sidelight and a table of applications, beside the node."""

    def make(table: str) -> OrthancServer:
        path = tmp_path / "applications.toml"
        path.write_text(table, encoding="utf-8")
        server = own_server(
            StableAge=1,
            **known_as(node),
            Sidelight={
                "Environment": str(ROOT / ".venv"),
                "Applications": {"Table": str(path)},
                "Doors": {"BackoffSeconds": 0.2},
                # Deliveries are what is tried here, not who goes first.
                "Workers": {"Scheduling": "normal"},
            },
        )
        on_rare_ports(server)
        knows(node, server)
        return server

    return make
