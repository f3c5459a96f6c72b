# SPDX-License-Identifier: Apache-2.0
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.inference.service.running_service import (
    Running,
    ServiceProcess,
    chest_file,
    served,
)


@pytest.fixture(scope="session")
def deidentified_file() -> bytes:
    return chest_file()


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., Running]]:
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(served(tmp_path / "s", **options))


@pytest.fixture(scope="session")
def start_service() -> Iterator[Callable[..., ServiceProcess]]:
    started: list[ServiceProcess] = []

    def start(*arguments: str) -> ServiceProcess:
        command = [sys.executable, "-m", "inference.service", *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(ServiceProcess(process))
        return started[-1]

    yield start
    for one in started:
        one.end()
