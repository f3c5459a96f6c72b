# SPDX-License-Identifier: Apache-2.0
"""How long a sender waits longer where headers are made standard before Orthanc stores them.

``.venv/bin/python -m benchmarks.standard_arrival --json [--quick]``

The same files go to four Orthancs: nothing done at arrival, standard headers, de-identification,
both. Slices of a few series are asked about once per series, radiographs whose headers say the same
once; ``new`` ones, each with another description, are asked about every time, which is the dearest
case. Workers and models run beside it as they do by default. ``cpu_ms`` is the processor time of
the arrival process alone (with the model's, for ``new``), which a busy machine does not change.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import generate_uid

from benchmarks.arrival_site import ROOT, running
from benchmarks.report import arguments, finish, say
from benchmarks.scans import c_store
from deid import Deidentifier
from inference.anatomy.in_process import InProcessAnatomy
from plugin.arrival.admission import Admission
from plugin.arrival.protocol import Kind
from plugin.arrival.service import Rules
from plugin.arrival.standardizing import HeaderDesk
from plugin.configuration.deidentification import DeidentificationSection
from plugin.configuration.standard_entries import read_standard_entries
from plugin.configuration.standardization import StandardizationSection
from plugin.demo.server import OrthancServer
from plugin.gate import AnatomyGate
from plugin.site_key import SiteKey
from plugin.standardization.arriving import ArrivingHeaders
from plugin.standardization.settled import SettledHeaders
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of

SIDE = 512
SLICES = 25
_DX = "1.2.840.10008.5.1.4.1.1.1.1"
_STANDARD = {"Standardization": {"Mode": "arrival"}}
_DEIDENTIFY = {"Arrival": {"Mode": "deidentify"}}
MODES: dict[str, dict[str, Any]] = {
    "off": {},
    "standard": _STANDARD,
    "deidentify": _DEIDENTIFY,
    "both": _STANDARD | _DEIDENTIFY,
}


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "")
    series, images = (2, 12) if options.quick else (4, 60)
    kinds = {
        "slices": [file for _ in range(series) for file in _slices()],
        "radiographs": [_radiograph("Thorax pa") for _ in range(images)],
        "new": [_radiograph(f"Thorax pa {number}") for number in range(images)],
    }
    figures: dict[str, float | None] = dict(cpu_milliseconds(kinds))
    say(str(figures))
    details: dict[str, Any] = {"instances": {kind: len(files) for kind, files in kinds.items()}}
    with tempfile.TemporaryDirectory(prefix="sidelight-standard-") as name:
        for mode, section in MODES.items() if "cpu" not in options.only else ():
            found = _measured(Path(name) / mode, section, kinds)
            say(f"{mode}: {found}")
            details[mode] = found
            for kind in kinds:
                figures[f"{kind}_{mode}_ms"] = found[kind]["post_ms"]
    finish(figures, details)


def cpu_milliseconds(kinds: dict[str, list[bytes]]) -> dict[str, float]:
    """Processor time per instance in the arrival process, by kind and mode; the median."""
    found = {}
    for kind, files in kinds.items():
        for mode in ("standard", "deidentify", "both"):
            with tempfile.TemporaryDirectory(prefix="sidelight-standard-") as name:
                rules = _rules(Path(name), mode)
                times = [_ruled(rules, file) for file in files]
            found[f"{kind}_{mode}_cpu_ms"] = round(statistics.median(times), 2)
    return found


def _rules(folder: Path, mode: str) -> Rules:
    headers = ArrivingHeaders(
        AnatomyGate(InProcessAnatomy()),
        StandardizationSection(mode="arrival"),
        read_standard_entries(),
        SettledHeaders(folder / "standard_headers.sqlite"),
        originals=mode == "standard",
    )
    if mode == "standard":
        return HeaderDesk(headers, lambda: Deidentifier(KEY, PIPELINE))
    key = SiteKey.of(str(folder / "key"), folder)
    return Admission(key, DeidentificationSection(), headers=headers if mode == "both" else None)


def _ruled(rules: Rules, file: bytes) -> float:
    began = time.process_time()
    kind, words = rules.rule(file)
    took = (time.process_time() - began) * 1000
    if kind not in (Kind.STANDARD, Kind.STORE):
        raise RuntimeError(words.decode("ascii", "replace"))
    return took


def _measured(
    folder: Path, section: dict[str, Any], kinds: dict[str, list[bytes]]
) -> dict[str, Any]:
    sidelight = {"Environment": str(ROOT / ".venv"), **section}
    server = OrthancServer(folder, {"Sidelight": sidelight, "SaveJobs": False})
    found: dict[str, Any] = {}
    with running(server):
        server.wait_ready(600.0)
        for kind, files in kinds.items():
            middle = len(files) // 2
            times = [_posted(server, file) for file in files[:middle]]
            paths = _written(folder / kind, files[middle:])
            began = time.perf_counter()
            c_store(server.dicom_port, paths)
            rate = len(paths) / (time.perf_counter() - began)
            found[kind] = {
                "post_ms": round(statistics.median(times), 2),
                "post_p95_ms": round(float(np.percentile(times, 95)), 2),
                "c_store_per_s": round(rate, 1),
            }
        status = server.status()
        found["said"] = {
            key: status[key] for key in ("standardization", "arrival") if key in status
        }
        found["standard"] = _standard(server)
    return found


def _posted(server: OrthancServer, file: bytes) -> float:
    """Milliseconds of ``POST /instances``."""
    began = time.perf_counter()
    server.client.post("/instances", content=file).raise_for_status()
    return (time.perf_counter() - began) * 1000


def _standard(server: OrthancServer) -> int:
    """How many instances have a changed header."""
    asked = {"Level": "Instance", "Query": {"BodyPartExamined": "CHEST"}}
    return len(server.client.post("/tools/find", json=asked).json())


def _written(folder: Path, files: Sequence[bytes]) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number:04}.dcm" for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file)
    return paths


def _slices() -> list[bytes]:
    """A series of CT of the chest that says it is a knee."""
    uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID")}
    return [
        _file(SeriesDescription="Chest lung 1.0", StudyDescription="CT Thorax nativ", **uids)
        for _ in range(SLICES)
    ]


def _radiograph(described: str) -> bytes:
    uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID")}
    return _file(
        SOPClassUID=_DX, Modality="DX", ViewPosition="PA", SeriesDescription=described,
        StudyDescription="Thorax", **uids,
    )  # fmt: skip


def _file(**attributes: Any) -> bytes:
    number = int.from_bytes(generate_uid().encode()[-4:], "big")
    noise = np.random.default_rng(number).integers(0, 4096, (SIDE, SIDE), np.uint16)
    image = {
        "Rows": SIDE, "Columns": SIDE, "SamplesPerPixel": 1, "BitsAllocated": 16,
        "PhotometricInterpretation": "MONOCHROME2", "BitsStored": 12, "HighBit": 11,
        "PixelRepresentation": 0, "PixelData": noise.tobytes(), "BodyPartExamined": "KNEE",
        "StudyDate": "20240229", "SOPInstanceUID": generate_uid(),
    }  # fmt: skip
    return file_of(ct(**(image | attributes)))


if __name__ == "__main__":
    main()
