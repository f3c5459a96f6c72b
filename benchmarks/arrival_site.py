# SPDX-License-Identifier: Apache-2.0
"""An Orthanc in arrival mode, files whose identifiers are known again, and the search for them."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from plugin.demo.server import OrthancServer, OrthancStartError, free_port
from tests.deid.made_scans import ct, file_of
from tests.system.pacs import server_for

ROOT = Path(__file__).resolve().parents[1]
UID = "1.2.826.0.1.3680043.9.7777.90210"
_PLANTED = re.compile(rb"QX[A-Z]{2,12}(\d{5})YV|7777\.90210\.(\d{5})\.")
_TEXTS = (
    "PatientName", "PatientID", "OtherPatientNames", "PatientAddress", "AccessionNumber",
    "InstitutionName", "ReferringPhysicianName", "OperatorsName", "StationName", "StudyID",
    "StudyDescription", "SeriesDescription", "ImageComments", "PatientComments",
    "AdditionalPatientHistory", "DeviceSerialNumber", "IssuerOfPatientID",
)  # fmt: skip
_SIDE = 16


class Files:
    """Makes files, each with identifiers of its own, and finds them again in what was stored."""

    def __init__(self) -> None:
        self._numbers = itertools.count(10001)

    def word(self, place: str) -> str:
        """An identifier that occurs nowhere by chance."""
        return f"QX{place.upper()[:12]}{next(self._numbers)}YV"

    def dataset(self, study: int = 0, **attributes: Any) -> Dataset:
        """An image full of identifiers; instances with one ``study`` number share their study."""
        number = next(self._numbers)
        study = study or number
        values: dict[str, Any] = {
            keyword: f"QX{keyword.upper()[:12]}{number}YV"[: 16 if keyword in _SHORT else 64]
            for keyword in _TEXTS
        }
        values |= {
            "StudyInstanceUID": f"{UID}.{study}.1",
            "SeriesInstanceUID": f"{UID}.{study}.2",
            "SOPInstanceUID": f"{UID}.{number}.3",
            "StudyDate": "20240229",
            "PatientBirthDate": "19450131",
            "Rows": _SIDE, "Columns": _SIDE, "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 12,
            "HighBit": 11, "PixelRepresentation": 0, "PixelData": bytes(2 * _SIDE * _SIDE),
        }  # fmt: skip
        dataset = ct(**(values | attributes))
        block = dataset.private_block(0x0029, "SOMEBODY", create=True)
        block.add_new(1, "LO", f"QXPRIVATE{number}YV")
        return dataset

    def make(self, count: int = 1, study: int = 0, **attributes: Any) -> list[bytes]:
        """Files of such images; those of one call share a study."""
        shared = study or next(self._numbers)
        return [file_of(self.dataset(shared, **attributes)) for _ in range(count)]


_SHORT = frozenset({"AccessionNumber", "StationName", "StudyID"})


def planted_in(content: bytes) -> set[int]:
    """Numbers of the files whose identifiers are found."""
    return {int(one or other) for one, other in _PLANTED.findall(content)}


def originals_stored(server: OrthancServer) -> set[int]:
    """Numbers of the files of which anything identifying lies in Orthanc's storage or index."""
    found: set[int] = set()
    for path in (server.folder / "db").rglob("*"):
        if path.is_file():
            found |= planted_in(path.read_bytes())
    return found


def instances_stored(server: OrthancServer) -> int:
    """How many instances Orthanc has."""
    count: int = server.client.get("/statistics").json()["CountInstances"]
    return count


def section(**changes: Any) -> dict[str, Any]:
    """Sidelight's section in arrival mode, without a model."""
    arrival = {"Mode": "deidentify", "TimeoutSeconds": 20.0, "MaximumMegabytes": 8}
    return {
        "Environment": str(ROOT / ".venv"),
        "Arrival": arrival | changes.pop("Arrival", {}),
        "Inference": {"Url": "unix:/nowhere/inference.sock"},
        **changes,
    }


def impatient(**changes: Any) -> dict[str, Any]:
    """The same, where an answer that does not come in a second comes too late."""
    return section(Arrival={"TimeoutSeconds": 1.0}, **changes)


def alone(**changes: Any) -> dict[str, Any]:
    """The same, where no process is needed beside Orthanc: none of them starts."""
    return section(Python="/bin/false", **changes)


def orthanc_with(sidelight: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Changes of Orthanc's configuration for these tests."""
    return {
        "DicomAlwaysAllowStore": True,
        "DicomCheckModalityHost": False,
        "SynchronousCMove": True,
        # A job's history keeps what was typed into its request.
        "SaveJobs": False,
        "StableAge": 1,
        "Sidelight": sidelight,
        **changes,
    }


class Site:
    """Makes Orthancs in a folder, one per group of faults."""

    def __init__(self, folder: Path, release: str) -> None:
        self.folder, self._release = folder, release

    def server(self, name: str, sidelight: dict[str, Any], **changes: Any) -> OrthancServer:
        """An Orthanc of its own, not yet started."""
        made = server_for(self._release, self.folder / name, orthanc_with(sidelight, **changes))
        # The interpreter of the children may be one that makes mistakes.
        made.changes["Sidelight"].update({k: v for k, v in sidelight.items() if k == "Python"})
        return made

    def wait_for_arrival(self, server: OrthancServer, seconds: float = 150.0) -> None:
        """Wait until the arrival process listens.

        Raises:
            TimeoutError: it does not.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if arrival_process(server) and listens(server):
                return
            time.sleep(0.05)
        raise TimeoutError(f"no arrival process; the log: {server.log}")

    def settled(self, server: OrthancServer, expected: int, seconds: float = 10.0) -> int:
        """How many instances are stored, once as many as expected are or time is over."""
        deadline = time.monotonic() + seconds
        while instances_stored(server) < expected and time.monotonic() < deadline:
            time.sleep(0.05)
        return instances_stored(server)


def faulty_interpreter(folder: Path) -> tuple[Path, Path]:
    """An interpreter that runs the faulty arrival process in place of the real one, and its switch.

    Sidelight starts its children with it; all others run as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    switch, script = folder / "fault", folder / "python"
    switch.write_text("", encoding="utf-8")
    script.write_text(
        "#!/bin/sh\n"
        f'if [ "$2" = plugin.arrival ]; then exec {sys.executable} -m benchmarks.arrival_faults '
        f'{switch}; fi\nexec {sys.executable} "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script, switch


def arrival_process(server: OrthancServer) -> int:
    """Process id of the arrival process, or 0 while there is none."""
    for process in server.status()["processes"]:
        if process["name"] == "arrival" and process["pid"]:
            return int(process["pid"])
    return 0


def socket_of(server: OrthancServer) -> Path:
    """Where the arrival process listens, or would."""
    data = (server.folder / "db" / "sidelight").resolve()
    name = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"sidelight-{os.getuid()}-{name}" / "arrival.sock"


def listens(server: OrthancServer) -> bool:
    """Whether somebody answers there."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(socket_of(server))) == 0


@contextmanager
def running(server: OrthancServer) -> Iterator[OrthancServer]:
    """Start and end it, also where it won't start in good order."""
    try:
        start(server)
        yield server
    finally:
        # Its children end with it, and nobody waits for them.
        server.kill()
        server.client.close()


def start(server: OrthancServer) -> None:
    """Start it, on other ports where somebody took its own between choice and start.

    Raises:
        OrthancStartError: it does not start on any.
    """
    for _ in range(5):
        _take_ports(server)
        try:
            server.start()
        except OrthancStartError:
            server.kill()
        else:
            return
    _take_ports(server)
    server.start()


def _take_ports(server: OrthancServer) -> None:
    server.http_port, server.dicom_port = free_port(), free_port()
    server.url = f"http://127.0.0.1:{server.http_port}"
    server.client.base_url = server.url


def numbers(files: Sequence[bytes]) -> set[int]:
    """Numbers that are planted in these files."""
    return set().union(*(planted_in(file) for file in files)) if files else set()
