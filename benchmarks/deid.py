# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identification: what leaks, what stays, how fast.

    .venv/bin/python -m benchmarks.deid --json [--quick] [--only rules speed]

Every part is a module ``benchmarks.deid_PART`` with ``measure(quick) -> (figures, details)``. A
figure whose part is not here, or can't be measured on this machine, is null; the details say why.
"""

from __future__ import annotations

import importlib
import importlib.util

from benchmarks import report

PARTS = {
    "canaries": ("canaries_leaked", "harmless_kept"),
    "rules": ("rules_wrong",),
    "midib": ("midib_score", "midib_worst_action", "midib_leaks"),
    "sets": ("dciodvfy_errors_added", "references_resolved", "dictionary_recovered"),
    "speed": (
        "headers_per_s_128",
        "headers_per_s_512",
        "headers_vs_best_python",
        "headers_vs_orthanc",
    ),
    "text": ("text_identifiers_left", "text_clinical_kept"),
    "pixels": (
        "lines_covered",
        "lines_covered_cjk_cyrillic",
        "false_mask_area",
        "keep_mode_kept",
        "low_contrast_ct",
        "pixel_pass_cpu_s",
        "cine_cpu_s",
    ),
    "arrival": ("originals_stored_under_faults",),
    "faces": ("brain_voxels_changed", "face_landmark_mm"),
}


def main() -> None:
    """Run the parts asked for, all by default."""
    asked = report.arguments("De-identification")
    figures: dict[str, float | None] = {key: None for keys in PARTS.values() for key in keys}
    details: dict[str, object] = {}
    for part in asked.only or PARTS:
        module = f"benchmarks.deid_{part}"
        if importlib.util.find_spec(module) is None:
            details[part] = "not measured: there is no such part yet"
            continue
        report.say(part)
        measured, details[part] = importlib.import_module(module).measure(asked.quick)
        figures.update({key: value for key, value in measured.items() if key in PARTS[part]})
    report.finish(figures, details)


if __name__ == "__main__":
    main()
