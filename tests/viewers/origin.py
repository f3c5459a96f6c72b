# SPDX-License-Identifier: AGPL-3.0-or-later
"""One origin on loopback: a viewer's files at its root, Orthanc's DICOMweb below ``/dicom-web``."""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

DICOM_WEB = "/dicom-web"

_SOURCE = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "dicomweb",
    "configuration": {
        "friendlyName": "Orthanc",
        "name": "Orthanc",
        "qidoSupportsIncludeField": False,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": False,
        "supportsWildcard": True,
        "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
    },
}
"""As Orthanc's OHIF plugin configures its data source "dicom-web"."""


def _app_config(origin: str) -> str:
    roots = dict.fromkeys(("wadoUriRoot", "qidoRoot", "wadoRoot"), f"{origin}{DICOM_WEB}")
    source: dict[str, Any] = {
        **_SOURCE, "configuration": {**_SOURCE["configuration"], **roots},  # type: ignore[dict-item]
    }  # fmt: skip
    config = {
        "routerBasename": "/",
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 2,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": False,
        "strictZSpacingForVolumeViewport": True,
        "investigationalUseDialog": {"option": "never"},
        "defaultDataSourceName": "dicomweb",
        "dataSources": [source],
    }
    return f"window.config = {json.dumps(config)};"


class ViewerOrigin:
    """Serves a viewer's build in front of an Orthanc, from a thread of its own.

    Args:
        build: folder with the viewer's ``index.html``.
        orthanc: client of the Orthanc, with its credentials.
    """

    def __init__(self, build: Path, orthanc: httpx.Client) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(build, orthanc))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> ViewerOrigin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(build: Path, orthanc: httpx.Client) -> type[SimpleHTTPRequestHandler]:
    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        extensions_map = {  # noqa: RUF012 - the base class has it as a plain dict
            **SimpleHTTPRequestHandler.extensions_map,
            ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm",
        }  # fmt: skip

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(build))

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.startswith(DICOM_WEB):
                self._forward()
            elif path == "/app-config.js":
                self._answer(_app_config(self._origin()).encode(), "text/javascript")
            elif "." not in path.rpartition("/")[2]:
                # A page of the application, which its own router finds.
                self.path = "/index.html"
                super().do_GET()
            else:
                super().do_GET()

        def _origin(self) -> str:
            return f"http://{self.headers['Host']}"

        def _forward(self) -> None:
            # What Orthanc builds its bulk data URIs from.
            headers = {
                "Accept": self.headers.get("Accept", "*/*"), "Host": self.headers["Host"],
            }  # fmt: skip
            reply = orthanc.get(self.path, headers=headers)
            self._answer(reply.content, reply.headers.get("Content-Type", ""), reply.status_code)

        def _answer(self, content: bytes, kind: str, status: int = HTTPStatus.OK) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Says nothing: a study is thousands of requests."""

    return Handler
