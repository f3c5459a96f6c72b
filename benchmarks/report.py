# SPDX-License-Identifier: Apache-2.0
"""What every benchmark prints: figures, machine, commit and command, as one JSON object."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def arguments(description: str) -> argparse.Namespace:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON (always done)")
    parser.add_argument("--quick", action="store_true", help="less work, under a minute")
    parser.add_argument("--only", nargs="*", default=[], help="only these parts")
    return parser.parse_args()


def say(words: str) -> None:
    """Progress, on standard error."""
    print(words, file=sys.stderr, flush=True)


def finish(figures: Mapping[str, float | None], details: Mapping[str, object]) -> None:
    """Print the result on standard output."""
    result = {
        "figures": dict(figures),
        "details": dict(details),
        "machine": _machine(),
        "commit": _commit(),
        "command": " ".join([".venv/bin/python", "-m", *_module(), *sys.argv[1:]]),
    }
    print(json.dumps(result, indent=1))


def _module() -> list[str]:
    return [f"benchmarks.{Path(sys.argv[0]).stem}"]


def _machine() -> dict[str, object]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "processor": _processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
