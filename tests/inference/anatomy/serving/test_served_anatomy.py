# SPDX-License-Identifier: Apache-2.0
"""A site's anatomy models in service: promoted, refused, fallen back from, and named."""

from __future__ import annotations

import json
import time

import pytest

from inference.anatomy.learned.families import read_weights, write_weights
from inference.anatomy.learned.recognizer import MetadataModel, shipped_model, shipped_weights
from inference.anatomy.recognizer import recognize
from inference.anatomy.serving.bundle import (
    METADATA,
    PIXELS,
    copy_anatomy_bundle,
    read_anatomy_bundle,
    write_anatomy_bundle,
)
from inference.anatomy.serving.commissioning import pixel_shortfalls, prove
from inference.anatomy.serving.held_out import read_held_out, write_held_out
from inference.anatomy.serving.served import ServedAnatomy, shipped_version
from inference.anatomy.training.corpus import Example
from inference.bundles import shipped_models
from inference.contract import VersionDecision
from inference.decisions import decide, described, versions_in
from inference.loading import load_bundles
from inference.manifest import BundleError
from inference.trust import Trust, make_key, sign
from inference.versions import Versions
from tests.inference.anatomy.body_files import body_files
from tests.inference.anatomy.serving.site_models import metadata_bundle, pixel_bundle, rows

CHEST = {"Modality": "CT", "StudyDescription": "CT CHEST"}


def decision(action, version=""):
    return VersionDecision(action=action, version=version, by="chief", reason="agreed on Monday")


@pytest.fixture
def models(tmp_path):
    place = tmp_path / "models"
    bundle = metadata_bundle(tmp_path / "trained")
    for version in ("0.1.0", "0.2.0"):
        copy_anatomy_bundle(bundle, place, version)
    return place


def answered(models, **given):
    served = ServedAnatomy([models], **given)
    return served.recognize(CHEST), served.standing


def test_a_version_that_nobody_promoted_waits_and_the_shipped_model_answers(models):
    answer, standing = answered(models)
    assert answer.model == f"{METADATA} {shipped_version(METADATA)}"
    assert answer.regions == ("chest",)
    assert standing.waiting == {METADATA: ("0.2.0", "0.1.0")}
    assert standing.fallbacks == {}


def test_a_promoted_version_answers_and_is_named_in_the_answer(models):
    decide(models, METADATA, decision("promote", "0.2.0"))
    answer, standing = answered(models)
    assert answer.model == f"{METADATA} 0.2.0"
    assert standing.versions[METADATA] == "0.2.0"
    assert standing.vouched == {METADATA: "unsigned"}


def test_the_pixel_model_is_promoted_and_named_alike(tmp_path):
    copy_anatomy_bundle(pixel_bundle(tmp_path / "trained"), tmp_path / "models", "0.3.0")
    decide(tmp_path / "models", PIXELS, decision("promote", "0.3.0"))
    served = ServedAnatomy([tmp_path / "models"])
    answer = served.recognize_pixels(body_files("chest"))
    assert answer.model == f"{PIXELS} 0.3.0"
    assert "chest" in answer.regions


def test_a_decision_is_taken_up_without_a_restart(models):
    served = ServedAnatomy([models], look_seconds=0.0)
    assert served.recognize(CHEST).model.endswith(shipped_version(METADATA))
    decide(models, METADATA, decision("promote", "0.1.0"))
    deadline = time.monotonic() + 20.0
    while served.recognize(CHEST).model != f"{METADATA} 0.1.0":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_damaged_file_that_is_restored_is_served_again_without_a_restart(models):
    decide(models, METADATA, decision("promote", "0.1.0"))
    served = ServedAnatomy([models], look_seconds=0.0)
    assert served.recognize(CHEST).model == f"{METADATA} 0.1.0"
    weights = models / METADATA / "0.1.0" / "metadata.safetensors"
    whole = weights.read_bytes()
    for content, name in ((whole[:1000], shipped_version(METADATA)), (whole, "0.1.0")):
        weights.write_bytes(content)
        deadline = time.monotonic() + 20.0
        while served.recognize(CHEST).model != f"{METADATA} {name}":
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert served.standing.fallbacks == {}


def test_rolling_back_the_only_promoted_version_serves_the_shipped_model_again(models):
    decide(models, METADATA, decision("promote", "0.1.0"))
    decide(models, METADATA, decision("roll-back"))
    answer, standing = answered(models)
    assert answer.model.endswith(shipped_version(METADATA))
    assert standing.waiting == {METADATA: ("0.2.0",)}


def test_a_model_that_is_worse_than_the_shipped_one_on_held_out_rows_is_not_promoted(tmp_path):
    bundle = metadata_bundle(tmp_path / "trained", wrong=True)
    copy_anatomy_bundle(bundle, tmp_path / "models")
    with pytest.raises(BundleError, match="fails commissioning"):
        decide(tmp_path / "models", METADATA, decision("promote", "0.1.0"))
    answer, _ = answered(tmp_path / "models")
    assert answer.model.endswith(shipped_version(METADATA))


def test_a_model_that_misses_what_the_shipped_one_finds_is_refused_however_fit_it_is(tmp_path):
    folder = metadata_bundle(tmp_path / "trained").folder
    arrays, described = read_weights(folder / "metadata.safetensors")
    empty = {name: array * 0 for name, array in arrays.items()}
    write_weights(folder / "metadata.safetensors", empty, described)
    without = MetadataModel.load(folder / "metadata.safetensors")
    found = []
    for text in ("DCE dynamic bilateral", "dwi_ep2d 3scan trace", "perfusion DSC", "sag T2 frfse"):
        header = {"Modality": "MR", "SeriesDescription": text}
        right, missed = (recognize(header, one).regions for one in (shipped_model(), without))
        if right and right != missed:
            found.append(Example("scanner 1", header, frozenset((frozenset(right),))))
    assert found  # the network knows what no word of the lexicon says
    write_held_out(rows(each=12) + found, folder / "held_out.csv")
    bundle = write_anatomy_bundle(folder, METADATA, {}, {})
    with pytest.raises(BundleError, match="worse than the shipped model"):
        prove(bundle)


def test_a_model_that_reads_a_sites_own_words_alone_is_not_served_for_every_header(tmp_path):
    folder = metadata_bundle(tmp_path / "trained").folder
    arrays, described = read_weights(folder / "metadata.safetensors")
    empty = {name: array * 0 for name, array in arrays.items()}
    write_weights(folder / "metadata.safetensors", empty, described)
    bundle = write_anatomy_bundle(folder, METADATA, {}, {})
    with pytest.raises(BundleError, match=r"of 874 general headers exact.*--transfer"):
        prove(bundle)


def test_altered_weights_are_refused_and_the_version_before_answers(models):
    decide(models, METADATA, decision("promote", "0.1.0"))
    decide(models, METADATA, decision("promote", "0.2.0"))
    weights = models / METADATA / "0.2.0" / "metadata.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    answer, standing = answered(models)
    assert answer.model == f"{METADATA} 0.1.0"
    assert "0.1.0 is served, since 0.2.0: metadata.safetensors was altered" in str(
        standing.fallbacks[METADATA]
    )


def test_a_bundle_that_was_made_anew_after_it_was_promoted_is_refused(models, tmp_path):
    decide(models, METADATA, decision("promote", "0.1.0"))
    place = models / METADATA / "0.1.0"
    write_held_out(rows(each=5), place / "held_out.csv")
    told = json.loads((place / "model.json").read_text(encoding="utf-8"))
    other = metadata_bundle(tmp_path / "other")
    write_held_out(rows(each=5), other.folder / "held_out.csv")
    made = write_anatomy_bundle(other.folder, METADATA, told["training"], {}, "0.1.0")
    (place / "model.json").write_bytes((made.folder / "model.json").read_bytes())
    answer, standing = answered(models)
    assert answer.model.endswith(shipped_version(METADATA))
    assert "altered since it was promoted" in standing.fallbacks[METADATA]


@pytest.mark.parametrize("damage", ["gone", "no-json", "no-weights"])
def test_an_unreadable_model_falls_back_to_the_shipped_one_and_says_so(models, damage):
    decide(models, METADATA, decision("promote", "0.1.0"))
    place = models / METADATA / "0.1.0"
    if damage == "gone":
        (place / "metadata.safetensors").unlink()
    elif damage == "no-json":
        (place / "model.json").write_text("{", encoding="utf-8")
    else:
        (place / "held_out.csv").write_text("", encoding="utf-8")
    answer, standing = answered(models)
    assert answer.regions == ("chest",)
    assert standing.fallbacks[METADATA].startswith(shipped_version(METADATA) + " is served, since")


def test_decisions_that_cant_be_read_leave_the_shipped_model_in_place(models):
    (models / METADATA / "serving.json").write_text("{", encoding="utf-8")
    answer, standing = answered(models)
    assert answer.model.endswith(shipped_version(METADATA))
    assert "serving.json" in standing.fallbacks[METADATA]


def test_signatures_are_required_of_anatomy_models_as_of_all_others(models, tmp_path):
    decide(models, METADATA, decision("promote", "0.1.0"))
    key = make_key(tmp_path / "key.pem")
    trust = Trust(keys=(key,), require=True)
    _, standing = answered(models, trust=trust)
    assert "not signed" in standing.fallbacks[METADATA]
    sign(read_anatomy_bundle(models / METADATA / "0.1.0"), tmp_path / "key.pem")
    answer, standing = answered(models, trust=trust)
    assert answer.model == f"{METADATA} 0.1.0"
    assert standing.vouched == {METADATA: "signed"}


def test_the_registry_of_findings_models_passes_anatomy_models_by(models):
    metadata_bundle(models / "loose")
    registry = load_bundles([shipped_models(), models], commissioned=False)
    assert registry.rejected == {}
    assert METADATA not in registry.served


def test_versions_are_listed_as_those_of_every_model(models):
    states = {v.version: v.state for v in described(versions_in(models, METADATA)).versions}
    assert states == {"0.2.0": "waiting", "0.1.0": "waiting"}
    decide(models, METADATA, decision("promote", "0.2.0"))
    states = {v.version: v.state for v in described(versions_in(models, METADATA)).versions}
    assert states == {"0.2.0": "served", "0.1.0": "waiting"}
    assert Versions(models / METADATA).digest_of("0.2.0")


def test_a_pixel_model_that_orders_held_out_volumes_worse_is_not_served(tmp_path):
    worse = pixel_bundle(tmp_path / "worse", new={"order": 0.97, "distance": 0.98})
    with pytest.raises(BundleError, match=r"order of slices: 0\.970 against 0\.990"):
        prove(worse)
    few = pixel_bundle(tmp_path / "few", volumes=3)
    with pytest.raises(BundleError, match="only 3 held-out volumes"):
        prove(few)
    told = pixel_bundle(tmp_path / "none", shipped=None)
    with pytest.raises(BundleError, match="no figures"):
        prove(told)


def test_a_modality_that_the_shipped_model_does_not_know_must_be_ordered_well():
    fit = {"volumes": 12, "new": {"order": 0.99, "distance": 0.98}}
    fit["shipped"] = fit["new"]
    poor = {"order": 0.6, "distance": 0.7}
    mr = {"volumes": 12, "new": poor, "shipped": {"order": 0.3, "distance": 0.3}}
    assert pixel_shortfalls({"CT": fit}) == []
    assert pixel_shortfalls({"MR": fit}) == ["model.json holds no figures on held-out CT volumes"]
    assert pixel_shortfalls({"CT": fit, "MR": mr}) == ["MR: order of slices: 0.600, 0.9 wanted"]


def test_held_out_rows_keep_labels_and_their_sources_and_no_patient(tmp_path):
    path = tmp_path / "held_out.csv"
    write_held_out(rows(), path)
    back = read_held_out(path)
    assert {(row.group, row.right) for row in back} == {(row.group, row.right) for row in rows()}
    assert "patient" not in path.read_text(encoding="utf-8").splitlines()[0]


def test_the_weights_of_the_package_are_what_the_shipped_version_names():
    import hashlib

    digest = hashlib.sha256(shipped_weights().read_bytes()).hexdigest()
    assert shipped_version(METADATA) == f"shipped-{digest[:8]}"
