# SPDX-License-Identifier: AGPL-3.0-or-later
"""A name in the table that nobody knows is told of, and stops nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from inference.contract import Health, ModelDescription
from plugin.archive import ArchiveUnavailableError, NotFoundError
from plugin.configuration.application_table import ApplicationTable
from plugin.gate import InferenceRefusedError, InferenceUnavailableError
from plugin.routing.table_watch import TableWatch
from tests.plugin.routing.tables import application, table
from tests.plugin.web.fake_archive import CHEST_MODEL

SERVER = {"kind": "dicomweb", "server": "WEB", "zone": "phi"}
THERE = {"kind": "sidelight", "bundle": "lung", "url": "https://b.example"}


class Site:
    """An Orthanc, its inference service, and another Sidelight; each may be away."""

    def __init__(self) -> None:
        self.names = {"modalities": ["AI"], "peers": ["AI"], "servers": ["WEB"]}
        self.installed, self.rejected = ("chest-phantom",), {"broken": "altered"}
        self.state = "ok"
        self.served = [CHEST_MODEL.model_copy(update={"name": "lung"})]
        self.orthanc_away = self.inference_away = False
        self.refuses = ""
        self.web_plugin = True

    def modalities(self) -> list[str]:
        return self._names("modalities")

    def peers(self) -> list[str]:
        return self._names("peers")

    def dicomweb_servers(self) -> list[str]:
        if not self.web_plugin:
            raise NotFoundError("Orthanc has no such resource")
        return self._names("servers")

    def health(self) -> Health:
        self._inference()
        return Health.model_validate(
            {"status": self.state, "device": "cpu", "models": self.installed,
             "rejected": self.rejected}
        )  # fmt: skip

    def models(self) -> list[ModelDescription]:
        self._inference()
        return self.served

    def watch(self, of: ApplicationTable) -> TableWatch:
        return TableWatch(of, self, self, {"lung": self})

    def problems(self, *applications: dict[str, Any], **more: Any) -> list[str]:
        watch = self.watch(table(*applications, **more))
        watch.look()
        return watch.problems()

    def _names(self, kind: str) -> list[str]:
        if self.orthanc_away:
            raise ArchiveUnavailableError("Orthanc can't be reached")
        return self.names[kind]

    def _inference(self) -> None:
        if self.inference_away:
            raise InferenceUnavailableError("inference is not reachable")
        if self.refuses:
            raise InferenceRefusedError(self.refuses, "send the bearer token of this service")


@pytest.fixture
def site() -> Site:
    return Site()


def test_names_that_are_there_are_no_problem(site: Site) -> None:
    found = site.problems(
        application("a"),
        application("b", destination={"kind": "peer", "peer": "AI"}),
        application("c", destination=SERVER),
        application("d", destination={"kind": "local", "bundle": "chest-phantom"}),
        application("e", destination=THERE),
        application("f", destination={"kind": "http", "url": "https://ai.example"}),
        pull=[{"name": "p", "modality": "AI"}, {"name": "q", "server": "WEB"}],
    )
    assert found == []


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ({"kind": "node", "modality": "nodee"}, "Orthanc's DicomModalities has no nodee"),
        ({"kind": "peer", "peer": "nobody"}, "Orthanc's OrthancPeers has no nobody"),
        ({**SERVER, "server": "x"}, "Orthanc's DicomWeb.Servers has no x"),
        ({"kind": "local", "bundle": "chest-phantm"}, "no bundle chest-phantm is installed here"),
        ({"kind": "local", "bundle": "chest-phantm"}, "there are: broken, chest-phantom"),
    ],
)
def test_a_name_that_nobody_knows_is_a_problem_of_its_application(
    site: Site, destination: dict[str, Any], words: str
) -> None:
    (said,) = site.problems(application("fine"), application("typo", destination=destination))
    assert said.startswith("application typo: ")
    assert words in said


def test_so_is_a_bundle_that_another_sidelight_does_not_serve(site: Site) -> None:
    site.served = [CHEST_MODEL]
    (said,) = site.problems(application("far", destination=THERE))
    assert "no bundle lung is served there" in said


@pytest.mark.parametrize(
    ("code", "words"),
    [("unauthorized", "refuses the token"), ("contract-mismatch", "(contract-mismatch)")],
)
def test_so_is_another_sidelight_that_refuses_to_be_asked_until_it_does_not(
    site: Site, code: str, words: str
) -> None:
    watch = site.watch(table(application("far", destination=THERE), application("fine")))
    site.refuses, site.names["modalities"] = code, []
    watch.look()
    near, far = watch.problems()
    assert far.startswith("application far: the other service refuses")
    assert words in far
    assert "DicomModalities" in near, "what else is wrong is told too"
    site.refuses = ""
    watch.look()
    assert watch.problems() == [near]


def test_so_is_an_archive_to_pull_from(site: Site) -> None:
    (said,) = site.problems(pull=[{"name": "nowhere", "modality": "nobody"}])
    assert said.startswith("pull nowhere: Orthanc's DicomModalities has no nobody")


def test_without_the_dicomweb_plugin_there_is_no_server(site: Site) -> None:
    site.web_plugin = False
    (said,) = site.problems(application("web", destination=SERVER))
    assert "DicomWeb.Servers has no WEB" in said


def test_a_bundle_that_is_installed_and_not_served_has_a_problem_of_its_own(site: Site) -> None:
    assert site.problems(application("a", destination={"kind": "local", "bundle": "broken"})) == []


def test_who_can_not_be_asked_now_makes_no_problem(site: Site) -> None:
    site.orthanc_away = site.inference_away = True
    wrong = [
        application("a", destination={"kind": "node", "modality": "x"}),
        application("b", destination={"kind": "local", "bundle": "x"}),
        application("c", destination=THERE),
    ]
    assert site.problems(*wrong) == []
    site.inference_away, site.state = False, "starting"
    assert site.problems(wrong[1]) == []


def test_a_problem_is_logged_once_stays_while_nobody_answers_and_goes_when_it_is_mended(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    watch = site.watch(table(application("a", destination={"kind": "node", "modality": "NEW"})))
    watch.look()
    site.orthanc_away = True
    watch.look()
    assert len(watch.problems()) == len(caplog.records) == 1
    site.orthanc_away = False
    site.names["modalities"].append("NEW")
    watch.look()
    assert watch.problems() == []
