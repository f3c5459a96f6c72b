# SPDX-License-Identifier: Apache-2.0
"""The service answers anatomy with the site's promoted models, and says which."""

from __future__ import annotations

import pytest

from inference.anatomy.serving.bundle import (
    METADATA,
    PIXELS,
    copy_anatomy_bundle,
    read_anatomy_bundle,
)
from inference.anatomy.serving.comparison import Contender, compare, keep
from inference.anatomy.serving.held_out import read_held_out
from inference.anatomy.serving.served import ServedAnatomy, shipped_version
from inference.client import InferenceRefusedError
from inference.contract import VersionDecision
from inference.serving.version_desk import VersionDesk
from tests.inference.anatomy.serving.site_models import metadata_bundle
from tests.inference.service.running_service import DEIDENTIFIED, until

CHEST = DEIDENTIFIED | {
    "00080060": {"vr": "CS", "Value": ["CT"]},
    "00081030": {"vr": "LO", "Value": ["CT CHEST"]},
}


@pytest.fixture
def models(tmp_path):
    place = tmp_path / "models"
    copy_anatomy_bundle(metadata_bundle(tmp_path / "trained"), place)
    worse = metadata_bundle(tmp_path / "worse", wrong=True)
    copy_anatomy_bundle(worse, place, "0.2.0")
    return place


@pytest.fixture
def running(serve, models):
    anatomy = ServedAnatomy([models], look_seconds=0.0)
    return serve(anatomy=anatomy, desk=VersionDesk((models,)))


def decision(action, version=""):
    return VersionDecision(action=action, version=version, by="chief", reason="measured here")


def test_a_version_promoted_through_the_service_answers_the_next_headers(running):
    client = running.client()
    shipped = {name: shipped_version(name) for name in (METADATA, PIXELS)}
    assert client.health().anatomy == shipped
    assert client.recognize_anatomy(CHEST).model == f"{METADATA} {shipped[METADATA]}"
    assert client.health().waiting == {METADATA: ("0.2.0", "0.1.0")}
    client.decide(METADATA, decision("promote", "0.1.0"))
    until(lambda: client.recognize_anatomy(CHEST).model == f"{METADATA} 0.1.0")
    assert client.health().anatomy == shipped | {METADATA: "0.1.0"}
    client.decide(METADATA, decision("roll-back"))
    until(lambda: client.recognize_anatomy(CHEST).model.endswith(shipped[METADATA]))


def test_a_worse_version_cant_be_promoted_through_the_service(running):
    client = running.client()
    with pytest.raises(InferenceRefusedError, match="fails commissioning"):
        client.decide(METADATA, decision("promote", "0.2.0"))


def test_a_promoted_file_that_was_damaged_is_named_in_the_health(running, models):
    client = running.client()
    client.decide(METADATA, decision("promote", "0.1.0"))
    until(lambda: client.health().anatomy[METADATA] == "0.1.0")
    (models / METADATA / "0.1.0" / "model.json").write_text("{}", encoding="utf-8")
    until(lambda: METADATA in client.health().fallbacks)
    assert client.health().fallbacks[METADATA].startswith(shipped_version(METADATA))
    assert client.recognize_anatomy(CHEST).regions == ("chest",)


def test_a_comparison_is_served_in_the_shape_of_every_other(running, models):
    place = models / METADATA / "0.1.0"
    bundle = read_anatomy_bundle(place)
    rows = read_held_out(bundle.held_out)
    keep(compare(Contender.shipped(), Contender.of(bundle), rows), place)
    found = running.client().comparison(METADATA, "0.1.0")
    assert found["differences"]["exact-set"] == {
        "auc": None, "auc_low": None, "auc_high": None, "pointing": None,
        "calibration_error": None, "mended": 0, "broken": 0,
    }  # fmt: skip
    listed = {one.version: one.compared for one in running.client().versions()[0].versions}
    assert listed == {"0.1.0": True, "0.2.0": False}
