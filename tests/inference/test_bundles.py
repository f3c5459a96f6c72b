# SPDX-License-Identifier: Apache-2.0
import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.bundles import (
    BundleError,
    commission,
    read_bundle,
    shipped_models,
)
from inference.loading import load_bundles
from inference.trust import Trust


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "chest-phantom"
    shutil.copytree(shipped_models() / "chest-phantom", target)
    return target


def change_manifest(folder, change):
    path = folder / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def change_weights(folder, change):
    path = folder / "weights.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def rejection(folder):
    registry = load_bundles([folder])
    assert registry.served == {}
    return registry.rejected[folder.name]


def test_the_shipped_bundle_is_served():
    registry = load_bundles([shipped_models()])
    assert registry.rejected == {}
    assert "chest-phantom" in registry.served


def test_the_shipped_bundle_says_what_it_is_for():
    described = read_bundle(shipped_models() / "chest-phantom").description
    category = described.categories[0]
    assert set(category.modalities) == {"CR", "DX"}
    assert category.regions == ("chest",)
    assert "not for clinical use" in described.disclaimer
    assert {c.code.scheme for c in described.classes} == {"SCT"}
    assert len({c.colour for c in described.classes}) == len(described.classes)
    assert described.levels == (64, 32, 16, 8)


def test_the_model_card_says_first_that_it_is_not_for_clinical_use():
    for folder in shipped_models().iterdir():
        first = (folder / "README.md").read_text(encoding="utf-8").splitlines()[0]
        assert "rained on phantoms, not for clinical use" in first


def test_a_shipped_bundle_stays_under_20_megabytes():
    for folder in shipped_models().iterdir():
        assert sum(f.stat().st_size for f in folder.iterdir()) < 20e6


def test_listing_bundles_does_not_load_torch():
    code = (
        "import sys; from inference.bundles import *; from inference.loading import load_bundles;"
        "r = load_bundles([shipped_models()], commissioned=False);"
        "print(sorted(r.served), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['chest-phantom'] False"


def test_a_bundle_is_found_by_its_own_folder_and_by_its_parent(folder):
    assert set(load_bundles([folder]).served) == {"chest-phantom"}
    assert set(load_bundles([folder.parent]).served) == {"chest-phantom"}


def test_a_folder_that_is_not_there_serves_nothing(tmp_path):
    assert load_bundles([tmp_path / "absent"]).served == {}


def test_the_digest_does_not_depend_on_how_model_json_is_spelled(folder):
    before = read_bundle(folder).digest
    change_manifest(folder, lambda m: m)
    assert read_bundle(folder).digest == before


def test_the_digest_changes_with_the_weights(folder):
    before = read_bundle(folder).digest
    change_weights(folder, lambda t: t["network.heads.0.bias"].add_(1e-6))
    assert read_bundle(folder).digest != before


def test_the_digest_changes_with_a_threshold(folder):
    before = read_bundle(folder).digest
    change_manifest(folder, lambda m: m["classes"][0].update(threshold=0.123))
    assert read_bundle(folder).digest != before


def test_a_bundle_with_another_digest_than_pinned_is_not_served(folder):
    trust = Trust(pinned={"chest-phantom": (read_bundle(folder).digest,)})
    assert load_bundles([folder], trust=trust).rejected == {}
    change_manifest(folder, lambda m: m["classes"][0].update(severity=0))
    assert "pinned" in load_bundles([folder], trust=trust).rejected["chest-phantom"]


def test_weights_that_answer_otherwise_fail_commissioning(folder):
    change_weights(folder, lambda t: t["network.heads.0.bias"].add_(3.0))
    assert "commissioning image" in rejection(folder)


def test_weights_that_are_not_finite_are_not_served(folder):
    change_weights(folder, lambda t: t["network.heads.0.weight"].fill_(float("nan")))
    assert "not finite" in rejection(folder)


def test_weights_of_another_shape_are_not_served(folder):
    change_weights(folder, lambda t: t.update({"network.heads.0.bias": torch.zeros(7)}))
    assert "do not fit" in rejection(folder)


def test_a_truncated_weights_file_is_not_served(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100_000])
    assert "damaged" in rejection(folder)


def test_missing_commissioning_images_are_noticed(folder):
    change_weights(folder, lambda t: t.pop("commissioning.images"))
    assert "do not fit" in rejection(folder)


def test_fewer_commissioning_images_than_answers_are_noticed(folder):
    change_weights(
        folder,
        lambda t: t.update({"commissioning.images": t["commissioning.images"][:1].clone()}),
    )
    assert "install the bundle again" in rejection(folder)


def test_missing_weights_are_named(folder):
    (folder / "weights.safetensors").unlink()
    assert rejection(folder).startswith("weights.safetensors cannot be read")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda m: m.pop("disclaimer"), "disclaimer"),
        (lambda m: m.update(format=2), "format"),
        (lambda m: m.update(colour="red"), "colour"),
        (lambda m: m["classes"][1].update(threshold=1.5), "classes.1.threshold"),
        (lambda m: m["classes"].append(m["classes"][0]), "unique"),
        (lambda m: m["heatmap"]["calibration"].pop("nodule"), "calibration"),
        (lambda m: m["commissioning"].update(cases=[]), "commissioning.cases"),
    ],
)
def test_an_invalid_manifest_is_rejected_and_the_fault_named(folder, change, named):
    change_manifest(folder, change)
    assert named in rejection(folder)


def test_a_manifest_that_is_no_json_is_rejected(folder):
    (folder / "model.json").write_text("{", encoding="utf-8")
    assert "model.json is invalid" in rejection(folder)


def test_of_two_bundles_with_one_name_the_first_is_served(folder):
    registry = load_bundles([shipped_models(), folder], commissioned=False)
    assert registry.served["chest-phantom"].folder.parent == shipped_models()
    assert "already served" in registry.rejected["chest-phantom"]


def test_commissioning_raises_for_a_bundle_read_alone(folder):
    change_weights(folder, lambda t: t["network.heads.0.bias"].add_(3.0))
    with pytest.raises(BundleError, match="recorded is"):
        commission(read_bundle(folder))
