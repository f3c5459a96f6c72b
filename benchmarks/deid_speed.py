# SPDX-License-Identifier: AGPL-3.0-or-later
"""Header pass, instances per CPU second: here, three Python peers, and Orthanc's ``/anonymize``.

Ours gets a series, as it comes from a scanner: instances differ in UID, number, place and times, so
what is worked out once per series counts as it does at work, and no file is seen twice. CPU seconds
of one process, so that other work on the machine counts as little as can be. The Python peers are
installed into environments of their own at the first run.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pydicom
from pydicom.data import get_testdata_file

from benchmarks import peers, report
from deid import DeidentificationKey, Deidentifier
from tests.deid.made_scans import file_of

_PEERS = {
    "dicognito": "dicognito==0.19.0",
    "kitware": "dicom-anonymizer==2.1.0",
    "deid": "deid==0.4.13",
}
_HELD = 100
_RUN = Path(__file__).parent / "deid_speed_peers.py"


def _contents() -> dict[str, bytes]:
    """pydicom's CT of 128x128, and the same header over a 512x512 image."""
    small = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    large = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    large.Rows = large.Columns = 512
    large.PixelData = large.PixelData * 16
    return {"128": small, "512": file_of(large)}


def _series(content: bytes, count: int) -> Iterator[bytes]:
    """Slices 1.25 mm and half a second apart, with clocks as exact as scanners have them."""
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
    x, y, z = dataset.ImagePositionPatient
    start = datetime(2004, 1, 19, 11, 29, 36)  # noqa: DTZ001 - DICOM's times have no zone
    for number in range(count):
        at = start + timedelta(seconds=number / 2, microseconds=7919 * number % 1000)
        dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.9.7777.3.{number + 1}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.InstanceNumber = number + 1
        dataset.ImagePositionPatient = [x, y, round(z + 1.25 * number, 3)]
        dataset.SliceLocation = round(z + 1.25 * number, 3)
        dataset.AcquisitionTime = f"{at:%H%M%S}"
        dataset.ContentTime = f"{at:%H%M%S.%f}"
        yield file_of(dataset)


def _ours(content: bytes, repeats: int) -> float:
    deidentifier = Deidentifier(DeidentificationKey(bytes(range(32))))
    deidentifier.deidentify(content).to_bytes()
    spent, series = 0.0, _series(content, repeats)
    # Made before the clock runs, and few enough to hold.
    while block := list(itertools.islice(series, _HELD)):
        begun = time.process_time()
        for instance in block:
            deidentifier.deidentify(instance).to_bytes()
        spent += time.process_time() - begun
    return repeats / spent


def _peer(name: str, files: list[Path], repeats: int) -> list[float] | None:
    try:
        python = peers.environment(name, _PEERS[name]) / "python"
    except peers.PeerNotInstalledError as error:
        report.say(str(error))
        return None
    # -P: this folder has a deid.py of its own, which would hide the peer of that name.
    done = subprocess.run(
        [str(python), "-P", str(_RUN), name, str(repeats), *map(str, files)],
        capture_output=True, text=True, check=False,
        cwd="/", env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    if done.returncode:
        report.say(f"{name} failed: {done.stderr.strip()[-300:]}")
        return None
    return [1 / seconds for seconds in json.loads(done.stdout.strip().splitlines()[-1])]


def _orthanc(content: bytes, count: int) -> float | None:
    """Instances per CPU second of Orthanc's anonymization of a series, with store."""
    program = shutil.which("Orthanc")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        settings = Path(folder) / "orthanc.json"
        settings.write_text(
            json.dumps(
                {
                    "StorageDirectory": folder, "IndexDirectory": folder, "HttpPort": port,
                    "DicomServerEnabled": False, "AuthenticationEnabled": False, "Plugins": [],
                    "OverwriteInstances": True,
                }
            )
        )  # fmt: skip
        child = subprocess.Popen(
            [program, str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            return _anonymized(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300),
                               child.pid, content, count)  # fmt: skip
        finally:
            child.terminate()
            child.wait(30)


def _anonymized(client: httpx.Client, process: int, content: bytes, count: int) -> float:
    for _ in range(150):
        try:
            client.get("/system").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.2)
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
    parent = ""
    for number in range(count):
        dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.9.7777.3.{number + 1}"
        answer = client.post("/instances", content=file_of(dataset)).raise_for_status().json()
        parent = answer["ParentSeries"]
    begun = _cpu_seconds(process)
    client.post(f"/series/{parent}/anonymize", json={"Force": True}).raise_for_status()
    return count / (_cpu_seconds(process) - begun)


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(quick: bool) -> tuple[dict[str, float | None], dict[str, object]]:
    """Rates, and the worse of the two ratios to the fastest Python peer and to Orthanc."""
    contents = _contents()
    repeats = 50 if quick else 400
    ours = {size: _ours(content, repeats) for size, content in contents.items()}
    orthanc = {size: _orthanc(content, repeats) for size, content in contents.items()}
    rates: dict[str, list[float] | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{size}.dcm" for size in contents]
        for file, content in zip(files, contents.values(), strict=True):
            file.write_bytes(content)
        for name in _PEERS:
            rates[name] = _peer(name, files, repeats // 10)
    best = [max(of_size) for of_size in zip(*filter(None, rates.values()), strict=True)]
    stored = list(orthanc.values())
    figures = {
        "headers_per_s_128": ours["128"],
        "headers_per_s_512": ours["512"],
        "headers_vs_best_python": _worst_ratio(list(ours.values()), best),
        "headers_vs_orthanc": _worst_ratio(list(ours.values()), stored),
    }
    return figures, {
        "unit": "instances per CPU second, read to file bytes",
        "instances": "of one series, no two alike",
        "peers (128, 512)": rates,
        "orthanc with store": orthanc,
        "load": os.getloadavg()[0],
    }


def _worst_ratio(ours: list[float], theirs: list[float | None]) -> float | None:
    if not theirs or None in theirs:
        return None
    return min(mine / other for mine, other in zip(ours, theirs, strict=True) if other)
