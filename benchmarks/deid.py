# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identification: what leaks, what stays, how fast.

    .venv/bin/python -m benchmarks.deid --json [--quick] [--only rules speed]

A quick run of several parts has the one on arrival, which waits for Orthanc most of its time, in a
process beside it: its processor time counts in no other part.

Every part is a module ``benchmarks.deid_PART`` with ``measure(quick) -> (figures, details)``. A
figure whose part is not here, or can't be measured on this machine, is null; the details say why.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks import report

Measured = tuple[dict[str, float | None], object]

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


_WAITING = "arrival"


def main() -> None:
    """Run the parts asked for, all by default."""
    asked = report.arguments("De-identification")
    figures: dict[str, float | None] = {key: None for keys in PARTS.values() for key in keys}
    details: dict[str, object] = {}
    parts = list(asked.only or PARTS)
    beside = None
    if asked.quick and _WAITING in parts and len(parts) > 1:
        # The last to be asked for what it found.
        parts.remove(_WAITING)
        beside = _started(_WAITING)
    for part, measured in _measured(parts, quick=asked.quick):
        figures.update({key: value for key, value in measured[0].items() if key in PARTS[part]})
        details[part] = measured[1]
    if beside is not None:
        found, details[_WAITING] = beside()
        figures.update(found)
    report.finish(figures, details)


def _measured(parts: Iterable[str], *, quick: bool) -> Iterable[tuple[str, Measured]]:
    for part in parts:
        module = f"benchmarks.deid_{part}"
        if importlib.util.find_spec(module) is None:
            yield part, ({}, "not measured: there is no such part yet")
            continue
        report.say(part)
        yield part, importlib.import_module(module).measure(quick)


def _started(part: str) -> Callable[[], Measured]:
    """Have a part measured beside the others; what is returned waits for it."""
    report.say(f"{part}, beside the others")
    command = [sys.executable, "-m", "benchmarks.deid", "--json", "--quick", "--only", part]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finished() -> Measured:
        printed, _ = child.communicate()
        if child.returncode:
            raise RuntimeError(f"{part} failed: see above")
        result: dict[str, Any] = json.loads(printed)
        return {key: result["figures"][key] for key in PARTS[part]}, result["details"][part]

    return finished


if __name__ == "__main__":
    main()
