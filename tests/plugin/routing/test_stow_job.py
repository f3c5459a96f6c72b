# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes through Orthanc's own DICOMweb server goes as a job, which says how it ended."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from plugin.archive import ArchiveError, NotFoundError
from plugin.configuration.application_table import Pull
from plugin.routing import exchange
from plugin.routing.exchange import Exchange

STOW = "/dicom-web/servers/web/stow"


class Orthanc(Exchange):
    """An Orthanc whose jobs go through these states; without any it forgets a job at once."""

    def __init__(self, *states: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9", "")
        self.states, self.ordered = list(states), list[Any]()

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        if method == "POST":
            assert path == STOW
            self.ordered.append(options["json"])
            return httpx.Response(200, json={"ID": "job"})
        assert path == "/jobs/job"
        if not self.states:
            raise NotFoundError("Orthanc has no such resource")
        return httpx.Response(200, json=self.states.pop(0))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_JOB_SECONDS", 0.0)


def test_the_job_is_waited_for() -> None:
    orthanc = Orthanc({"State": "Pending"}, {"State": "Running"}, {"State": "Success"})
    orthanc.stow_stored("web", ["a", "b"])
    assert orthanc.ordered == [{"Resources": ["a", "b"], "Synchronous": False}]
    assert orthanc.states == []


def test_a_job_that_failed_says_why() -> None:
    content = {"FunctionErrorCode": 29, "FunctionErrorDescription": "Bad credentials"}
    orthanc = Orthanc({"State": "Failure", "ErrorCode": 1, "Content": content})
    with pytest.raises(ArchiveError, match=r"server web .* \(Orthanc's error 29;") as raised:
        orthanc.stow_stored("web", ["a"])
    assert json.loads(raised.value.answer) == content


def test_a_job_that_orthanc_has_forgotten_is_no_image_that_was_deleted() -> None:
    with pytest.raises(ArchiveError, match="JobsHistorySize") as raised:
        Orthanc({"State": "Running"}).stow_stored("web", ["a"])
    assert not isinstance(raised.value, NotFoundError)


def test_a_job_without_end_is_left_for_another_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TAKES_SECONDS", 0.0)
    with pytest.raises(ArchiveError, match="not finished sending in time"):
        Orthanc({"State": "Running"}).stow_stored("web", ["a"])


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ("/dicom-web/", "/dicom-web/servers"),
        ("/dw/x/", "/dw/x/servers"),
        ("dw", "/dw/servers"),
        ("/", "/servers"),
    ],
)
def test_orthancs_own_dicomweb_servers_lie_below_its_root(
    root: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def answer(_: Exchange, method: str, place: str, **_options: Any) -> httpx.Response:
        asked.append((method, place))
        if place == "/jobs/job":
            return httpx.Response(200, json={"State": "Success"})
        return httpx.Response(200, json={"ID": "job"} if place.endswith("stow") else [])

    monkeypatch.setattr(Exchange, "_request", answer)
    orthanc = Exchange("http://127.0.0.1:9", "", root)
    orthanc.dicomweb_servers()
    orthanc.stow_stored("web", ["a"])
    pull = Pull.model_construct(modality="", server="web")
    found = orthanc.found(pull, {"StudyInstanceUID": "1.2"})
    assert found.told == []
    orthanc._retrieve(pull, {"Study": "1.2"})
    assert [place for _, place in asked if place != "/jobs/job"] == [
        path,
        f"{path}/web/stow",
        f"{path}/web/qido",
        f"{path}/web/retrieve",
    ]
