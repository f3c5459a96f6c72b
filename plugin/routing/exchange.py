# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc as a sender and asker of other archives, over its own REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugin.archive import Archive, ArchiveError
from plugin.configuration.application_table import Pull

TAKES_SECONDS = 600.0
"""Orthanc answers when the other side has everything."""


_STUDY_UID = "0020000D"


@dataclass(frozen=True)
class FoundStudies:
    """What another archive answers.

    Attributes:
        uids: Study Instance UIDs.
        fetch: has the archive send the study with this number in ``uids``.
        close: lets Orthanc forget the answers.
    """

    uids: Sequence[str]
    fetch: Callable[[int], None]
    close: Callable[[], object]


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

    def peers(self) -> list[str]:
        """Names in OrthancPeers."""
        read: list[str] = self._get("/peers").json()
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
        answer = self._request("POST", f"/modalities/{modality}/store", json=asked).json()
        failed = int(answer.get("FailedInstancesCount", 0))
        if failed:
            raise ArchiveError(f"{failed} of {len(instances)} images were not taken")

    def send_file(self, modality: str, dicom: bytes) -> None:
        """C-STORE a file that Orthanc does not keep (since 1.6.1)."""
        headers = {"Content-Type": "application/dicom"}
        path = f"/modalities/{modality}/store-straight"
        self._request("POST", path, content=dicom, headers=headers)

    def send_stored_to_peer(self, peer: str, instances: Sequence[str]) -> None:
        """Send instances that Orthanc holds to another Orthanc."""
        asked = {"Resources": list(instances), "Synchronous": True}
        self._request("POST", f"/peers/{peer}/store", json=asked)

    def send_file_to_peer(self, peer: str, dicom: bytes) -> None:
        """Send a file that Orthanc does not keep to another Orthanc."""
        headers = {"Content-Type": "application/dicom"}
        self._request("POST", f"/peers/{peer}/store-straight", content=dicom, headers=headers)

    def stow_stored(self, server: str, series: Sequence[str]) -> None:
        """STOW series that Orthanc holds, through one of its DICOMweb servers."""
        asked = {"Resources": list(series), "Synchronous": True}
        self._request("POST", f"/dicom-web/servers/{server}/stow", json=asked)

    def found(self, pull: Pull, query: Mapping[str, str]) -> FoundStudies:
        """Ask the archive of a pull for studies; to be closed.

        Args:
            pull: where to ask.
            query: keywords with values to match at study level, or empty to be told.
        """
        return (
            self._found_by_node(pull, query) if pull.modality else self._found_by_web(pull, query)
        )

    def _found_by_node(self, pull: Pull, query: Mapping[str, str]) -> FoundStudies:
        """C-FIND (PS3.4 C.6.2.1); each study comes by C-MOVE."""
        asked = {"Level": "Study", "Query": dict(query)}
        place = f"/modalities/{pull.modality}/query"
        name = str(self._request("POST", place, json=asked).json()["ID"])
        answers = self._get(
            f"/queries/{name}/answers", params={"expand": "", "simplify": ""}
        ).json()
        order: dict[str, Any] = {"Synchronous": True}
        if pull.target:
            order["TargetAet"] = pull.target

        def fetch(number: int) -> None:
            self._request("POST", f"/queries/{name}/answers/{number}/retrieve", json=order)

        uids = [str(one.get("StudyInstanceUID", "")).strip() for one in answers]
        return FoundStudies(uids, fetch, lambda: self._request("DELETE", f"/queries/{name}"))

    def _found_by_web(self, pull: Pull, query: Mapping[str, str]) -> FoundStudies:
        """QIDO-RS (PS3.18 section 10.6); each study comes by WADO-RS."""
        place = f"/dicom-web/servers/{pull.server}"
        arguments = {name: value for name, value in query.items() if value}
        asked = {"Uri": "/studies", "Arguments": arguments}
        answers = self._request("POST", f"{place}/qido", json=asked).json()
        uids = [str(one.get(_STUDY_UID, {}).get("Value", "")).strip() for one in answers]

        def fetch(number: int) -> None:
            order = {"Resources": [{"Study": uids[number]}], "Synchronous": True}
            self._request("POST", f"{place}/retrieve", json=order)

        return FoundStudies(uids, fetch, lambda: None)
