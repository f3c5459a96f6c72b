# SPDX-License-Identifier: AGPL-3.0-or-later
"""An Orthanc full of results, and viewers in front of it; all for the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.demo.server import OrthancServer
from tests.plugin.web.chromium import PROGRAM
from tests.viewers.archive import ViewerArchive
from tests.viewers.ohif_page import OhifPage, ohif
from tests.viewers.ohif_releases import RELEASES, NotAvailableError, Release
from tests.viewers.studies import Study, modality_studies, outcome_studies

FOLDER = Path(__file__).parent
# Two processes of tests would take them from each other.
OrthancServer.usual_ports = (0, 0)
OUTPUT = FOLDER.parent / "output" / "viewers"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).is_relative_to(FOLDER):
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def viewer_studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Study]:
    """A study of every outcome, and findings in other modalities."""
    folder = tmp_path_factory.mktemp("viewer-studies")
    made = [*outcome_studies(folder / "chest"), *modality_studies(folder / "other")]
    return {study.name: study for study in made}


@pytest.fixture(scope="session")
def viewer_archive(
    tmp_path_factory: pytest.TempPathFactory, viewer_studies: dict[str, Study]
) -> Iterator[ViewerArchive]:
    """An Orthanc that has all of them."""
    if not Path("/usr/sbin/Orthanc").exists():
        pytest.skip("Debian's orthanc is not installed")
    with ViewerArchive(tmp_path_factory.mktemp("viewer-archive")) as archive:
        for study in viewer_studies.values():
            archive.store(study)
        yield archive


@pytest.fixture(scope="session", params=RELEASES, ids=lambda release: release.version)
def ohif_page(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    viewer_archive: ViewerArchive,
) -> Iterator[OhifPage]:
    """Each release of OHIF, in a browser."""
    release: Release = request.param
    if PROGRAM is None:
        pytest.skip("chromium is not installed")
    try:
        with ohif(release, viewer_archive.client, tmp_path_factory.mktemp("profile")) as page:
            yield page
    except NotAvailableError as error:
        pytest.skip(f"OHIF {release.version} can't be fetched: {error}")


@pytest.fixture
def pictures(ohif_page: OhifPage) -> Path:
    """Where screenshots of this release go."""
    return OUTPUT / f"ohif-{ohif_page.version}"
