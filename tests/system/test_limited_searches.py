# SPDX-License-Identifier: AGPL-3.0-or-later
"""An Orthanc whose searches end early still shows Sidelight all that it has."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import pydicom
import pytest
from pydicom.uid import generate_uid

from plugin.archive import Archive
from plugin.demo.server import OrthancServer
from tests.shipped_files import shipped_files
from tests.system.pacs import server_for, store

LIMIT, STUDIES = 3, 8


@pytest.fixture(scope="module", params=["debian", "trixie"])
def limited(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancServer]:
    folder = tmp_path_factory.mktemp(f"limited-{request.param}")
    changes = {
        "LimitFindResults": LIMIT,
        "LimitFindInstances": LIMIT,
        "Sidelight": {"Enabled": False},
    }
    with server_for(request.param, folder, changes) as started:
        scan = pydicom.dcmread(shipped_files("CT_small.dcm")[0])
        for _ in range(STUDIES):
            scan.StudyInstanceUID, scan.SeriesInstanceUID = generate_uid(), generate_uid()
            scan.SOPInstanceUID = scan.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            written = io.BytesIO()
            scan.save_as(written)
            store(started, written.getvalue())
        yield started


@pytest.mark.parametrize(
    ("level", "query"),
    [
        ("Series", {}),
        ("Series", {"Modality": "CT"}),
        ("Series", {"Modality": "CT", "Manufacturer": "ge *"}),
        ("Study", {"PatientID": "1CT1"}),
    ],
)
def test_all_that_matches_is_found(
    limited: OrthancServer, level: str, query: dict[str, str]
) -> None:
    login = base64.b64encode(f"{limited.user}:{limited.password}".encode()).decode()
    archive = Archive(limited.url, f"Basic {login}", find_limit=LIMIT)
    found = archive.find(level, query, expand=False)
    assert len(set(found)) == STUDIES
    expanded = archive.find(level, query)
    assert {one["ID"] for one in expanded} == set(found)
