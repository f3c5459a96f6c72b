# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from inference.bundles import commission, read_bundle, shipped_models
from inference.commands import train
from inference.commands_evaluate import evaluate

run = CliRunner().invoke
CLASSES = ("nodule", "cardiomegaly")
SMALL = ["--size", "64", "--batch", "4", "--epochs", "1"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Forty patients with two pictures each, half of them with a bright square."""
    folder = tmp_path_factory.mktemp("site")
    rng = np.random.default_rng(7)
    labels, boxes = (
        ["image,patient,split,nodule,cardiomegaly"],
        ["image,class,left,top,right,bottom"],
    )
    (folder / "images").mkdir()
    for number in range(80):
        pixels = rng.integers(0, 90, (64, 64), dtype=np.uint8)
        present = number % 2
        if present:
            row, column = rng.integers(8, 40, 2)
            pixels[row : row + 12, column : column + 12] += 150
            boxes.append(f"{number}.png,nodule,{column},{row},{column + 12},{row + 12}")
        patient = number // 2
        split = "test" if patient % 5 == 0 else "validation" if patient % 5 == 1 else "training"
        other = "" if number % 3 == 0 else str(int(number % 4 < 2))
        labels.append(f"{number}.png,p{patient},{split},{present},{other}")
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
    (folder / "labels.csv").write_text("\n".join(labels), encoding="utf-8")
    (folder / "boxes.csv").write_text("\n".join(boxes), encoding="utf-8")
    return folder


def arguments(site, out, *more):
    tables = ["--images", str(site / "images"), "--labels", str(site / "labels.csv")]
    boxes = ["--boxes", str(site / "boxes.csv")]
    return ["heatmap", "--out", str(out), *tables, *boxes, *SMALL, *more]


def test_a_site_gets_a_bundle_that_passes_its_commissioning_and_carries_none_of_its_images(
    site, tmp_path
):
    result = run(
        train, arguments(site, tmp_path / "made", "--name", "ours", "--outline-weight", "1")
    )
    assert result.exit_code == 0, result.output
    bundle = read_bundle(tmp_path / "made")
    commission(bundle)
    manifest = bundle.manifest
    assert [one.key for one in manifest.classes] == list(CLASSES)
    assert manifest.name == "ours"
    assert manifest.training["images"] == {"training": 48, "validation": 16, "test": 16}
    assert len(manifest.training["digest"]) == 64
    assert manifest.metrics["classes"]["nodule"]["places"]["findings"] == 8
    assert manifest.metrics["classes"]["cardiomegaly"]["known"] < 16
    assert manifest.metrics["classes"]["cardiomegaly"]["places"] is None
    assert "was **not** measured" in (tmp_path / "made" / "README.md").read_text(encoding="utf-8")
    assert not (tmp_path / "made.unfinished").exists()


def test_a_bundle_is_measured_on_a_sites_images(site, tmp_path):
    pytest.importorskip("matplotlib")
    assert run(train, arguments(site, tmp_path / "made")).exit_code == 0
    tables = arguments(site, tmp_path / "report")[: -len(SMALL)]
    result = run(evaluate, [*tables, "--model", str(tmp_path / "made")])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "report" / "figures.json").read_text(encoding="utf-8"))
    assert found["images"] == 80
    assert found["classes"]["nodule"]["places"]["findings"] == 40
    assert found["classes"]["cardiomegaly"]["known"] == 53


def test_logs_for_tensorboard_are_written(site, tmp_path):
    pytest.importorskip("tensorboard")
    result = run(train, arguments(site, tmp_path / "made", "--logs", str(tmp_path / "logs")))
    assert result.exit_code == 0, result.output
    assert list((tmp_path / "logs").glob("events.*"))


def test_reviews_continue_a_bundle_as_its_next_version(site, tmp_path):
    first = run(train, arguments(site, tmp_path / "first", "--name", "ours"))
    assert first.exit_code == 0, first.output
    more = ["--from-reviews", str(site), "--start", str(tmp_path / "first"), *SMALL]
    result = run(train, ["heatmap", "--out", str(tmp_path / "next"), *more])
    assert result.exit_code == 0, result.output
    manifest = read_bundle(tmp_path / "next").manifest
    assert (manifest.name, manifest.version) == ("ours", "1.1.0")
    assert manifest.training["started_from"] == read_bundle(tmp_path / "first").digest
    # On the held-out patients both were looked at, and who decides finds it beside the version.
    kept = json.loads((tmp_path / "next" / "comparison.json").read_text(encoding="utf-8"))
    assert (kept["old"]["version"], kept["new"]["version"], kept["images"]) == (
        "1.0.0",
        "1.1.0",
        16,
    )
    assert kept["new"]["figures"]["classes"]["nodule"]["located"] == 8
    assert "1.1.0 against 1.0.0" in (tmp_path / "next" / "comparison.html").read_text("utf-8")
    assert not (tmp_path / "first" / "comparison.json").exists()


def test_a_killed_run_goes_on_where_it_was(site, tmp_path, monkeypatch):
    from inference.heatmap.site import run as site_run

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(site_run, "_finish", killed)
        run(train, arguments(site, tmp_path / "made"))
    assert (tmp_path / "made.unfinished" / site_run.CHECKPOINT).exists()
    result = run(train, arguments(site, tmp_path / "made"))
    assert result.exit_code == 0, result.output
    assert "going on after epoch 1" in result.output
    assert read_bundle(tmp_path / "made").manifest.training["epochs_done"] == 1


def test_two_processes_train_one_network(site, tmp_path):
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
        *("--master-port", "29617", "-m", "inference.commands_train"),
        *arguments(site, tmp_path / "made"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("bundle written") == 1
    commission(read_bundle(tmp_path / "made"))


def test_a_class_without_a_code_is_named(site, tmp_path):
    text = (site / "labels.csv").read_text(encoding="utf-8").replace("nodule", "gremlin", 1)
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    tables = ["--images", str(site / "images"), "--labels", str(tmp_path / "labels.csv")]
    result = run(train, ["heatmap", "--out", str(tmp_path / "made"), *tables, *SMALL])
    assert result.exit_code == 1
    assert "gremlin" in result.output


def test_images_without_labels_are_an_error(site, tmp_path):
    result = run(train, ["heatmap", "--out", str(tmp_path), "--images", str(site / "images")])
    assert result.exit_code == 2


def test_the_shipped_bundle_can_be_a_start():
    from inference.heatmap.site.run import naming_for

    bundle = read_bundle(shipped_models() / "chest-phantom")
    naming = naming_for(bundle, None)
    assert naming.name == bundle.manifest.name
    assert naming.version > bundle.manifest.version
