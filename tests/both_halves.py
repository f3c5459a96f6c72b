# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.both_halves``: all tests on both cores, and one line at the end for each half.

The tests that start servers run by themselves: idle workers of an Orthanc get no turn beside tests
that compute, and more processes of tests than cores would leave them none. The second half runs
whatever became of the first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

WITH_SERVERS = ("tests/system", "tests/viewers")
HALVES = {
    "without servers": [f"--ignore={folder}" for folder in WITH_SERVERS],
    "with servers": list(WITH_SERVERS),
}
# A file that can't be imported must not hide what the others say.
COMMON = ["-m", "pytest", "--numprocesses=2", "--dist=loadfile", "--continue-on-collection-errors"]
NO_TEST_FAILED = 0


@dataclass(frozen=True)
class Half:
    """How one half ended: exit status of pytest, its last line, and how long it took."""

    name: str
    status: int
    said: str
    seconds: float

    def __str__(self) -> str:
        """One line, such as ``with servers: 320 passed in 600 s``."""
        ending = "" if self.status == NO_TEST_FAILED else f" (exit status {self.status})"
        return f"{self.name}: {self.said} in {self.seconds:.0f} s{ending}"


def run(name: str, command: Sequence[str]) -> Half:
    """Run it, let its output through as it comes, and keep what it says last."""
    began = time.monotonic()
    said = "no summary"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            said = counted(line) or said
    return Half(name, process.returncode, said, time.monotonic() - began)


def counted(line: str) -> str:
    """What pytest counted, if this is its last line (``=== 2 failed, 3 passed in 0.12s ===``)."""
    text = line.strip("= \n")
    what, joint, duration = text.rpartition(" in ")
    is_summary = line.startswith("=") and joint and duration[:1].isdigit()
    return what if is_summary else ""


def main() -> int:
    """Both halves.

    Returns:
        1 if a test of either failed, or pytest itself.
    """
    ended = [run(name, [sys.executable, *COMMON, *words]) for name, words in HALVES.items()]
    sys.stdout.write("sidelight: tests " + "; ".join(map(str, ended)) + "\n")
    return int(any(half.status != NO_TEST_FAILED for half in ended))


if __name__ == "__main__":
    sys.exit(main())
