# SPDX-License-Identifier: Apache-2.0
import json
import shutil

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from inference.bundles import read_bundle, shipped_models
from inference.commands import models
from inference.loading import load_bundles
from inference.trust import Trust, make_key, sign
from inference.versions import VersionError, Versions

run = CliRunner().invoke
NAME = "chest-phantom"


def add(directory, version, name=NAME):
    folder = directory / name / version
    shutil.copytree(shipped_models() / NAME, folder)
    path = folder / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content |= {"version": version, "name": name}
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def break_weights(folder):
    path = folder / "weights.safetensors"
    tensors = load_file(path)
    tensors["network.heads.0.bias"].add_(3.0)
    save_file(tensors, path)


@pytest.fixture
def directory(tmp_path):
    place = tmp_path / "models"
    for version in ("0.1.0", "0.2.0", "0.10.0"):
        add(place, version, "chest")
    return place


def served(directories, **given):
    registry = load_bundles(directories, **given)
    return {n: b.manifest.version for n, b in registry.served.items()}, registry


def test_without_a_decision_the_newest_version_is_served(directory):
    assert served([directory], commissioned=False)[0] == {"chest": "0.10.0"}


def test_the_promoted_version_is_served_and_newer_ones_wait(directory):
    Versions(directory / "chest").promote("0.2.0", "a reader")
    found, registry = served([directory], commissioned=False)
    assert found == {"chest": "0.2.0"}
    assert registry.rejected == {}


def test_a_version_that_arrives_after_a_promotion_waits_for_a_person(directory):
    Versions(directory / "chest").promote("0.10.0", "a reader")
    add(directory, "0.11.0", "chest")
    found, registry = served([directory], commissioned=False)
    assert found == {"chest": "0.10.0"}
    assert "0.11.0" in registry.waiting["chest"]


def test_a_roll_back_is_one_step_and_can_be_repeated(directory):
    versions = Versions(directory / "chest")
    for version in ("0.1.0", "0.2.0", "0.10.0"):
        if version != "0.10.0":
            versions.promote(version, "a reader")
    versions.promote("0.10.0", "a reader", "better nodules")
    versions.roll_back("a reader", "worse effusions")
    assert served([directory], commissioned=False)[0] == {"chest": "0.2.0"}
    Versions(directory / "chest").roll_back("a reader")
    assert served([directory], commissioned=False)[0] == {"chest": "0.1.0"}


def test_every_decision_stays_on_record_with_who_and_why(directory):
    versions = Versions(directory / "chest")
    versions.promote("0.2.0", "first reader", "why not")
    versions.reject("0.2.0", "second reader", "worse")
    decisions = Versions(directory / "chest").serving.decisions
    assert [(d.action, d.version, d.by, d.reason) for d in decisions] == [
        ("promoted", "0.2.0", "first reader", "why not"),
        ("rejected", "0.2.0", "second reader", "worse"),
    ]
    assert all(d.at for d in decisions)


def test_a_rejected_version_is_not_served_any_more(directory):
    Versions(directory / "chest").reject("0.10.0", "a reader")
    assert served([directory], commissioned=False)[0] == {"chest": "0.2.0"}


def test_the_first_promotion_can_be_rolled_back_to_what_was_served_before(directory):
    Versions(directory / "chest").promote("0.2.0", "a reader")
    Versions(directory / "chest").roll_back("a reader")
    assert served([directory], commissioned=False)[0] == {"chest": "0.10.0"}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda v: v.promote("9.0.0", "x"), "no version 9.0.0"),
        (lambda v: v.roll_back("x"), "no earlier version"),
        (lambda v: v.promote("0.2.0", "x").promote("0.2.0", "x"), "promoted already"),
    ],
)
def test_what_can_not_be_is_said(directory, step, said):
    with pytest.raises(VersionError, match=said):
        step(Versions(directory / "chest"))


def test_the_only_version_can_not_be_rejected(tmp_path):
    add(tmp_path, "1.0.0", "alone")
    with pytest.raises(VersionError, match="the only one"):
        Versions(tmp_path / "alone").reject("1.0.0", "a reader")


def test_a_damaged_serving_file_is_named(directory):
    (directory / "chest" / "serving.json").write_text("{", encoding="utf-8")
    assert "serving.json" in served([directory], commissioned=False)[1].rejected["chest"]


def test_a_promoted_version_goes_before_the_shipped_bundle_and_a_roll_back_returns_to_it(tmp_path):
    add(tmp_path, "9.0.0")
    both = [shipped_models(), tmp_path]
    shipped = served([shipped_models()], commissioned=False)[0]
    found, registry = served(both, commissioned=False)
    assert found == shipped
    assert registry.waiting == {NAME: ("9.0.0",)}
    Versions(tmp_path / NAME).promote("9.0.0", "a reader")
    assert served(both, commissioned=False)[0] == {NAME: "9.0.0"}
    Versions(tmp_path / NAME).roll_back("a reader", elsewhere=True)
    assert served(both, commissioned=False)[0] == shipped


def test_a_promoted_version_that_fails_commissioning_leaves_the_one_before_it_served(tmp_path):
    add(tmp_path, "9.0.0")
    Versions(tmp_path / NAME).promote("9.0.0", "a reader")
    break_weights(tmp_path / NAME / "9.0.0")
    found, registry = served([shipped_models(), tmp_path])
    assert found[NAME] != "9.0.0"
    assert "9.0.0: commissioning image" in registry.fallbacks[NAME]


def test_an_update_in_place_that_fails_leaves_what_was_served_here_last(tmp_path):
    folder, state = tmp_path / "models" / NAME, tmp_path / "state"
    shutil.copytree(shipped_models() / NAME, folder)
    digest = load_bundles([folder], state=state).served[NAME].digest
    break_weights(folder)
    registry = load_bundles([folder], state=state)
    assert registry.served[NAME].digest == digest
    assert "is served, since" in registry.fallbacks[NAME]
    assert "commissioning image" in registry.rejected[NAME]


def test_what_was_served_last_is_held_to_what_the_site_trusts_too(tmp_path):
    folder, state = tmp_path / "models" / NAME, tmp_path / "state"
    shutil.copytree(shipped_models() / NAME, folder)
    load_bundles([folder], state=state)
    registry = load_bundles([folder], state=state, trust=Trust({NAME: ("0" * 64,)}))
    assert registry.served == {}


def test_a_copy_is_made_once_and_not_at_every_start(tmp_path):
    folder, state = tmp_path / "models" / NAME, tmp_path / "state"
    shutil.copytree(shipped_models() / NAME, folder)
    load_bundles([folder], state=state)
    kept = state / "last-served" / NAME
    before = kept.stat().st_ino
    load_bundles([folder], state=state)
    assert kept.stat().st_ino == before


def test_the_commands_promote_list_and_roll_back(directory):
    place = ["--models", str(directory), "--by", "a reader"]
    assert run(models, ["promote", "chest", "0.1.0", *place]).exit_code == 0
    assert run(models, ["promote", "chest", "0.2.0", *place, "--reason", "better"]).exit_code == 0
    listed = run(models, ["versions", "chest", "--models", str(directory)]).output
    assert "better" in listed
    assert "served" in listed
    assert run(models, ["rollback", "chest", *place]).exit_code == 0
    assert Versions(directory / "chest").serving.current == "0.1.0"
    assert run(models, ["reject", "chest", "0.2.0", *place]).exit_code == 0
    assert run(models, ["reject", "chest", "7.7.7", *place]).exit_code == 1
    assert run(models, ["rollback", "unknown", *place]).exit_code == 1


def test_a_version_that_does_not_prove_itself_is_not_promoted(directory):
    break_weights(directory / "chest" / "0.2.0")
    result = run(models, ["promote", "chest", "0.2.0", "--models", str(directory)])
    assert result.exit_code == 1
    assert Versions(directory / "chest").serving.current is None


def test_a_trained_bundle_is_added_as_the_next_version_and_waits(tmp_path):
    first = tmp_path / "trained"
    shutil.copytree(shipped_models() / NAME, first)
    place = ["--models", str(tmp_path / "models")]
    assert run(models, ["add", str(first), *place]).exit_code == 0
    own = read_bundle(first).manifest.version
    Versions(tmp_path / "models" / NAME).promote(own, "a reader")
    assert run(models, ["add", str(first), *place, "--version", "9.0.0"]).exit_code == 0
    found, registry = served([tmp_path / "models"], commissioned=False)
    assert found == {NAME: own}
    assert registry.waiting == {NAME: ("9.0.0",)}
    assert run(models, ["add", str(first), *place]).exit_code == 1


def test_a_signature_goes_along_while_the_version_stays(tmp_path):
    bundle, key = tmp_path / "trained", tmp_path / "key.pem"
    shutil.copytree(shipped_models() / NAME, bundle)
    make_key(key)
    sign(read_bundle(bundle), key)
    place = ["--models", str(tmp_path / "models")]
    run(models, ["add", str(bundle), *place])
    run(models, ["add", str(bundle), *place, "--version", "9.0.0"])
    own = read_bundle(bundle).manifest.version
    signed = [(tmp_path / "models" / NAME / v / "signature.json").exists() for v in (own, "9.0.0")]
    assert signed == [True, False]


def test_a_folder_that_names_another_version_than_its_bundle_is_refused(directory):
    (directory / "chest" / "0.10.0").rename(directory / "chest" / "0.12.0")
    assert "model.json says 0.10.0" in served([directory], commissioned=False)[1].rejected["chest"]
