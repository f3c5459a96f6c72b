# SPDX-License-Identifier: Apache-2.0
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.bundles import read_bundle
from inference.contract import Outcome
from inference.heatmap.analyse import analyse
from inference.imported.checkpoints import TORCHXRAYVISION_FINDINGS
from inference.imported.densenet import DenseNet121
from inference.imported.errors import ModelImportError
from inference.imported.finding_codes import FindingCodes
from inference.imported.importer import ImportRequest, chest_category, import_model
from inference.loading import load_bundles
from inference.phantoms import chest_phantom
from inference.phantoms.dicom import chest_dataset
from plugin.results import ResultOptions, build, validate
from tests.inference.imported.small_models import (
    CLASSES,
    SIZE,
    exported,
    monai_bundle,
    onnx,
    spot_image,
    torchscript,
)

PLAIN = ResultOptions(validators=())


def made(path, out, **given):
    given = {"classes": CLASSES, "size": SIZE, **given}
    return import_model(ImportRequest(path=path, category=chest_category(), **given), out)


@pytest.fixture(scope="module")
def radiograph():
    return chest_dataset(chest_phantom(3, 300, ["nodule"]))


@pytest.fixture(scope="module")
def densenet():
    torch.manual_seed(1)
    return DenseNet121(1, len(TORCHXRAYVISION_FINDINGS)).eval()


def write(form, folder):
    if form == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        return onnx(folder / "spot.onnx")
    if form == "exported":
        return exported(folder / "spot.pt2")
    return torchscript(folder / "spot.ts")


@pytest.mark.parametrize("form", ["torchscript", "exported", "onnx"])
def test_a_program_of_each_format_runs_through_to_findings_and_dicom_objects(
    form, tmp_path, radiograph
):
    bundle = made(write(form, tmp_path), tmp_path / "bundle")
    answer = analyse(bundle, [radiograph])
    assert answer.outcome is Outcome.FINDINGS
    objects = build(radiograph, bundle.description, answer, answer.images[0], PLAIN)
    assert {one.kind for one in objects} >= {"SR", "SEG"}
    assert [validate(one, ()) for one in objects] == [[]] * len(objects)


@pytest.mark.parametrize("form", ["torchscript", "exported", "onnx"])
def test_every_format_gives_the_same_probabilities(form, tmp_path):
    engine = made(write(form, tmp_path), tmp_path / "bundle").engine
    images = np.stack([spot_image(2, 5), np.full((SIZE, SIZE), 0.3, np.float32)])
    expected = 1.0 / (1.0 + np.exp(-np.array([[5.0, -9.0], [-2.0, -2.0]])))
    assert engine.probabilities(engine.predict(images).pooled) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("form", "maps"),
    [("torchscript", "occlusion"), ("exported", "occlusion"), ("onnx", "occlusion"),
     ("torchscript", "gradients"), ("exported", "gradients")],
)  # fmt: skip
def test_the_map_of_a_classifier_peaks_where_it_looked(form, maps, tmp_path):
    engine = made(write(form, tmp_path), tmp_path / "bundle", maps=maps, grid=8).engine
    seen = engine.predict(spot_image(2, 5)[None])
    nodule = seen.maps[0][0, 0]
    assert np.unravel_index(nodule.argmax(), nodule.shape) == (2, 5)
    assert nodule.max() == pytest.approx(seen.pooled[0, 0])


def test_an_exported_program_of_one_image_is_run_image_by_image(tmp_path):
    bundle = made(exported(tmp_path / "one.pt2", one_by_one=True), tmp_path / "bundle", grid=4)
    assert bundle.manifest.imported.batch == 1
    assert bundle.engine.predict(np.stack([spot_image(1, 1)] * 3)).pooled.shape == (3, 2)


def test_a_monai_segmentation_gives_its_own_map_without_the_background(tmp_path):
    source = monai_bundle(tmp_path / "monai")
    bundle = made(source, tmp_path / "bundle", classes=(), size=None)
    assert bundle.manifest.version == "0.3.1"
    assert [c.key for c in bundle.manifest.classes] == ["nodule"]
    assert bundle.manifest.imported.task == "segmentation"
    seen = bundle.engine.predict(spot_image(2, 5)[None])
    lit = np.argwhere(seen.maps[0][0, 0] > 0.9)
    assert lit.min(axis=0).tolist() == [16, 40]
    assert lit.max(axis=0).tolist() == [23, 47]


def test_a_monai_classification_names_its_own_classes(tmp_path):
    source = monai_bundle(tmp_path / "monai", task="classification")
    bundle = made(source, tmp_path / "bundle", classes=(), size=None)
    assert [c.key for c in bundle.manifest.classes] == ["nodule", "pleural-effusion"]
    assert bundle.manifest.imported.source == "MONAI bundle (TorchScript)"


def test_no_expression_of_a_monai_configuration_is_run(tmp_path):
    source = monai_bundle(tmp_path / "monai")
    marker = tmp_path / "ran"
    config = {"network_def": f"$__import__('pathlib').Path({str(marker)!r}).touch()"}
    (source / "configs" / "inference.json").write_text(json.dumps(config), encoding="utf-8")
    made(source, tmp_path / "bundle", classes=(), size=None)
    assert not marker.exists()


def test_a_monai_model_stored_as_weights_of_an_unknown_network_says_how_to_go_on(tmp_path):
    source = monai_bundle(tmp_path / "monai")
    (source / "models" / "model.ts").unlink()
    torch.save({"a": torch.zeros(1)}, source / "models" / "model.pt")
    config = {"network_def": {"_target_": "UNet", "spatial_dims": 2}}
    (source / "configs" / "inference.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelImportError, match=r"weights of UNet alone.*ckpt_export"):
        made(source, tmp_path / "bundle", classes=(), size=None)


def test_a_monai_densenet_is_taken_from_its_weights(tmp_path):
    source = monai_bundle(tmp_path / "monai", task="classification")
    (source / "models" / "model.ts").unlink()
    network = DenseNet121(1, 2)
    renamed = {}
    for key, value in network.state_dict().items():
        nested = re.sub(r"\.((?:norm|conv)[12])\.", r".layers.\1.", key)
        renamed[nested.replace("classifier.", "class_layers.out.")] = value
    torch.save(renamed, source / "models" / "model.pt")
    config = {"network_def": {"_target_": "DenseNet121", "spatial_dims": 2}}
    (source / "configs" / "inference.json").write_text(json.dumps(config), encoding="utf-8")
    bundle = made(source, tmp_path / "bundle", classes=(), size=None)
    assert bundle.manifest.imported.runtime == "densenet121"
    assert bundle.manifest.imported.source == "MONAI bundle (DenseNet-121)"


def test_a_volume_model_is_refused_by_its_shape(tmp_path):
    source = monai_bundle(tmp_path / "monai", spatial_shape=[96, 96, 96])
    with pytest.raises(ModelImportError, match="takes volumes"):
        made(source, tmp_path / "bundle", classes=(), size=None)


def test_a_torchxrayvision_checkpoint_has_its_18_findings_coded(tmp_path, densenet, radiograph):
    path = tmp_path / "densenet121-res224-all.safetensors"
    save_file(densenet.state_dict(), path)
    bundle = made(path, tmp_path / "bundle", classes=(), size=None)
    assert len(bundle.manifest.classes) == 18
    assert all(c.code.value and c.code.scheme for c in bundle.manifest.classes)
    normalization = bundle.manifest.imported.normalization
    assert [(g - normalization.mean[0]) / normalization.deviation[0] for g in (0.0, 0.5, 1.0)] == [
        -1024.0, 0.0, 1024.0,
    ]  # fmt: skip
    answer = analyse(bundle, [radiograph])
    assert len(answer.images[0].classes) == 18
    assert answer.images[0].classes[0].maps[7].array().shape == (7, 7)


def test_class_activation_maps_average_to_the_logit_of_the_image(densenet):
    image = torch.rand(2, 1, 224, 224) * 2048.0 - 1024.0
    with torch.inference_mode():
        patches, whole = densenet.patch_logits(image), densenet(image)
    assert torch.allclose(patches.mean(dim=(2, 3)), whole, atol=1e-4)


def test_outputs_without_a_threshold_were_not_trained_and_are_left_out(tmp_path, densenet):
    thresholds = torch.full((18,), 0.1)
    thresholds[[2, 5]] = float("nan")
    path = tmp_path / "checkpoint.safetensors"
    save_file({**densenet.state_dict(), "op_threshs": thresholds}, path)
    bundle = made(path, tmp_path / "bundle", classes=(), size=None)
    keys = [c.key for c in bundle.manifest.classes]
    assert len(keys) == 16
    assert not {"infiltration", "emphysema"} & set(keys)
    assert {c.threshold for c in bundle.manifest.classes} == {0.1}


def test_weights_become_safetensors(tmp_path, densenet):
    path = tmp_path / "xrv.pt"
    torch.save(densenet.state_dict(), path)
    bundle = made(path, tmp_path / "bundle", classes=(), size=None)
    stored = load_file(bundle.weights)
    key = "features.denseblock4.denselayer16.conv2.weight"
    assert torch.equal(stored["network." + key], densenet.state_dict()[key])
    assert sorted(f.name for f in bundle.folder.iterdir()) == [
        "README.md", "model.json", "weights.safetensors",
    ]  # fmt: skip


def test_a_class_without_a_code_is_refused_with_its_name(tmp_path):
    with pytest.raises(ModelImportError, match="no code is known for Blorbosis"):
        made(torchscript(tmp_path / "a.ts"), tmp_path / "bundle", classes=("Nodule", "Blorbosis"))
    assert not (tmp_path / "bundle").exists()


def test_a_file_of_codes_makes_further_classes_possible(tmp_path):
    codes = tmp_path / "codes.toml"
    codes.write_text(
        '[blorb]\nname = "Blorbosis"\ncode = ["123456", "99SITE", "Blorb"]\nseverity = 3\n',
        encoding="utf-8",
    )
    bundle = made(
        torchscript(tmp_path / "a.ts"),
        tmp_path / "bundle",
        classes=("nodule", "BLORBOSIS"),
        codes=FindingCodes.with_file(codes),
    )
    assert bundle.manifest.classes[1].code.scheme == "99SITE"


@pytest.mark.parametrize(
    ("text", "said"),
    [('[A_b]\nname="x"', "lower case"), ("[x", "no TOML"), ('[x]\nname = "x"', "x.code")],
)
def test_a_wrong_file_of_codes_is_named_with_its_fault(text, said, tmp_path):
    codes = tmp_path / "codes.toml"
    codes.write_text(text, encoding="utf-8")
    with pytest.raises(ModelImportError, match=said):
        FindingCodes.with_file(codes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"classes": ()}, "--classes"),
        ({"size": None}, "size="),
        ({"classes": ("Nodule", "Effusion", "Mass")}, "2 outputs"),
        ({"task": "segmentation"}, "no segmentation"),
        ({"maps": "activation"}, "head is known"),
        ({"classes": ("Nodule", "Lung nodule")}, "several classes mean nodule"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(given, said, tmp_path):
    with pytest.raises(ModelImportError, match=said):
        made(torchscript(tmp_path / "a.ts"), tmp_path / "bundle", **given)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.ts"]


def test_an_output_can_be_left_without_a_class(tmp_path):
    bundle = made(torchscript(tmp_path / "a.ts"), tmp_path / "bundle", classes=("-", "Effusion"))
    assert bundle.manifest.imported.channels == (1,)


def test_an_imported_bundle_is_served_beside_the_shipped_one(tmp_path):
    made(torchscript(tmp_path / "a.ts"), tmp_path / "models" / "spots", name="spots")
    registry = load_bundles([tmp_path / "models"])
    assert (set(registry.served), registry.rejected) == ({"spots"}, {})


def test_the_digest_covers_the_program(tmp_path):
    bundle = made(torchscript(tmp_path / "a.ts"), tmp_path / "bundle")
    with (bundle.folder / "network.ts").open("ab") as program:
        program.write(b"\0")
    assert read_bundle(bundle.folder).digest != bundle.digest


def test_the_model_card_says_that_nobody_validated_it_here(tmp_path):
    card = (made(torchscript(tmp_path / "a.ts"), tmp_path / "b").folder / "README.md").read_text()
    assert card.startswith("Imported and not validated at this site; not for clinical use.")


def test_without_a_reference_only_a_single_grey_is_unfamiliar(tmp_path):
    engine = made(torchscript(tmp_path / "a.ts"), tmp_path / "bundle").engine
    images = np.stack([np.zeros((SIZE, SIZE), np.float32), spot_image(0, 0)])
    found = engine.unfamiliar(images, engine.predict(images).features)
    assert [one and one.what for one in found] == ["a single grey value", None]
