# SPDX-License-Identifier: Apache-2.0
"""Files that can't be de-identified or only seem to be, and instances that Orthanc makes itself."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pydicom
from pydicom.uid import JPEGLSLossless

from benchmarks.arrival_attempts import MAIN_DOORS, Attempts
from benchmarks.arrival_site import Files, Site, running, section
from plugin.demo.server import OrthancServer
from plugin.results.private import PrivateElement, mark
from tests.deid.made_scans import file_of

REST = ("POST", "POST ZIP", "STOW-RS")
SECONDS = 60.0


def attempt(site: Site, attempts: Attempts) -> None:
    """All of them."""
    masking = section(Deidentification={"PixelText": "mask"})
    with running(site.server("inputs", section())) as server:
        site.wait_for_arrival(server)
        send_broken(server, attempts)
        for fault, make in _whole(attempts.files).items():
            attempts.through(server, fault, MAIN_DOORS, make)
        _made_by_orthanc(attempts, server)
        attempts.look(server)
    with running(site.server("pixels", masking)) as server:
        site.wait_for_arrival(server)
        attempts.through(
            server, "the pixels can't be decoded", MAIN_DOORS, lambda: _undecodable(attempts.files)
        )
        attempts.look(server)


def send_broken(server: OrthancServer, attempts: Attempts, doors: Sequence[str] = REST) -> None:
    """Files that can't be read."""
    for fault, make in _broken(attempts.files).items():
        # Orthanc's DICOMweb 1.7 itself ends where sequences are nested 60 deep.
        attempts.through(server, fault, doors[:2] if "nested" in fault else doors, make)


def _broken(files: Files) -> dict[str, Callable[[], list[bytes]]]:
    """Files that no C-STORE can carry."""
    return {
        "the file is cut off": lambda: [files.make()[0][:-9]],
        "the file is cut off in its header": lambda: [files.make()[0][:900]],
        "the header is damaged": lambda: [_damaged(files.make()[0])],
        "the file has no prefix": lambda: [files.make()[0][132:]],
        "sequences are nested too deep": lambda: [_deep(files)],
        "something stands around the file": lambda: [
            files.word("preamble").encode().ljust(128, b"\0")
            + files.make()[0][128:]
            + files.word("behind").encode()
        ],
        "the file is too large": lambda: files.make(
            1, Rows=2048, Columns=2304, PixelData=bytes(2 * 2048 * 2304)
        ),
        "the transfer syntax is a private one": lambda: [
            files.make()[0].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0")
        ],
        "the file names no SOP Class": lambda: [_without_class(files)],
        "the file is a DICOMDIR": lambda: files.make(1, SOPClassUID="1.2.840.10008.1.3.10"),
    }


def _whole(files: Files) -> dict[str, Callable[[], list[bytes]]]:
    """Files in good order that want to be something else."""
    return {
        "text is burned into the pixels": lambda: files.make(1, BurnedInAnnotation="YES"),
        "it says that it is de-identified": lambda: files.make(
            1, PatientIdentityRemoved="YES", DeidentificationMethod="Sidelight"
        ),
        "it bears a seal of somebody else": lambda: files.make(
            1,
            PatientIdentityRemoved="YES",
            DeidentificationMethod=["Sidelight", "Sidelight seal 1 " + "A" * 44],
        ),
        "it bears the marks of Sidelight's own objects": lambda: [_like_our_own(files)],
    }


def _damaged(file: bytes) -> bytes:
    at = file.index(b"\x10\x00\x10\x00PN")
    return file[: at + 6] + b"\xff\xff" + file[at + 8 :]


def _deep(files: Files) -> bytes:
    dataset = files.dataset()
    inner = f"{files.word('deep')}".encode()
    content = struct.pack("<HH2sH", 0x0010, 0x4000, b"LT", len(inner)) + inner
    for _ in range(60):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content
        item += struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        content = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + item
    file = file_of(dataset)
    at = file.index(b"\xe0\x7f\x10\x00")
    return file[:at] + content + file[at:]


def _without_class(files: Files) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(files.make()[0]))
    del dataset.SOPClassUID
    del dataset.file_meta.MediaStorageSOPClassUID
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=False)
    return buffer.getvalue()


def _like_our_own(files: Files) -> bytes:
    dataset = files.dataset(PatientIdentityRemoved="YES")
    mark(dataset, {PrivateElement.MODEL: "chest", PrivateElement.OUTCOME: "findings"})
    return file_of(dataset)


def _undecodable(files: Files) -> list[bytes]:
    frame = pydicom.encaps.encapsulate([b"\xff\xd8no image at all"])
    dataset = files.dataset(PixelData=frame)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return [file_of(dataset, JPEGLSLossless)]


def _made_by_orthanc(attempts: Attempts, server: OrthancServer) -> None:
    """Modify, anonymize, create, split and merge, each asked to write an identifier."""
    study, series = _stored(server, attempts.files)
    other, _ = _stored(server, attempts.files)
    for fault, ask in _REQUESTS.items():
        word = attempts.files.word("typed")
        path, body = ask(study, series, other, word)
        sent = [word.encode()]

        def send(path: str = path, body: dict[str, Any] = body) -> str:
            answer = server.client.post(path, json=body, timeout=SECONDS)
            return f"{answer.status_code} {_state(answer)}".strip()

        attempts.by(server, fault, path.rsplit("/", 1)[-1], sent, send)


def _stored(server: OrthancServer, files: Files) -> tuple[str, str]:
    """Study and series of an instance that was stored in good health."""
    answer = server.client.post("/instances", content=files.make()[0]).json()
    # The answer names the study and series of the original, which are not there.
    here = server.client.get(f"/instances/{answer['ID']}/study").json()
    return here["ID"], here["Series"][0]


def _state(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("State") or answer.json().get("OrthancError", ""))
    except json.JSONDecodeError:
        return ""


def _replacing(word: str) -> dict[str, Any]:
    return {
        "Replace": {"InstitutionName": word, "ImageComments": word, "OperatorsName": word},
        "KeepSource": True, "Synchronous": True,
    }  # fmt: skip


_Ask = Callable[[str, str, str, str], tuple[str, dict[str, Any]]]
_REQUESTS: dict[str, _Ask] = {
    "Orthanc modifies a study": lambda study, _s, _i, word: (
        f"/studies/{study}/modify", _replacing(word),
    ),
    "Orthanc modifies a series": lambda _t, series, _i, word: (
        f"/series/{series}/modify", _replacing(word),
    ),
    "Orthanc anonymizes a study and writes an identifier": lambda study, _s, _i, word: (
        f"/studies/{study}/anonymize", _replacing(word),
    ),
    "Orthanc creates an instance": lambda _t, _s, _i, word: (
        "/tools/create-dicom",
        {"Tags": {"PatientID": word, "PatientName": word, "Modality": "OT",
                  "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}},
    ),
    "Orthanc creates an instance in a study": lambda study, _s, _i, word: (
        "/tools/create-dicom",
        {"Parent": study, "Tags": {"Modality": "OT", "ImageComments": word,
                                   "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}},
    ),
    "Orthanc splits a study": lambda study, series, _i, word: (
        f"/studies/{study}/split",
        {**_replacing(word), "Series": [series], "Replace": {"StudyDescription": word}},
    ),
    "Orthanc merges a series into a study": lambda _t, series, other, _word: (
        f"/studies/{other}/merge",
        {"Resources": [series], "KeepSource": True, "Synchronous": True},
    ),
}  # fmt: skip
