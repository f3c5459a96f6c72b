# SPDX-License-Identifier: Apache-2.0
"""The heat-map model: how good its answers are, and what the service adds to the model's own time.

Peers: Grad-CAM on a DenseNet-121 (``…_vs_gradcam``), a bare PyTorch loop (``service_efficiency``),
the bare forward pass (``single_image_overhead``), Orthanc's own preview (``overlay_vs_preview``).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import (
    heatmap_accuracy,
    heatmap_gpu,
    heatmap_gradcam,
    heatmap_overlay,
    heatmap_service,
    report,
)

PARTS = ("accuracy", "service", "overlay", "gpu", "gradcam")


def main() -> None:
    """Measure all figures of the table, or with ``--only`` some parts of it."""
    options = report.arguments(__doc__ or "")
    parts = options.only or PARTS
    figures: dict[str, float | None] = {}
    details: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="sidelight-benchmark-") as name:
        folder = Path(name)
        if "accuracy" in parts:
            heatmap_accuracy.measure(quick=options.quick, figures=figures, details=details)
        if "service" in parts:
            heatmap_service.measure(folder, quick=options.quick, figures=figures, details=details)
        if "overlay" in parts:
            overlay = heatmap_overlay.measure(folder, quick=options.quick)
            figures["overlay_vs_preview"] = round(overlay.pop("overlay_vs_preview"), 3)
            details["overlay"] = overlay
        if "gpu" in parts:
            heatmap_gpu.measure(quick=options.quick, figures=figures, details=details)
        if "gradcam" in parts:
            heatmap_gradcam.measure(quick=options.quick, figures=figures, details=details)
    report.finish(figures, details)


if __name__ == "__main__":
    main()
