# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Sidelight makes of Orthanc's own settings, and what the status says of trouble."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from plugin.application import DEAD_LETTER_SECONDS, Application, StartError
from plugin.configuration import read
from plugin.orthanc_settings import OrthancSettings
from plugin.queue import JobQueue, NewJob, Retry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _orthanc(orthanc: Any, tmp_path: Path) -> None:
    orthanc.GetConfigurationPath = lambda: str(tmp_path)
    orthanc.GenerateRestApiAuthorizationToken = lambda: "Bearer x"


def sidelight(folder: Path, **whole: Any) -> Application:
    return Application(
        ROOT, whole, read({"DataDirectory": str(folder), "Workers": {"Count": 2}}), sys.executable
    )


def told(made: Application) -> list[str]:
    found = made._status()["problems"]
    assert isinstance(found, list)
    return found


def problems(folder: Path, **whole: Any) -> list[str]:
    return told(sidelight(folder, **whole))


@pytest.mark.parametrize(
    ("threads", "waiting"),
    [(50, 16), (20, 14), (8, 2), (7, 1), (4, 1), (2, 1), (1, 0)],
)
def test_as_many_routes_wait_as_leave_threads_for_what_they_wait_for(
    threads: int, waiting: int
) -> None:
    assert OrthancSettings({"HttpThreadsCount": threads}, workers=2).waiting == waiting


def test_orthancs_default_leaves_threads_enough(tmp_path: Path) -> None:
    assert OrthancSettings({}, workers=2).waiting == 16
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        ({"HttpThreadsCount": 7}, "HttpThreadsCount is 7: .* set it to 8 or more"),
        ({"ReadOnly": True}, "ReadOnly is true"),
        ({"SslEnabled": True, "SslVerifyPeers": True}, "client certificate"),
    ],
)
def test_a_setting_that_stands_in_the_way_is_a_problem(
    tmp_path: Path, whole: dict[str, Any], said: str
) -> None:
    (problem,) = problems(tmp_path, **whole)
    assert re.search(said, problem)


@pytest.mark.parametrize(
    "whole",
    [{"HttpThreadsCount": 8}, {"ReadOnly": False}, {"SslVerifyPeers": True}, {"SslEnabled": True}],
)
def test_settings_that_do_not_are_none(tmp_path: Path, whole: dict[str, Any]) -> None:
    assert problems(tmp_path, **whole) == []


def test_without_orthancs_http_server_sidelight_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"HttpServerEnabled is false: .* set it to true"):
        Application.prepare(
            ROOT,
            {"HttpServerEnabled": False},
            read({"DataDirectory": str(tmp_path)}),
            sys.executable,
        )


def test_names_of_metadata_and_the_root_of_dicomweb_are_handed_over(tmp_path: Path) -> None:
    made = sidelight(tmp_path, UserMetadata={"ours": 5401}, DicomWeb={"Root": "/dw/"})._handover()
    assert made.user_metadata == {"ours": 5401}
    assert made.dicomweb_root == "/dw/"
    made = sidelight(tmp_path)._handover()
    assert made.user_metadata == {}
    assert made.dicomweb_root == "/dicom-web/"


def test_a_scan_that_was_given_up_is_a_problem_for_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = JobQueue(tmp_path / "queue.sqlite", Retry(1, 0.0))
    queue.put("i1", "")
    (arrival,) = queue.arrivals()
    queue.settle([arrival], [NewJob("instance", "i1", "digest", "app", "s1", "study", 0.0, False)])
    job = queue.lease("w", 60.0)
    assert job is not None
    queue.fail(job, "ArchiveError: Orthanc answers 409")
    made = sidelight(tmp_path)
    said = "scans that were given up: 1; the latest: ArchiveError"
    assert made._status()["status"] == "degraded"
    assert [one for one in told(made) if one.startswith(said)]
    later = time.time() + DEAD_LETTER_SECONDS + 1.0
    monkeypatch.setattr("plugin.application.time.time", lambda: later)
    assert not [one for one in told(made) if "given up" in one]
