# SPDX-License-Identifier: Apache-2.0
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from inference.bundles import BundleError, read_bundle, shipped_models
from inference.commands import models
from inference.commissioning import acceptance
from inference.commissioning.acceptance import Results, accept
from inference.commissioning.cases import LabelledSetError, folder_set, phantom_set
from inference.commissioning.criteria import FIRST_SEED, CommissioningSet, Criteria
from inference.commissioning.figures import measure
from inference.commissioning.setting_up import calibrate, record_reference, set_criteria
from inference.imported.importer import ImportRequest, chest_category, import_model
from inference.loading import load_bundles
from inference.phantoms import chest_phantom
from inference.phantoms.dicom import chest_dataset
from tests.inference.imported.small_models import CLASSES, SIZE, spot_image, torchscript

NAME = "chest-phantom"
run = CliRunner().invoke


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "models" / NAME
    shutil.copytree(shipped_models() / NAME, target)
    return target


@pytest.fixture
def spots(tmp_path):
    """An imported model of bright spots, and labelled images of a site."""
    request = ImportRequest(
        path=torchscript(tmp_path / "a.ts"), category=chest_category(), classes=CLASSES, size=SIZE
    )
    return import_model(request, tmp_path / "spots"), site(tmp_path / "site", 80)


def site(place, count):
    """Images with a bright spot, a faint one, or none; PNG of 16 bits."""
    place.mkdir()
    random = np.random.default_rng(5)
    labels, boxes = ["image,patient,nodule,pleural-effusion"], ["image,class,left,top,right,bottom"]
    for number in range(count):
        row, column = random.integers(0, 8, 2)
        image = random.uniform(0.0, 0.1, (SIZE, SIZE))
        present = number % 2
        image += spot_image(row, column) * (1.0 if present else 0.4)
        stored = np.rint(np.clip(image / 1.2, 0, 1) * 65535).astype(np.uint16)
        Image.fromarray(stored).save(place / f"{number}.png")
        labels.append(f"{number}.png,{number},{present},")
        if present:
            box = 8 * column, 8 * row, 8 * column + 8, 8 * row + 8
            boxes.append(f"{number}.png,nodule,{','.join(map(str, box))}")
    (place / "labels.csv").write_text("\n".join(labels), encoding="utf-8")
    (place / "boxes.csv").write_text("\n".join(boxes), encoding="utf-8")
    return place


def with_criteria(folder, **limits):
    """Criteria written without asking whether the bundle meets them."""
    path = folder / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["criteria"] = {"images": {"phantoms": 24}, **limits}
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_bundle(folder)


def test_the_shipped_bundle_meets_criteria_that_it_should(folder):
    verdict = accept(with_criteria(folder, minimum_auc=0.9, minimum_pointing=0.7), Results(None))
    assert verdict.failures == ()
    assert verdict.figures.images == 24
    assert verdict.figures.milliseconds > 0.0


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"minimum_auc": 1.0, "maximum_calibration_error": 0.0}, "calibration error"),
        ({"maximum_milliseconds": 0.001}, "milliseconds per image"),
        ({"minimum_pointing": 1.0, "maximum_milliseconds": 0.001}, "at most 0.001 is required"),
    ],
)
def test_every_criterion_that_is_not_met_is_named_with_its_figure(folder, limits, said):
    with pytest.raises(BundleError, match=said):
        accept(with_criteria(folder, **limits), Results(None))


def test_a_bundle_that_fails_its_criteria_is_not_served_and_the_one_before_it_is(tmp_path, folder):
    state = tmp_path / "state"
    before = load_bundles([folder], state=state).served[NAME].digest
    with_criteria(folder, maximum_milliseconds=0.001)
    registry = load_bundles([folder], state=state)
    assert registry.served[NAME].digest == before
    assert "milliseconds" in registry.fallbacks[NAME]


def test_commissioning_is_done_once_for_a_digest(tmp_path, folder, monkeypatch):
    bundle = with_criteria(folder, minimum_auc=0.5)
    results = Results(tmp_path / "state")
    first = accept(bundle, results)

    def examined_again(*_):
        pytest.fail("the bundle was examined a second time")

    monkeypatch.setattr(acceptance, "examine", examined_again)
    assert accept(read_bundle(folder), results) == first


def test_a_failed_verdict_is_kept_as_well(tmp_path, folder):
    bundle = with_criteria(folder, maximum_milliseconds=0.001)
    results = Results(tmp_path / "state")
    for _ in range(2):
        with pytest.raises(BundleError, match="fails commissioning"):
            accept(bundle, results)
    assert len(json.loads((tmp_path / "state" / "commissioning.json").read_text())) == 1


def test_results_that_can_not_be_read_are_made_again(tmp_path, folder):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "commissioning.json").write_text("{", encoding="utf-8")
    assert accept(with_criteria(folder, minimum_auc=0.5), Results(tmp_path / "state")) is not None


def test_a_set_of_a_site_that_is_gone_is_no_pass(folder):
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    content["criteria"] = {"images": {"folder": "gone"}, "minimum_auc": 0.5}
    (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BundleError, match=r"labels\.csv can't be read"):
        accept(read_bundle(folder), Results(None))


@pytest.mark.parametrize(
    "wrong",
    [{"images": {"phantoms": 3}}, {"images": {}, "minimum_auc": 0.5},
     {"images": {"phantoms": 3, "folder": "x"}, "minimum_auc": 0.5},
     {"images": {"phantoms": 3, "first_seed": 1_000_000}, "minimum_auc": 0.5}],
)  # fmt: skip
def test_criteria_that_say_nothing_or_use_training_seeds_are_refused(wrong):
    with pytest.raises(ValueError, match=r"criteria|either|greater than"):
        Criteria.model_validate(wrong)


def test_figures_of_a_set_are_those_of_its_images(spots):
    bundle, place = spots
    data = folder_set(place, SIZE, 8)
    figures = measure(bundle, bundle.engine, data)
    assert figures.classes.keys() == {"nodule"}
    nodule = figures.classes["nodule"]
    assert (nodule.images, nodule.positives, nodule.located) == (80, 40, 40)
    assert nodule.pointing == 1.0


def test_calibration_of_an_imported_model_sets_thresholds_and_keeps_other_classes(spots, tmp_path):
    bundle, place = spots
    made = calibrate(bundle, folder_set(place, SIZE, 8), tmp_path / "next", "0.2.0")
    assert made.calibrated == ("nodule",)
    assert made.familiar
    manifest = made.bundle.manifest
    assert manifest.version == "0.2.0"
    assert (
        manifest.calibration["pleural-effusion"] == bundle.manifest.calibration["pleural-effusion"]
    )
    assert manifest.calibration["nodule"] != bundle.manifest.calibration["nodule"]
    assert made.bundle.digest != bundle.digest
    assert set(load_bundles([tmp_path / "next"]).served) == {"a"}


def test_a_calibrated_import_abstains_from_what_the_site_never_showed(spots, tmp_path):
    bundle, place = spots
    data = folder_set(place, SIZE, 8)
    engine = calibrate(bundle, data, tmp_path / "next").bundle.engine
    stripes = np.tile(np.repeat([[0.0, 1.0]], 32, axis=0).repeat(1), (SIZE, 1))[:SIZE, :SIZE]
    images = np.concatenate([data.images[:10], stripes[None].astype(np.float32)])
    found = engine.unfamiliar(images, engine.predict(images).features)
    assert found[:10].count(None) >= 9
    assert found[10] is not None


def test_calibration_in_place_drops_a_signature_that_no_longer_holds(spots):
    bundle, place = spots
    (bundle.folder / "signature.json").write_text("{}", encoding="utf-8")
    calibrate(bundle, folder_set(place, SIZE, 8), bundle.folder)
    assert not (bundle.folder / "signature.json").exists()


def test_criteria_are_only_given_to_a_bundle_that_meets_them(folder):
    bundle = read_bundle(folder)
    wanted = Criteria(images=CommissioningSet(phantoms=24), minimum_auc=0.9)
    assert set_criteria(bundle, wanted, folder).manifest.criteria == wanted
    with pytest.raises(BundleError, match="does not meet them itself"):
        set_criteria(bundle, wanted.model_copy(update={"maximum_milliseconds": 0.001}), folder)


def test_a_reference_changes_nothing_but_the_deciles(folder):
    bundle = read_bundle(folder)
    data = phantom_set(FIRST_SEED + 10_000, 40, bundle.engine.input_size, 64)
    made = record_reference(bundle, data.images, folder)
    changed = made.manifest.model_copy(update={"reference": None})
    assert changed.classes == bundle.manifest.classes
    assert changed.calibration == bundle.manifest.calibration
    assert all(len(deciles) == 9 for deciles in made.manifest.reference.values())


def test_dicom_images_of_a_site_are_read_as_the_service_reads_them(tmp_path):
    phantom = chest_phantom(7, 128, ["nodule"])
    chest_dataset(phantom).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    (tmp_path / "labels.csv").write_text("image,patient,nodule\na.dcm,1,1\n", encoding="utf-8")
    data = folder_set(tmp_path, 64, 8)
    assert data.images.shape == (1, 64, 64)
    assert data.labels["nodule"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("table", "said"),
    [("patient,nodule\n1,1\n", "a column image"), ("image,nodule\na.png,maybe\n", "1, 0 or empty"),
     ("image,nodule\n../a.png,1\n", "outside"), ("image,nodule\ngone.dcm,1\n", "can't be read")],
)  # fmt: skip
def test_a_wrong_table_is_said_without_naming_an_image(tmp_path, table, said):
    Image.fromarray(np.eye(32, dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text(table, encoding="utf-8")
    with pytest.raises(LabelledSetError, match=said) as caught:
        folder_set(tmp_path, 32, 8)
    assert "gone" not in str(caught.value)


def test_the_commands_set_up_a_bundle_and_check_it(spots):
    bundle, place = spots
    folder = str(bundle.folder)
    said = run(models, ["calibrate", folder, "--images", str(place)])
    assert said.exit_code == 0, said.output
    assert "calibrated: nodule" in said.output
    assert run(models, ["reference", folder, "--images", str(place)]).exit_code == 0
    asked = ["criteria", folder, "--images", str(place), "--require", "minimum_pointing=0.9"]
    assert run(models, asked).exit_code == 0
    checked = run(models, ["check", folder])
    assert checked.exit_code == 0
    assert '"pointing": 1.0' in checked.output
    wrong = ["criteria", folder, "--phantoms", "3", "--require", "minimum_luck=1"]
    assert "minimum_luck" in run(models, wrong).output


def test_weights_that_answer_otherwise_are_not_measured_at_all(folder):
    path = folder / "weights.safetensors"
    tensors = load_file(path)
    tensors["network.heads.0.bias"].add_(3.0)
    save_file(tensors, path)
    with pytest.raises(BundleError, match="recorded is"):
        accept(with_criteria(folder, minimum_auc=0.1), Results(None))
