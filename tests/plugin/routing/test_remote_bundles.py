# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bundle of another Sidelight is asked as if it were the own one; anatomy never leaves."""

from __future__ import annotations

from typing import Any

import pytest

from deid import DeidentificationKey, DeidentifiedScan, Deidentifier
from inference.client import InferenceClient
from inference.contract import AnatomyAnswer, Health, ModelDescription
from plugin.configuration import Configuration
from plugin.gate import Gate, GateRefusedError, InferenceRefusedError, InferenceUnavailableError
from plugin.routing.services import RemoteBundle, RoutedGate, remote_bundles
from plugin.worker.service import ModelList
from tests.deid.made_scans import ct, file_of
from tests.plugin.routing.tables import application, table
from tests.plugin.web.fake_archive import CHEST_MODEL


class Service:
    """Inference that notes what it is asked."""

    def __init__(self, *models: ModelDescription) -> None:
        self.served, self.asked = list(models), list[Any]()
        self.away = False
        self.refuses = ""

    def models(self) -> list[ModelDescription]:
        if self.away:
            raise InferenceUnavailableError("inference is not reachable (ConnectError)")
        if self.refuses:
            raise InferenceRefusedError(self.refuses, "send the bearer token of this service")
        return self.served

    def health(self) -> Health:
        return Health.model_validate({"status": "ok", "device": "cpu", "models": []})

    def recognize_anatomy(self, header: dict[str, Any]) -> AnatomyAnswer:
        self.asked.append("anatomy")
        return AnatomyAnswer(
            modality="CT", regions=(), codes=(), body_part_examined=None, confidence=0.0
        )

    def analyse(self, model: str, instances: list[bytes]) -> None:
        if self.refuses:
            raise InferenceRefusedError(self.refuses, "no")
        self.asked.append((model, len(instances)))


def named(name: str) -> ModelDescription:
    return CHEST_MODEL.model_copy(update={"name": name})


@pytest.fixture
def scan() -> DeidentifiedScan:
    pixels = {
        "Rows": 2, "Columns": 2, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11,
        "PixelRepresentation": 0, "SamplesPerPixel": 1, "PixelData": bytes(8),
        "PhotometricInterpretation": "MONOCHROME2", "BurnedInAnnotation": "NO",
    }  # fmt: skip
    return Deidentifier(DeidentificationKey(bytes(32))).deidentify(file_of(ct(**pixels)))


@pytest.fixture
def own() -> Service:
    return Service(named("own"), named("both"))


@pytest.fixture
def other() -> Service:
    return Service(named("both"), named("not-in-the-table"))


@pytest.fixture
def gate(own: Service, other: Service) -> RoutedGate:
    gate = RoutedGate(own)  # type: ignore[arg-type]
    gate.place({"both": RemoteBundle("both", Gate(other))})  # type: ignore[arg-type]
    return gate


def test_only_the_named_bundle_is_asked_elsewhere(
    gate: RoutedGate, own: Service, other: Service, scan: DeidentifiedScan
) -> None:
    assert [model.name for model in gate.models()] == ["own", "both"]
    gate.recognize_anatomy(scan)
    gate.analyse("own", [scan])
    gate.analyse("both", [scan, scan])
    assert own.asked == ["anatomy", ("own", 1)]
    assert other.asked == [("both", 2)]


def test_nothing_but_a_deidentified_scan_goes_there(gate: RoutedGate, other: Service) -> None:
    with pytest.raises(GateRefusedError):
        gate.analyse("both", [ct()])  # type: ignore[list-item]
    assert other.asked == []


def test_a_service_that_is_away_keeps_its_place_and_is_not_asked_at_every_turn(
    gate: RoutedGate, other: Service
) -> None:
    gate.models()
    other.away = True
    assert [model.name for model in gate.models()] == ["own", "both"]
    other.away, other.served = False, []
    assert [model.name for model in gate.models()] == ["own", "both"], "asked again in a minute"


def test_a_service_that_was_never_there_offers_nothing(gate: RoutedGate, other: Service) -> None:
    other.away = True
    assert [model.name for model in gate.models()] == ["own"]


def test_a_service_that_refuses_the_token_stops_no_other_bundle(
    gate: RoutedGate, other: Service
) -> None:
    other.refuses = "unauthorized"
    assert [model.name for model in gate.models()] == ["own"]


def test_a_token_that_is_revoked_leaves_the_bundle_its_place(
    gate: RoutedGate, other: Service
) -> None:
    gate.models()
    other.refuses = "unauthorized"
    assert [model.name for model in gate.models()] == ["own", "both"]
    other.refuses, other.served = "", []
    assert [model.name for model in gate.models()] == ["own", "both"], "asked again in a minute"


@pytest.mark.parametrize("code", ["unknown-model", "unauthorized", "http-404"])
def test_a_refusal_that_says_nothing_of_the_scan_has_it_tried_again(
    gate: RoutedGate, other: Service, scan: DeidentifiedScan, code: str
) -> None:
    gate.models()
    other.served, other.refuses = [], code
    with pytest.raises(InferenceUnavailableError, match="bundle both of another service"):
        gate.analyse("both", [scan])
    other.refuses = ""
    assert [model.name for model in gate.models()] == ["own", "both"], "the scan's next attempt"


def test_a_scan_that_another_service_refuses_is_refused(
    gate: RoutedGate, other: Service, scan: DeidentifiedScan
) -> None:
    other.refuses = "unusable-scan"
    with pytest.raises(InferenceRefusedError):
        gate.analyse("both", [scan])


def test_a_worker_waits_while_its_own_service_refuses_the_token(
    gate: RoutedGate, own: Service, caplog: pytest.LogCaptureFixture
) -> None:
    models = ModelList(gate, Configuration())
    own.refuses = "unauthorized"
    assert [models.refresh(), models.refresh()] == [False, False]
    assert len([one for one in caplog.records if "refuses" in one.message]) == 1
    own.refuses = ""
    assert models.refresh()


def test_the_table_names_the_services(tmp_path_factory: pytest.TempPathFactory) -> None:
    token = tmp_path_factory.mktemp("secrets") / "token"
    token.write_text("word\n", encoding="utf-8")
    destination = {
        "kind": "sidelight", "bundle": "lung", "url": "https://centre.example",
        "token_file": str(token),
    }  # fmt: skip
    (remote,) = remote_bundles(table(application(destination=destination))).values()
    assert isinstance(remote.gate._client, InferenceClient)
    assert remote.gate._client._client.headers["authorization"] == "Bearer word"
