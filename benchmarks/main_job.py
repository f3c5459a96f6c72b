# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end: what Sidelight costs Orthanc, and how fast and safe results come.

Peers: the same Orthanc without any plugin (``cstore_ratio``, ``post_ratio``, ``orthanc_rss_mb``).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import hook_time, killing, latency, report, throughput

PARTS = ("throughput", "hook", "latency", "kill")


def main() -> None:
    """Measure all figures of the table, or with ``--only`` some parts of it."""
    options = report.arguments(__doc__ or "")
    parts = options.only or PARTS
    figures: dict[str, float] = {}
    details: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="sidelight-benchmark-") as name:
        folder = Path(name)
        if "throughput" in parts:
            throughput.measure(folder, quick=options.quick, figures=figures, details=details)
        if "hook" in parts:
            hook_time.measure(folder, quick=options.quick, figures=figures, details=details)
        if "latency" in parts:
            latency.measure(folder, quick=options.quick, figures=figures, details=details)
        if "kill" in parts:
            killing.measure(folder, quick=options.quick, figures=figures, details=details)
    report.finish(figures, details)


if __name__ == "__main__":
    main()
