# SPDX-License-Identifier: Apache-2.0
"""Every way by which an instance gets into Orthanc, each with the answer that its sender sees."""

from __future__ import annotations

import io
import json
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from plugin.demo.server import OrthancServer, free_port

SOURCE = "SOURCE"
"""Name and title of the archive from which Orthanc retrieves."""
SECONDS = 60.0
WEBDAV_SECONDS = 0.5

Door = Callable[[OrthancServer, Sequence[bytes]], str]


def c_store(server: OrthancServer, files: Sequence[bytes], seconds: float = SECONDS) -> str:
    """C-STORE over one association, which is given up after ``seconds``: each one's status."""
    return _sent(server, files, "DEMO", seconds)


def post(server: OrthancServer, files: Sequence[bytes]) -> str:
    """``POST /instances``, one request each."""
    return _said(
        _posted(server.client.post("/instances", content=file, timeout=SECONDS)) for file in files
    )


def post_zip(server: OrthancServer, files: Sequence[bytes]) -> str:
    """``POST /instances`` of one ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, file in enumerate(files):
            archive.writestr(f"{number}.dcm", file)
    answer = server.client.post("/instances", content=buffer.getvalue(), timeout=SECONDS)
    return _posted(answer)


def stow(server: OrthancServer, files: Sequence[bytes]) -> str:
    """DICOMweb's STOW-RS: how many the answer calls stored and how many failed."""
    mark = secrets.token_hex(16)
    parts = [
        b"--" + mark.encode() + b"\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n"
        for file in files
    ]
    answer = server.client.post(
        "/dicom-web/studies",
        content=b"".join(parts) + f"--{mark}--\r\n".encode(),
        headers={
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={mark}',
            "Accept": "application/dicom+json",
        },
        timeout=SECONDS,
    )
    return f"{answer.status_code} {_stored_and_failed(answer)}"


def webdav(server: OrthancServer, files: Sequence[bytes]) -> str:
    """A file put into WebDAV's folder of uploads."""
    statuses = []
    for file in files:
        path = f"/webdav/uploads/{secrets.token_hex(8)}.dcm"
        statuses.append(str(server.client.put(path, content=file, timeout=SECONDS).status_code))
    # Its answer comes before the file is looked at.
    time.sleep(WEBDAV_SECONDS)
    return _said(statuses)


def c_move(server: OrthancServer, files: Sequence[bytes]) -> str:
    """Orthanc retrieves a study from another archive: what that one's C-STORE got."""
    got: list[str] = []
    with _archive(server, files, got):
        study = str(_readable(files[0]).StudyInstanceUID)
        resources = [{"StudyInstanceUID": study}]
        answer = server.client.post(
            f"/modalities/{SOURCE}/move",
            json={"Level": "Study", "Resources": resources, "TargetAet": "ORTHANC"},
            timeout=SECONDS,
        )
    return f"{answer.status_code}; {', '.join(got)}"


def c_get(server: OrthancServer, files: Sequence[bytes]) -> str:
    """Orthanc asks another archive for a study by C-GET (since 1.12.7)."""
    port = free_port()
    entity = AE(ae_title=SOURCE)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    entity.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)

    def got(_event: evt.Event) -> Iterator[Any]:
        yield len(files)
        for file in files:
            yield 0xFF00, _readable(file)

    handlers = [(evt.EVT_C_GET, got)]
    listener = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        _know(server, port)
        study = str(_readable(files[0]).StudyInstanceUID)
        asked = {"Level": "Study", "Resources": [{"StudyInstanceUID": study}], "Synchronous": True}
        answer = server.client.post(f"/modalities/{SOURCE}/get", json=asked, timeout=SECONDS)
    finally:
        listener.shutdown()
    return str(answer.status_code)


DOORS: dict[str, Door] = {
    "C-STORE": c_store,
    "POST": post,
    "POST ZIP": post_zip,
    "STOW-RS": stow,
    "WebDAV": webdav,
    "C-MOVE": c_move,
}


class _archive:  # noqa: N801 - used like a function
    """An archive with these instances, which sends them where C-MOVE wants them."""

    def __init__(self, server: OrthancServer, files: Sequence[bytes], got: list[str]) -> None:
        self._server, self._files, self._got = server, files, got

    def __enter__(self) -> None:
        port = free_port()
        entity = AE(ae_title=SOURCE)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
        handlers = [(evt.EVT_C_MOVE, self._moved)]
        self._listener = entity.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=handlers
        )
        _know(self._server, port)

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()

    def _moved(self, _event: evt.Event) -> Iterator[Any]:
        """Sends over an association of its own, to see each status."""
        self._got.append(_sent(self._server, self._files, SOURCE))
        yield ("127.0.0.1", self._server.dicom_port)
        yield 0


def _know(server: OrthancServer, port: int) -> None:
    modality = {"AET": SOURCE, "Host": "127.0.0.1", "Port": port, "AllowStore": True}
    server.client.put(f"/modalities/{SOURCE}", json=modality).raise_for_status()


def _sent(
    server: OrthancServer, files: Sequence[bytes], title: str, seconds: float = SECONDS
) -> str:
    entity = AE(ae_title=title)
    entity.dimse_timeout = entity.network_timeout = seconds
    read = [_readable(file) for file in files]
    for dataset in read:
        entity.add_requested_context(
            dataset.get("SOPClassUID", CTImageStorage), dataset.file_meta.TransferSyntaxUID
        )
    association = entity.associate("127.0.0.1", server.dicom_port, ae_title="ORTHANC")
    if not association.is_established:
        return "no association"
    statuses = []
    for dataset in read:
        try:
            answer = association.send_c_store(dataset)
            statuses.append(f"0x{answer.Status:04X}" if "Status" in answer else "aborted")
        except (ValueError, RuntimeError, AttributeError) as error:
            statuses.append(f"not sent ({type(error).__name__})")
    association.release()
    return _said(statuses)


def _readable(file: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(file), force=True)


def _posted(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except json.JSONDecodeError:
        return str(answer.status_code)
    found = said if isinstance(said, list) else [said]
    words = sorted({str(one.get("Status", one.get("OrthancError", ""))) for one in found})
    return f"{answer.status_code} {'/'.join(words)}".strip()


def _stored_and_failed(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except json.JSONDecodeError:
        return ""
    said = said[0] if isinstance(said, list) else said
    counts = [len(said.get(tag, {}).get("Value", [])) for tag in ("00081199", "00081198")]
    return "stored {}, failed {}".format(*counts)


def _said(answers: Any) -> str:
    return ", ".join(sorted(set(answers)))
