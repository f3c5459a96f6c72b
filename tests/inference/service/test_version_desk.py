# SPDX-License-Identifier: Apache-2.0
"""A person promotes, rejects and rolls back versions through the service."""

import json
import os

import pytest

from inference.bundles import read_bundle
from inference.commissioning.cases import phantom_set
from inference.commissioning.comparison import compare
from inference.commissioning.comparison_page import keep_comparison
from inference.contract import VersionDecision
from inference.serving.errors import ServiceError
from inference.serving.version_desk import VersionDesk
from inference.versions import Versions
from tests.inference.test_versions import add, break_weights


def decision(action, version=""):
    return VersionDecision(action=action, version=version, by="chief", reason="agreed on Monday")


@pytest.fixture
def models(tmp_path):
    place = tmp_path / "models"
    for version in ("0.1.0", "0.2.0"):
        add(place, version, "chest")
    return place


@pytest.fixture
def desk(models):
    return VersionDesk((models.parent / "none", models))


def states(found):
    return {one.version: one.state for one in found.versions}


def test_versions_are_listed_with_what_was_decided_about_them(desk, models):
    (found,) = desk.all()
    assert found.name == "chest"
    assert states(found) == {"0.2.0": "served", "0.1.0": "earlier"}
    Versions(models / "chest").promote("0.1.0", "a reader", "steadier")
    add(models, "0.3.0", "chest")
    (found,) = desk.all()
    assert states(found) == {"0.3.0": "waiting", "0.2.0": "earlier", "0.1.0": "served"}
    last = found.versions[-1].decision
    assert (last.action, last.by, last.reason) == ("promoted", "a reader", "steadier")


def test_a_version_is_promoted_and_rolled_back_with_who_and_why(desk, models):
    desk.decide("chest", decision("promote", "0.1.0"))
    found = desk.decide("chest", decision("promote", "0.2.0"))
    assert states(found) == {"0.2.0": "served", "0.1.0": "earlier"}
    back = desk.decide("chest", decision("roll-back"))
    assert states(back)["0.1.0"] == "served"
    kept = json.loads((models / "chest" / "serving.json").read_text(encoding="utf-8"))
    assert [d["action"] for d in kept["decisions"]] == ["promoted", "promoted", "rolled-back"]
    assert {(d["by"], d["reason"]) for d in kept["decisions"]} == {("chief", "agreed on Monday")}


def test_what_is_not_possible_changes_nothing(desk, models):
    for asked, code in (
        (decision("promote", "9.9.9"), "not-possible"),
        (decision("roll-back"), "not-possible"),
    ):
        with pytest.raises(ServiceError) as raised:
            desk.decide("chest", asked)
        assert (raised.value.status, raised.value.answer.code) == (409, code)
    assert not (models / "chest" / "serving.json").exists()
    with pytest.raises(ServiceError) as raised:
        desk.decide("../chest", decision("promote", "0.1.0"))
    assert raised.value.answer.code == "unknown-model"


def test_a_version_that_fails_commissioning_is_not_promoted(desk, models):
    break_weights(models / "chest" / "0.1.0")
    with pytest.raises(ServiceError) as raised:
        desk.decide("chest", decision("promote", "0.1.0"))
    assert raised.value.answer.code == "fails-commissioning"
    assert states(desk.all()[0])["0.2.0"] == "served"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written_is_said(desk, models):
    (models / "chest").chmod(0o500)
    with pytest.raises(ServiceError) as raised:
        desk.decide("chest", decision("reject", "0.1.0"))
    assert raised.value.answer.code == "models-not-writable"


def test_a_comparison_is_kept_beside_the_version_and_comes_with_it(desk, models):
    with pytest.raises(ServiceError) as raised:
        desk.comparison("chest", "0.2.0")
    assert raised.value.answer.code == "not-compared"
    old, new = (read_bundle(models / "chest" / v) for v in ("0.1.0", "0.2.0"))
    data = phantom_set(700_000, 8, old.engine.input_size, 64)
    keep_comparison(compare(old, new, data, data), new)
    assert read_bundle(new.folder).digest == new.digest
    assert desk.all()[0].versions[0].compared
    found = json.loads(desk.comparison("chest", "0.2.0"))
    assert (found["old"]["version"], found["new"]["version"]) == ("0.1.0", "0.2.0")
    with pytest.raises(ServiceError) as raised:
        desk.comparison("chest", "../0.2.0")
    assert raised.value.answer.code == "unknown-version"


def test_the_routes_answer_over_the_wire(serve, models):
    running = serve(desk=VersionDesk((models,)))
    assert [one.name for one in running.client().versions()] == ["chest"]
    made = running.client().decide("chest", decision("promote", "0.1.0"))
    assert states(made)["0.1.0"] == "served"
