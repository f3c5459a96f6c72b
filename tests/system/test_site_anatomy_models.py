# SPDX-License-Identifier: AGPL-3.0-or-later
"""A site's own anatomy models with a real Orthanc: trained on its headers, promoted, in service."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from typer.testing import CliRunner

from deid import DeidentificationKey
from inference.anatomy.serving.bundle import (
    METADATA,
    PIXELS,
    copy_anatomy_bundle,
    read_anatomy_bundle,
)
from inference.anatomy.serving.served import ServedAnatomy, shipped_version
from inference.anatomy.training import commands_pixels
from inference.commands import train
from inference.contract import VersionDecision
from inference.decisions import decide
from inference.phantoms.body import body_volume
from plugin.anatomy.records import AnatomyOverride, OverrideLog
from plugin.collecting import collect_volumes
from plugin.collecting.notebook import Notebook, notebook_folder
from plugin.demo.server import OrthancServer
from plugin.states import Metadata
from tests.inference.anatomy.serving.site_models import metadata_bundle
from tests.system.pacs import ROOT, store

NAME, PATIENT = "Zimtstern^Adelheid", "PID-4711"
STATIONS = 6
SAID = {
    "Routine Thorax": "chest",
    "Kopf nativ": "head",
    "Abdomen KM": "abdomen",
    "Becken": "pelvis",
    "Knie rechts": "lower limb",
}


def ct(description: str, station: int, number: int) -> bytes:
    """One small slice of a patient whose identity must stay here."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality, ds.PatientName, ds.PatientID = "CT", NAME, f"{PATIENT}-{number}"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20260102", "101112", "A1", "1"
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    ds.StationName, ds.ManufacturerModelName = f"ROOM-{station}", f"Scanner {station}"
    ds.Manufacturer = "SIEMENS"
    ds.StudyDescription, ds.SeriesDescription = description, f"{description} {number} mm"
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelData = bytes(512)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[OrthancServer]:
    """An Orthanc without Sidelight, whose series a reviewer has named."""
    plain = OrthancServer(tmp_path / "orthanc", with_sidelight=False)
    if not Path("/usr/sbin/Orthanc").exists():
        pytest.skip("Debian's orthanc is not installed")
    with plain as server:
        number = 0
        for station in range(STATIONS):
            for description, region in SAID.items():
                for _ in range(2):
                    number += 1
                    answer = store(server, ct(description, station, number))
                    said = AnatomyOverride(
                        regions=(region,),  # type: ignore[arg-type]
                        by="reader",
                        reason="looked at it",
                        at="2026-01-02T03:04:05+00:00",
                    )
                    text = OverrideLog(overrides=(said,)).model_dump_json()
                    place = f"/series/{answer['ParentSeries']}/metadata/"
                    number_of = Metadata.ANATOMY_OVERRIDES.value
                    server.client.put(f"{place}{number_of}", content=text).raise_for_status()
        yield server


def sidelight(server: OrthancServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SIDELIGHT_PASSWORD": server.password, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "plugin.demo.cli", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT, timeout=250
    )


def test_a_model_is_trained_on_the_headers_of_a_real_orthanc_and_can_be_promoted(
    archive: OrthancServer, tmp_path: Path
) -> None:
    DeidentificationKey.from_file(tmp_path / "site.key", create=True)
    out = tmp_path / "model"
    common = ["--orthanc", archive.url, "--user", archive.user, "--out", str(out)]
    common += ["--key-file", str(tmp_path / "site.key"), "--epochs", "1", "--shown", "512"]
    first = sidelight(archive, "train", "anatomy", *common, "--queries", "20")
    assert "the same command goes on" in first.stdout, first.stdout + first.stderr
    made = sidelight(archive, "train", "anatomy", *common)
    assert made.returncode == 0, made.stdout + made.stderr
    assert f"{STATIONS * len(SAID) * 2} distinct headers" in made.stdout
    bundle = read_anatomy_bundle(out)
    assert bundle.manifest.metrics["labels"] == {"reviewer": bundle.manifest.metrics["headers"]}
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for word in ("Zimtstern", "Adelheid", PATIENT, "ROOM-", "20260102"):
        assert word.encode().lower() not in written.lower()
    copy_anatomy_bundle(bundle, tmp_path / "models")
    asked = VersionDecision(action="promote", version="0.1.0", by="chief", reason="measured")
    versions = decide(tmp_path / "models", METADATA, asked)
    assert versions.serving.current == "0.1.0"


def until(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError("not within the time")


def anatomy(server: OrthancServer, series: str) -> dict[str, Any]:
    answer = server.client.get(f"/series/{series}/sidelight/anatomy")
    read: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return read


def test_a_promoted_model_names_itself_on_the_series_and_a_damaged_one_gives_way(
    own_server: Callable[..., OrthancServer], tmp_path: Path
) -> None:
    models = tmp_path / "models"
    copy_anatomy_bundle(metadata_bundle(tmp_path / "trained"), models)
    section = {
        "Environment": str(ROOT / ".venv"),
        "DataDirectory": str(tmp_path / "data"),
        "Inference": {"ModelDirectories": [str(models)], "Deciders": ["demo"]},
        "Workers": {"Scheduling": "normal", "Nice": 0},
    }
    server = own_server(Sidelight=section, StableAge=1)
    server.start()
    server.wait_ready()
    shipped = server.status()["service"]["inference"]["anatomy"][METADATA]
    series = store(server, ct("CT CHEST", 1, 1))["ParentSeries"]
    known = until(lambda: anatomy(server, series))
    assert known["recognized"]["model"] == f"{METADATA} {shipped}"
    listed = server.client.get("/sidelight/versions").json()["models"]
    assert [(one["name"], one["versions"][0]["state"]) for one in listed] == [(METADATA, "waiting")]
    decided = server.client.post(
        f"/sidelight/versions/{METADATA}",
        json={"action": "promote", "version": "0.1.0", "reason": "better on our scanners"},
    )
    assert decided.status_code == 200, decided.text

    def serves(version: str) -> bool:
        return bool(server.status()["service"]["inference"]["anatomy"][METADATA] == version)

    until(lambda: serves("0.1.0"))
    other = store(server, ct("CT HEAD", 1, 2))["ParentSeries"]
    known = until(lambda: anatomy(server, other))
    assert known["recognized"]["model"] == f"{METADATA} 0.1.0"
    assert known["anatomy"]["regions"] == ["head"]
    (models / METADATA / "0.1.0" / "metadata.safetensors").write_bytes(b"damaged")
    (models / METADATA / "0.1.0" / "model.json").touch()
    until(lambda: serves(shipped))
    status = server.status()
    assert status["status"] == "degraded"
    assert [p for p in status["problems"] if "metadata.safetensors was altered" in p]


def test_headers_are_put_aside_in_the_quiet_hours_of_a_real_orthanc(
    own_server: Callable[..., OrthancServer], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    section: dict[str, Any] = {
        "Environment": str(ROOT / ".venv"),
        "DataDirectory": str(data),
        "Workers": {"Scheduling": "normal", "Nice": 0},
    }
    server = own_server(Sidelight=section, StableAge=1)
    server.start()
    for number, description in enumerate(SAID):
        store(server, ct(description, 1, number))
    server.stop()
    quiet = {"Window": "3-3", "IntervalSeconds": 0.1, "RowsPerNight": 4}
    server.changes["Sidelight"] = section | {"Anatomy": {"Collecting": quiet}}
    server.start()
    server.wait_ready()
    until(lambda: server.status()["service"]["anatomy"].get("collected", 0) >= 4)
    rows = list(Notebook(notebook_folder(data)).rows())
    assert len(rows) == 4  # a night's share, of five series
    assert {row["label_source"] for row in rows if "label_source" in row} == {"tags"}
    shipped = f"{METADATA} {shipped_version(METADATA)}"
    assert {row["label_model"] for row in rows if "label_source" in row} == {shipped}
    written = b"".join(path.read_bytes() for path in notebook_folder(data).iterdir())
    for word in ("Zimtstern", PATIENT, "ROOM-1"):
        assert word.encode().lower() not in written.lower()


def body(patient: int) -> list[bytes]:
    """A CT of a patient as this site's scanner shows it: slices of a phantom, in other greys."""
    made = body_volume(5_000 + patient, 40.0)
    slices = np.interp(made.slices, (-1000, -820, -90, 45, 700), (-1000, -700, -200, -50, 300))
    slices = np.roll(slices, patient % 7 - 3, axis=2)
    slices[:, 42:45, 6:42] = np.maximum(slices[:, 42:45, 6:42], 150)  # the table
    study, series = generate_uid(), generate_uid()
    files = []
    for number, (values, height) in enumerate(zip(slices[:20], made.heights, strict=False)):
        ds = pydicom.dcmread(BytesIO(ct("Rumpf", 1, patient)))
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = study, series, number + 1
        ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [10.416667] * 2
        ds.ImagePositionPatient = [-250, -250, -round(float(height), 2)]
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.Rows = ds.Columns = 48
        ds.PixelData = values.astype("<i2").tobytes()
        out = BytesIO()
        dcmwrite(out, ds, enforce_file_format=True)
        files.append(out.getvalue())
    return files


@pytest.mark.timeout(600)
def test_the_pixel_model_is_trained_on_with_volumes_of_a_real_orthanc_and_can_be_promoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/usr/sbin/Orthanc").exists():
        pytest.skip("Debian's orthanc is not installed")
    key = tmp_path / "site.key"
    key.write_bytes(b"the same pseudonyms in every run of this test")
    key.chmod(0o600)
    monkeypatch.setattr(commands_pixels, "volume_source", lambda kind: collect_volumes)
    out = tmp_path / "made"
    with OrthancServer(tmp_path / "orthanc", with_sidelight=False) as server:
        for patient in range(36):
            for content in body(patient):
                store(server, content)
        monkeypatch.setenv("SIDELIGHT_PASSWORD", server.password)
        asked = ["anatomy-pixels", "--orthanc", server.url, "--user", server.user]
        asked += ["--key-file", str(key), "--out", str(out), "--steps", "80", "--volumes", "12"]
        asked += ["--held-out", "8"]
        few = CliRunner().invoke(train, [*asked, "--queries", "60"])
        assert few.exit_code == 2
        said = " ".join(few.output.replace("│", " ").split())
        assert "2 axial CT volumes of held-out patients, and 8 are needed in one run" in said
        made = CliRunner().invoke(train, asked)
        assert made.exit_code == 0, made.output
        again = CliRunner().invoke(train, asked)
        assert again.exit_code == 0, again.output
    bundle = read_anatomy_bundle(out)
    measured = bundle.manifest.metrics["CT"]
    assert measured["volumes"] >= 8
    assert measured["new"]["order"] > measured["shipped"]["order"]
    assert bundle.manifest.training["start"] != "shipped"  # the second run went on from the first
    written = b"".join(path.read_bytes() for path in out.iterdir())
    for word in ("Zimtstern", PATIENT, "ROOM-1"):
        assert word.encode() not in written
    assert {path.name for path in out.iterdir()} == {
        "body_part.safetensors", "learned.json", "model.json",
    }  # fmt: skip
    copy_anatomy_bundle(bundle, tmp_path / "models")
    asked_for = VersionDecision(action="promote", version="0.1.0", by="chief", reason="measured")
    decide(tmp_path / "models", PIXELS, asked_for)
    assert ServedAnatomy([tmp_path / "models"]).standing.versions[PIXELS] == "0.1.0"
