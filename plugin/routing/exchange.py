# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc as a sender and asker of other archives, over its own REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugin.archive import Archive

TAKES_SECONDS = 600.0
"""Orthanc answers when the other side has everything."""


class Exchange(Archive):
    """An Orthanc that sends, queries and retrieves for us.

    Errors are those of ``Archive``: Orthanc answers 500 whatever the other side's trouble is.
    """

    def __init__(self, url: str, authorization: str) -> None:
        super().__init__(url, authorization, TAKES_SECONDS)

    def modalities(self) -> list[str]:
        """Names in DicomModalities."""
        read: list[str] = self._get("/modalities").json()
        return read

    def dicomweb_servers(self) -> list[str]:
        """Names in DicomWeb.Servers.

        Raises:
            NotFoundError: Orthanc has no DICOMweb plugin.
        """
        read: list[str] = self._get("/dicom-web/servers").json()
        return read

    def send_stored(self, modality: str, instances: Sequence[str]) -> None:
        """C-STORE instances that Orthanc holds, in one association."""
        asked = {"Resources": list(instances), "Synchronous": True}
        self._request("POST", f"/modalities/{modality}/store", json=asked)

    def send_file(self, modality: str, dicom: bytes) -> None:
        """C-STORE a file that Orthanc does not keep (since 1.6.1)."""
        headers = {"Content-Type": "application/dicom"}
        path = f"/modalities/{modality}/store-straight"
        self._request("POST", path, content=dicom, headers=headers)

    def stow_stored(self, server: str, series: Sequence[str]) -> None:
        """STOW series that Orthanc holds, through one of its DICOMweb servers."""
        asked = {"Resources": list(series), "Synchronous": True}
        self._request("POST", f"/dicom-web/servers/{server}/stow", json=asked)

    def query(self, modality: str, query: Mapping[str, str]) -> tuple[str, list[dict[str, Any]]]:
        """C-FIND at study level (PS3.4 C.6.2.1); the query's name and its answers by keyword."""
        asked = {"Level": "Study", "Query": dict(query)}
        name = str(self._request("POST", f"/modalities/{modality}/query", json=asked).json()["ID"])
        read = self._get(f"/queries/{name}/answers", params={"expand": "", "simplify": ""}).json()
        return name, list(read)

    def retrieve(self, query: str, answer: int, target: str) -> None:
        """C-MOVE one answer of a query to an AE title; empty for Orthanc's own."""
        asked: dict[str, Any] = {"Synchronous": True}
        if target:
            asked["TargetAet"] = target
        self._request("POST", f"/queries/{query}/answers/{answer}/retrieve", json=asked)

    def forget_query(self, query: str) -> None:
        """Let Orthanc forget a query's answers."""
        self._request("DELETE", f"/queries/{query}")
