# SPDX-License-Identifier: Apache-2.0
"""``doors_differ``: numbers that SR, REST, FHIR, HL7 and webhook tell differently of one study.

Chest phantoms with and without findings, and one scan each that the model abstains from, that is
refused, and whose analysis fails, go through a real Orthanc with a real MLLP listener and a real
HTTP receiver. Every number of every report is compared with the same number at each door.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from benchmarks import door_numbers
from benchmarks.receivers import HttpReceiver, MllpListener, Posted, wait_for
from benchmarks.report import arguments, finish, say
from benchmarks.scans import chest_phantoms
from plugin.demo.server import OrthancServer

FHIR = "application/fhir+json"
SECRET = "a secret of the benchmark"  # noqa: S105
TIMEOUTS = (0.2, 0.1, 0.05, 0.025)
"""Seconds; with the first one that is short enough for this machine, a large image reaches its
anatomy, but not the end of its analysis."""

OUTCOMES = {"findings", "no-findings", "abstained", "refused", "failed"}


@dataclass
class Tally:
    """What was compared so far."""

    compared: int = 0
    differ: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass
class Site:
    """An Orthanc that tells a listener and a receiver of every result."""

    server: OrthancServer
    listener: MllpListener
    receiver: HttpReceiver

    def analyse(self, dicom: bytes) -> dict[str, Any]:
        """Store an image and wait for the state of its scan."""
        study = self.server.client.post("/instances", content=dicom).json()["ParentStudy"]
        deadline = time.monotonic() + 120.0
        while time.monotonic() < deadline:
            answer = self.server.client.get(f"/studies/{study}/sidelight")
            if answer.status_code == 200 and answer.json()["scans"]:
                scan: dict[str, Any] = answer.json()["scans"][0]
                return {**scan, "study": study}
            time.sleep(0.1)
        raise RuntimeError("no result after two minutes")

    def messages(self, accession: str) -> list[bytes]:
        """HL7 messages about an order."""
        wanted = f"|{accession}|".encode()
        return [message for message in self.listener.messages if wanted in message]

    def posted(self, study: str) -> list[Posted]:
        """Webhooks about a study."""
        return [one for one in self.receiver.posted if study.encode() in one.body]


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float], details: dict[str, object]
) -> None:
    """Fill in the figure; a door that tells nothing of a study differs in all of its numbers."""
    tally = Tally()
    count = 2 if quick else 20
    files = chest_phantoms(folder / "doors-phantoms", count, 512, 20)
    files += phantoms_with("pneumothorax,pleural-effusion,nodule", folder / "doors-positive", count)
    with _site(folder / "doors", {}) as site:
        for dicom in [*(_fresh(file) for file in files), *_spoilt(files[0])]:
            _compare(site, dicom, tally)
    large = chest_phantoms(folder / "doors-large", 1, 2048, 20)[0]
    for seconds in TIMEOUTS:
        failing = {"Queue": {"MaximumAttempts": 1}, "Inference": {"TimeoutSeconds": seconds}}
        with _site(folder / f"doors-failing-{seconds}", failing) as site:
            _compare(site, _fresh(large), tally)
        if "failed" in tally.outcomes:
            break
    missing = OUTCOMES - tally.outcomes.keys()
    if missing:
        raise RuntimeError(f"no scan ended as {', '.join(sorted(missing))}: nothing is known of it")
    figures["doors_differ"] = len(tally.differ)
    details["doors_compared"] = tally.compared
    details["doors_outcomes"] = dict(sorted(tally.outcomes.items()))
    details["doors_differing"] = tally.differ[:20]


def phantoms_with(findings: str, folder: Path, count: int, size: int = 512) -> list[Path]:
    """Write chest phantoms that all show these findings."""
    command = [
        sys.executable, "-m", "plugin.demo.cli", "phantom", "chest", "--out", str(folder),
        "--count", str(count), "--size", str(size), "--seed", "500", "--findings", findings,
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.dcm"))


class _site:  # noqa: N801 - reads as a statement
    def __init__(self, folder: Path, section: dict[str, Any]) -> None:
        self.listener, self.receiver = MllpListener(), HttpReceiver()
        doors = {
            "Hl7": {"Host": "127.0.0.1", "Port": self.listener.port},
            "Webhooks": {"ResultUrls": [f"{self.receiver.url}/results"], "Secret": SECRET},
        }
        environment = {"Environment": str(Path(__file__).resolve().parents[1] / ".venv")}
        changes = {"StableAge": 1, "Sidelight": {**environment, **section, "Doors": doors}}
        self.server = OrthancServer(folder, changes)

    def __enter__(self) -> Site:
        for part in (self.listener, self.receiver, self.server):
            part.__enter__()
        self.server.wait_ready()
        return Site(self.server, self.listener, self.receiver)

    def __exit__(self, *error: object) -> None:
        for part in (self.server, self.receiver, self.listener):
            part.__exit__(None, None, None)


def _fresh(file: Path, change: Callable[[Dataset], None] | None = None) -> bytes:
    """The image as a study of its own with an order of its own, changed by ``change``."""
    image = pydicom.dcmread(file)
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.SOPInstanceUID = generate_uid()
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.AccessionNumber = f"D{image.SOPInstanceUID[-12:].replace('.', '0')}"
    if change is not None:
        change(image)
    buffer = io.BytesIO()
    image.save_as(buffer)
    return buffer.getvalue()


def _spoilt(file: Path) -> Iterator[bytes]:
    def noise(image: Dataset) -> None:
        shape = (image.Rows, image.Columns)
        pixels = np.random.default_rng(1).integers(0, 4000, shape, dtype=np.uint16)
        image.PixelData = pixels.tobytes()

    def burned_in(image: Dataset) -> None:
        image.BurnedInAnnotation = "YES"

    yield _fresh(file, noise)
    yield _fresh(file, burned_in)


def _compare(site: Site, dicom: bytes, tally: Tally) -> None:
    image = pydicom.dcmread(io.BytesIO(dicom), stop_before_pixels=True)
    accession = str(image.AccessionNumber)
    scan = site.analyse(dicom)
    report = next(stored["instance"] for stored in scan["objects"] if stored["kind"] == "SR")
    expected = door_numbers.of_report(site.server.client.get(f"/instances/{report}/file").content)
    doors = dict(_doors(site, accession, scan["study"]))
    for door, told in doors.items():
        differ = door_numbers.differing(expected, told)
        tally.differ += [f"{scan['status']} {door}: {name}" for name in differ]
        tally.compared += len(expected)
    tally.outcomes[scan["status"]] += 1
    say(f"{scan['status']}: {len(expected)} numbers at {len(doors)} doors")


def _doors(site: Site, accession: str, study: str) -> Iterator[tuple[str, door_numbers.Numbers]]:
    client, order = site.server.client, {"AccessionNumber": accession}
    found = client.get("/sidelight/results", params=order).json()["studies"]
    yield "rest", door_numbers.of_json(found[0]["results"][0])
    bundle = client.get("/sidelight/results", params=order, headers={"Accept": FHIR}).json()
    yield "fhir", door_numbers.of_fhir(bundle)
    wait_for(lambda: bool(site.messages(accession) and site.posted(study)))
    yield "hl7", door_numbers.of_hl7(site.messages(accession)[0])
    content = json.loads(site.posted(study)[0].body)
    yield "webhook", door_numbers.of_json(content["results"][0])


def main() -> None:
    """Measure the figure alone."""
    options = arguments(__doc__ or "")
    figures: dict[str, float] = {}
    details: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="sidelight-benchmark-") as name:
        measure(Path(name), quick=options.quick, figures=figures, details=details)
    finish(figures, details)


if __name__ == "__main__":
    main()
