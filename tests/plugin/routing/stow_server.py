# SPDX-License-Identifier: AGPL-3.0-or-later
"""A DICOMweb server that stores what it is sent (PS3.18 section 10.5)."""

from __future__ import annotations

import email
import email.policy
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import pydicom
from pydicom.dataset import Dataset


class StowServer:
    """Keeps every data set by its SOP Instance UID.

    It ``forgets`` so many and says nothing of it; with a ``reason`` it fails all and says why.
    """

    def __init__(self) -> None:
        self.stored: dict[str, Dataset] = {}
        self.forgets = 0
        self.reason: object = None
        self.authorization = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/dicom-web"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_arguments: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, content_type: str, body: bytes) -> dict[str, object]:
        """Store the parts; Store Instances' answer."""
        named = []
        for content in parts(content_type, body):
            dataset = pydicom.dcmread(io.BytesIO(content[1]))
            if self.reason is not None:
                uid = {"vr": "UI", "Value": [dataset.SOPInstanceUID]}
                why = {"vr": "US", "Value": [self.reason]}
                named.append({"00081155": uid, "00081197": why})
                continue
            if self.forgets:
                self.forgets -= 1
                continue
            self.stored[dataset.SOPInstanceUID] = dataset
            named.append({"00081155": {"vr": "UI", "Value": [dataset.SOPInstanceUID]}})
        sequence = "00081199" if self.reason is None else "00081198"
        return {sequence: {"vr": "SQ", "Value": named}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/dicom-web/studies"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.authorization = self.headers.get("Authorization", "")
                answer = json.dumps(server.take(self.headers["Content-Type"], body)).encode()
                self.send_response(200 if server.reason is None else 409)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: object) -> None:
                """Nothing is printed."""

        return Handler


def parts(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Content-Location and content of each part of a multipart body."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    found = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((str(part.get("Content-Location", "")), content))
    return found
