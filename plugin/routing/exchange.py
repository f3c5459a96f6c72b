# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc as a sender and asker of other archives, over its own REST API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugin.archive import Archive, ArchiveError, ArchiveUnavailableError, NotFoundError
from plugin.configuration.application_table import Pull

TAKES_SECONDS = 600.0
"""Orthanc answers when the other side has everything."""
_JOB_SECONDS = 0.25
"""Between two looks at a job of Orthanc's."""


STUDY_KEYS = {
    "StudyInstanceUID": "0020000D",
    "StudyDescription": "00081030",
    "NumberOfStudyRelatedInstances": "00201208",
}
PERSON_KEYS = {
    "PatientID": "00100020",
    "IssuerOfPatientID": "00100021",
    "PatientBirthDate": "00100030",
    "PatientSex": "00100040",
    "StudyDate": "00080020",
}
"""What is asked besides where one patient's studies are asked for."""
SERIES_KEYS = {
    "SeriesInstanceUID": "0020000E",
    "NumberOfSeriesRelatedInstances": "00201209",
    "Modality": "00080060",
    "SeriesNumber": "00200011",
    "SeriesDescription": "0008103E",
    "BodyPartExamined": "00180015",
    "ProtocolName": "00181030",
}
"""What is asked of another archive, and its tags (PS3.6); it may answer fewer."""


@dataclass(frozen=True)
class FoundSeries:
    """What another archive answers of the series of one study.

    Attributes:
        told: its answers by keyword, one per series; what it does not say is missing.
        fetch: has the archive send the series with this number in ``told``.
        close: lets Orthanc forget the answers.
    """

    told: Sequence[Mapping[str, str]]
    fetch: Callable[[int], None]
    close: Callable[[], object]


@dataclass(frozen=True)
class FoundStudies:
    """What another archive answers.

    Attributes:
        told: its answers by keyword, one per study; what it does not say is missing.
        fetch: has the archive send the study with this number in ``told``.
        series: asks about the series of that study; to be closed.
        close: lets Orthanc forget the answers.
    """

    told: Sequence[Mapping[str, str]]
    fetch: Callable[[int], None]
    series: Callable[[int], FoundSeries]
    close: Callable[[], object]

    @property
    def uids(self) -> list[str]:
        """Study Instance UIDs."""
        return [one.get("StudyInstanceUID", "") for one in self.told]


class Exchange(Archive):
    """An Orthanc that sends, queries and retrieves for us.

    Errors are those of ``Archive``: Orthanc answers 500 whatever the other side's trouble is, and
    only its words (``ArchiveError.answer``) tell more.

    Args:
        url: ``http(s)://127.0.0.1:port``.
        authorization: value of the Authorization header.
        dicomweb_root: Orthanc's DicomWeb.Root, where its DICOMweb plugin answers.
    """

    def __init__(self, url: str, authorization: str, dicomweb_root: str = "/dicom-web/") -> None:
        super().__init__(url, authorization, TAKES_SECONDS)
        parts = (part for part in dicomweb_root.split("/") if part)
        self._dicomweb_servers = "/".join(["", *parts, "servers"])

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
        read: list[str] = self._get(self._dicomweb_servers).json()
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

    def stow_stored(self, server: str, instances: Sequence[str]) -> None:
        """STOW instances that Orthanc holds, through one of its DICOMweb servers.

        As a job: where Orthanc is asked to wait it answers one and the same error for all troubles.

        Raises:
            ArchiveError: not all were taken; ``answer`` is what the job says of it, as JSON.
        """
        asked = {"Resources": list(instances), "Synchronous": False}
        begun = self._request("POST", f"{self._dicomweb_servers}/{server}/stow", json=asked).json()
        try:
            job = self._ended(str(begun["ID"]))
        except NotFoundError:
            raise ArchiveError(
                "Orthanc can't tell how it ended: it restarted, or keeps too few finished jobs "
                "(JobsHistorySize)"
            ) from None
        if job["State"] != "Success":
            said = job.get("Content", {})
            code = said.get("FunctionErrorCode", job.get("ErrorCode", 0))
            trouble = ArchiveError(
                f"the DICOMweb server {server} can't be reached or does not take the images "
                f"(Orthanc's error {int(code)}; its log says more)"
            )
            trouble.answer = json.dumps(said).encode()
            raise trouble

    def _ended(self, job: str) -> dict[str, Any]:
        """What Orthanc says of a job that has ended."""
        until = time.monotonic() + TAKES_SECONDS
        while time.monotonic() < until:
            said: dict[str, Any] = self._get(f"/jobs/{job}").json()
            if said["State"] in ("Success", "Failure"):
                return said
            time.sleep(_JOB_SECONDS)
        raise ArchiveUnavailableError("Orthanc has not finished sending in time")

    def answers(self, pull: Pull) -> bool:
        """Whether the archive of a pull answers a C-ECHO; of a DICOMweb server nobody can ask."""
        if not pull.modality:
            return False
        try:
            self._request("POST", f"/modalities/{pull.modality}/echo", json={})
        except ArchiveError:
            return False
        return True

    def found(self, pull: Pull, query: Mapping[str, str]) -> FoundStudies:
        """Ask the archive of a pull for studies; to be closed.

        Args:
            pull: where to ask.
            query: keywords with values to match at study level, or empty to be told.

        Raises:
            ArchiveError: it can't be asked, with what to do.
        """
        ask = self._found_by_node if pull.modality else self._found_by_web
        try:
            return ask(pull, query)
        except ArchiveUnavailableError:
            raise
        except NotFoundError:
            raise ArchiveError(
                f"Orthanc knows no {pull.source}: see DicomModalities and DicomWeb.Servers"
            ) from None
        except ArchiveError as error:
            raise ArchiveError(
                f"{pull.source} can't be asked, or refuses ({error}); Orthanc's log says why"
            ) from None

    def _found_by_node(self, pull: Pull, query: Mapping[str, str]) -> FoundStudies:
        """C-FIND (PS3.4 C.6.2.1); each study or series comes as Orthanc retrieves, by C-MOVE."""
        answers = self._asked_node(pull, "Study", query)

        def series(number: int) -> FoundSeries:
            uid = answers.told[number].get("StudyInstanceUID", "")
            return self._asked_node(
                pull, "Series", {"StudyInstanceUID": uid, **dict.fromkeys(SERIES_KEYS, "")}
            )

        return FoundStudies(answers.told, answers.fetch, series, answers.close)

    def _asked_node(self, pull: Pull, level: str, query: Mapping[str, str]) -> FoundSeries:
        """One C-FIND of one level, with what retrieves and forgets its answers."""
        asked = {"Level": level, "Query": dict(query)}
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

        told = [_texts(one) for one in answers]
        return FoundSeries(told, fetch, lambda: self._request("DELETE", f"/queries/{name}"))

    def _found_by_web(self, pull: Pull, query: Mapping[str, str]) -> FoundStudies:
        """QIDO-RS (PS3.18 section 10.6); each study or series comes by WADO-RS."""
        matched = {name: value for name, value in query.items() if value}
        keys = STUDY_KEYS | {name: tag for name, tag in PERSON_KEYS.items() if name in query}
        told = self._asked_web(pull, "/studies", matched, keys)

        def fetch(number: int) -> None:
            self._retrieve(pull, {"Study": told[number]["StudyInstanceUID"]})

        def series(number: int) -> FoundSeries:
            uid = told[number]["StudyInstanceUID"]
            found = self._asked_web(pull, f"/studies/{uid}/series", {}, SERIES_KEYS)

            def fetch_one(at: int) -> None:
                self._retrieve(pull, {"Study": uid, "Series": found[at]["SeriesInstanceUID"]})

            return FoundSeries(found, fetch_one, lambda: None)

        return FoundStudies(told, fetch, series, lambda: None)

    def _asked_web(
        self, pull: Pull, place: str, matched: Mapping[str, str], keys: Mapping[str, str]
    ) -> list[dict[str, str]]:
        # PS3.18 section 8.3.4.1 wants a list of fields. Orthanc's client escapes its commas, which
        # its server takes for one unknown field; both understand fields that match everything.
        asked = [tag for name, tag in keys.items() if name not in matched]
        told = dict.fromkeys(asked, "") | {"includefield": "all"}
        try:
            answers = self._qido(pull, place, {**told, **matched})
        except ArchiveUnavailableError:
            raise
        except ArchiveError:
            answers = self._qido(pull, place, matched)  # what a strict server tells unasked
        return [
            _texts({name: one.get(tag, {}).get("Value", "") for name, tag in keys.items()})
            for one in answers
        ]

    def _qido(self, pull: Pull, place: str, arguments: Mapping[str, str]) -> list[dict[str, Any]]:
        asked = {"Uri": place, "Arguments": dict(arguments)}
        found = self._request("POST", f"{self._dicomweb_servers}/{pull.server}/qido", json=asked)
        answers: list[dict[str, Any]] = found.json()
        return answers

    def _retrieve(self, pull: Pull, resource: Mapping[str, str]) -> None:
        order = {"Resources": [dict(resource)], "Synchronous": True}
        self._request("POST", f"{self._dicomweb_servers}/{pull.server}/retrieve", json=order)


def _texts(answer: Mapping[str, Any]) -> dict[str, str]:
    """An answer's values that are text, or the first of several."""
    first = {
        name: value[0] if isinstance(value, list) and value else value
        for name, value in answer.items()
    }
    return {
        name: str(value).strip(" \0")
        for name, value in first.items()
        if isinstance(value, str | int | float) and str(value).strip(" \0")
    }
