# SPDX-License-Identifier: Apache-2.0
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from inference.bundles import read_bundle, shipped_models
from inference.commands import models
from inference.commissioning.cases import LabelledSet, LabelledSetError, phantom_set
from inference.commissioning.comparison import compare
from inference.commissioning.comparison_page import comparison_page
from inference.commissioning.criteria import FIRST_SEED
from inference.imported.importer import ImportRequest, chest_category, import_model
from tests.inference.imported.small_models import CLASSES, SIZE, spot_image, torchscript

run = CliRunner().invoke


@pytest.fixture(scope="module")
def data():
    return phantom_set(FIRST_SEED + 10_000, 40, 256, 64)


@pytest.fixture(scope="module")
def shipped():
    return read_bundle(shipped_models() / "chest-phantom")


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    place = tmp_path_factory.mktemp("spots")
    request = ImportRequest(
        path=torchscript(place / "a.ts"), category=chest_category(), classes=CLASSES, size=SIZE
    )
    return import_model(request, place / "bundle")


def spotted(count=40):
    """Images of which the first half has a bright spot."""
    labels = np.arange(count) < count // 2
    images = np.stack([spot_image(2, 3) * (1.0 if one else 0.3) for one in labels])
    truth = np.zeros((8, 8), np.float32)
    truth[2, 3] = 1.0
    places = dict.fromkeys(np.flatnonzero(labels).tolist(), truth)
    return LabelledSet(images, {"nodule": labels.astype(np.float32)}, {"nodule": places})


def test_a_bundle_is_like_itself(shipped, data):
    found = compare(shipped, shipped, data, data)
    assert {d.auc for d in found.differences.values()} == {0.0}
    assert {(d.mended, d.broken) for d in found.differences.values()} == {(0, 0)}
    assert {d.verdict for d in found.differences.values()} == {"alike"}


def test_a_version_that_looks_away_is_worse_and_its_broken_images_are_counted(spots, tmp_path):
    # The classes of the network exchanged: what was called a nodule is its contrary now.
    worse = tmp_path / "worse"
    shutil.copytree(spots.folder, worse)
    content = json.loads((worse / "model.json").read_text(encoding="utf-8"))
    content["imported"]["channels"] = [1, 0]
    content["version"] = "0.2.0"
    (worse / "model.json").write_text(json.dumps(content), encoding="utf-8")
    data = spotted()
    found = compare(spots, read_bundle(worse), data, data).differences["nodule"]
    assert found.verdict == "worse"
    assert found.auc == pytest.approx(-1.0)
    assert (found.mended, found.broken) == (0, 20)
    back = compare(read_bundle(worse), spots, data, data).differences["nodule"]
    assert back.verdict == "better"
    assert (back.mended, back.broken) == (20, 0)


def test_classes_that_only_one_of_them_knows_are_named(shipped, spots, data):
    own = phantom_set(FIRST_SEED + 10_000, 40, SIZE, 8)
    found = compare(shipped, spots, data, own)
    assert set(found.differences) == {"nodule", "pleural-effusion"}
    assert set(found.only_old) == {"cardiomegaly", "consolidation", "pneumothorax"}
    assert found.only_new == ()
    assert "Only" in comparison_page(found, spots.manifest.classes)


def test_labels_of_other_classes_compare_nothing(spots):
    data = spotted()
    other = LabelledSet(data.images, {"hernia": data.labels["nodule"]}, {})
    with pytest.raises(LabelledSetError, match="none of the model's classes"):
        compare(spots, spots, other, other)


def test_the_page_escapes_what_models_call_themselves(spots):
    data = spotted()
    found = compare(spots, spots, data, data)
    named = tuple(c.model_copy(update={"name": "<b>&"}) for c in spots.manifest.classes)
    page = comparison_page(found, named)
    assert "&lt;b&gt;&amp;" in page
    assert "<b>" not in page


def test_the_command_writes_figures_and_a_page(tmp_path):
    bundle = str(shipped_models() / "chest-phantom")
    figures, page = tmp_path / "c.json", tmp_path / "c.html"
    asked = ["compare", bundle, bundle, "--phantoms", "24"]
    assert run(models, [*asked, "--json", str(figures), "--html", str(page)]).exit_code == 0
    assert json.loads(figures.read_text(encoding="utf-8"))["images"] == 24
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run(models, asked[:-2]).exit_code == 2
