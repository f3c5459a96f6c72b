# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sidelight's entry script with a clock around the hook, loaded by Orthanc in its place.

The file named by SIDELIGHT_HOOK_TIMES gets one duration in milliseconds per line.
"""

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT / "benchmarks"]
sys.path.append(str(ROOT))

import orthanc  # noqa: E402

from plugin import startup  # noqa: E402

_register = orthanc.RegisterOnStoredInstanceCallback
_times = Path(os.environ["SIDELIGHT_HOOK_TIMES"]).open("a", buffering=1)  # noqa: SIM115


def _timed(handler: object) -> None:
    def stored(dicom: object, instance: str) -> None:
        start = time.perf_counter()
        handler(dicom, instance)  # type: ignore[operator]
        _times.write(f"{(time.perf_counter() - start) * 1000:.4f}\n")

    _register(stored)


orthanc.RegisterOnStoredInstanceCallback = _timed
startup.start(ROOT)
