# SPDX-License-Identifier: Apache-2.0
"""Results as DICOM objects: whether validators and viewers accept them, and what they cost.

Peers: highdicom used plainly and dcmqi's ``itkimage2segimage`` (``ct_seg_vs_…``).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import (
    conformance_ct,
    conformance_doors,
    conformance_objects,
    conformance_viewers,
    report,
)

PARTS = {
    "objects": conformance_objects.measure,
    "viewers": conformance_viewers.measure,
    "doors": conformance_doors.measure,
    "ct": conformance_ct.measure,
}


def main() -> None:
    """Measure all figures of the table, or with ``--only`` some parts of it."""
    options = report.arguments(__doc__ or "")
    figures: dict[str, float | None] = {}
    details: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="sidelight-benchmark-") as name:
        for part, measure in PARTS.items():
            if not options.only or part in options.only:
                folder = Path(name) / part
                folder.mkdir()
                measure(folder, quick=options.quick, figures=figures, details=details)
    report.finish(figures, details)


if __name__ == "__main__":
    main()
