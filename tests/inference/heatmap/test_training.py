# SPDX-License-Identifier: Apache-2.0
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from inference.bundles import commission, read_bundle, shipped_models
from inference.commands import train
from inference.heatmap import training
from inference.heatmap.augmentation import augment
from inference.heatmap.familiarity import Familiarity, thumbnails
from inference.heatmap.phantom_plan import TrainingPlan
from inference.heatmap.phantom_set import PhantomSet, make_phantom_set
from inference.heatmap.training import CHECKPOINT, Trainer, train_on_phantoms
from inference.heatmap.unfinished import OtherPlanError
from inference.phantoms import FINDINGS, chest_phantom

TINY = TrainingPlan(phantoms=64, validation=64, test=64, epochs=1, images_per_epoch=64, batch=8)


@pytest.fixture(scope="module")
def phantoms():
    return make_phantom_set(900, 64)


def test_a_phantom_set_holds_labels_and_truth_of_its_seeds(phantoms):
    for index in (0, 17, 63):
        made = chest_phantom(900 + index)
        assert [k for k, y in zip(FINDINGS, phantoms.labels[index], strict=True) if y] == list(
            made.findings
        )
        for number, key in enumerate(FINDINGS):
            share = phantoms.truth[index, number].mean() / 255
            expected = made.masks[key].mean() if key in made.masks else 0.0
            assert share == pytest.approx(expected, abs=1e-3)


def test_the_number_of_workers_does_not_change_the_phantoms(phantoms):
    again = make_phantom_set(900, 64, workers=2)
    assert np.array_equal(again.images, phantoms.images)
    assert np.array_equal(again.truth, phantoms.truth)


def test_augmentation_moves_truth_with_the_image():
    images = np.zeros((40, 64, 64), np.uint8)
    truth = np.zeros((40, 1, 16, 16), np.uint8)
    images[:, 32:36, 24:28] = 255
    truth[:, 0, 8, 6] = 255
    squares, shares = augment(images, truth, np.random.default_rng(3))
    places = set()
    for square, share in zip(squares, shares[:, 0], strict=True):
        place = np.unravel_index(int(share.argmax()), share.shape)
        places.add(place)
        cells = square.reshape(16, 4, 16, 4).mean(axis=(1, 3))
        assert np.unravel_index(int(cells.argmax()), cells.shape) == place
    assert len(places) > 10


def test_the_loss_falls_in_training(phantoms, tmp_path):
    trainer = Trainer(TINY.model_copy(update={"epochs": 2}), phantoms, phantoms, tmp_path)
    losses = [trainer.epoch() for _ in range(2)]
    assert losses[-1] < losses[0]


def test_the_same_plan_gives_the_same_weights(phantoms, tmp_path):
    networks = []
    for _ in range(2):
        trainer = Trainer(TINY, phantoms, phantoms, tmp_path)
        trainer.epoch()
        networks.append(trainer.network.state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_a_killed_run_goes_on_where_it_was(phantoms, tmp_path):
    plan = TINY.model_copy(update={"epochs": 2})
    whole = Trainer(plan, phantoms, phantoms, tmp_path)
    whole.epoch()
    torch.save(whole.checkpoint(), tmp_path / "kept.pt")
    whole.epoch()
    second = Trainer(plan, phantoms, phantoms, tmp_path)
    second.resume(torch.load(tmp_path / "kept.pt", weights_only=True))
    second.epoch()
    assert second.epochs_done == 2
    for name, weight in whole.trained.state_dict().items():
        assert torch.equal(weight, second.trained.state_dict()[name]), name


def test_a_run_of_another_plan_is_not_gone_on_with(phantoms, tmp_path):
    kept = Trainer(TINY, phantoms, phantoms, tmp_path).checkpoint()
    other = Trainer(TINY.model_copy(update={"seed": 2}), phantoms, phantoms, tmp_path)
    with pytest.raises(OtherPlanError):
        other.resume(kept)


def test_a_run_that_recognizes_first_leaves_the_maps_own_loss_out_until_then(phantoms, tmp_path):
    plan = TINY.model_copy(update={"epochs": 2, "recognition": 0.5, "handed_down": 0.0})
    trainer = Trainer(plan, phantoms, phantoms, tmp_path)
    heads = [head.bias.detach().clone() for head in trainer.network.heads]
    linear = trainer.recognition.linear.weight.detach().clone()
    trainer.epoch()
    assert not torch.equal(linear, trainer.recognition.linear.weight)
    assert all(
        torch.equal(before, head.bias)
        for before, head in zip(heads, trainer.network.heads, strict=True)
    )
    trainer.epoch()
    assert not any(
        torch.equal(before, head.bias)
        for before, head in zip(heads, trainer.network.heads, strict=True)
    )


def test_a_killed_run_that_recognizes_first_goes_on_where_it_was(phantoms, tmp_path):
    plan = TINY.model_copy(update={"epochs": 2, "recognition": 0.6})
    whole = Trainer(plan, phantoms, phantoms, tmp_path)
    whole.epoch()
    torch.save(whole.checkpoint(), tmp_path / "kept.pt")
    whole.epoch()
    second = Trainer(plan, phantoms, phantoms, tmp_path)
    second.resume(torch.load(tmp_path / "kept.pt", weights_only=True))
    second.epoch()
    for name, weight in whole.trained.state_dict().items():
        assert torch.equal(weight, second.trained.state_dict()[name]), name


def test_training_needs_no_outlines(phantoms, tmp_path):
    blind = PhantomSet(phantoms.images, phantoms.labels, np.zeros_like(phantoms.truth))
    networks = []
    for data in (phantoms, blind):
        trainer = Trainer(TINY, data, phantoms, tmp_path)
        trainer.epoch()
        networks.append(trainer.network.state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Where the tiny plan's bundle is, its figures, and what was said meanwhile."""
    out, said = tmp_path_factory.mktemp("trained") / "made", []
    figures = train_on_phantoms(TINY, out, report=said.append)
    return out, figures, said


def test_training_writes_a_bundle_that_passes_its_commissioning(trained):
    out, figures, said = trained
    assert set(figures) == set(FINDINGS)
    assert any(line.startswith("epoch 1/1") for line in said)
    assert not (out / CHECKPOINT).exists()
    bundle = read_bundle(out)
    commission(bundle)
    assert bundle.manifest.training["phantoms"] == 64
    assert bundle.manifest.metrics["test_phantoms"] == 64
    card = (out / "README.md").read_text(encoding="utf-8")
    assert card.startswith("Trained on phantoms, not for clinical use.")
    assert (out / "weights.safetensors").stat().st_mode & 0o044 == 0o044


def test_familiarity_tells_its_own_kind_from_another():
    rng = np.random.default_rng(4)
    mixing = rng.normal(size=(5, 20))

    def kind(n):
        return (rng.normal(size=(n, 5)) @ mixing).astype(np.float32)

    thumbs = rng.normal(size=(500, 256)).astype(np.float32)
    familiarity = Familiarity.fit(kind(500), thumbs)
    held_out = thumbs[:200]
    limits = familiarity.limits(kind(200), held_out, 0.99)
    own = familiarity.distances(kind(300), thumbs[:300])["features"]
    other = familiarity.distances(rng.normal(size=(300, 20)).astype(np.float32) * 3, thumbs[:300])[
        "features"
    ]
    assert (own <= limits.features).mean() > 0.95
    assert (other <= limits.features).mean() < 0.01


def test_familiarity_survives_its_arrays():
    rng = np.random.default_rng(5)
    features, thumbs = rng.random((300, 8), np.float32), rng.random((300, 256), np.float32)
    first = Familiarity.fit(features, thumbs)
    second = Familiarity.from_arrays(first.to_arrays())
    for view, distance in first.distances(features, thumbs).items():
        assert np.array_equal(distance, second.distances(features, thumbs)[view])


def test_thumbnails_average_the_image():
    images = np.random.default_rng(6).random((2, 64, 64), np.float32)
    small = thumbnails(images)
    assert small.shape == (2, 256)
    assert small[1, 17] == pytest.approx(images[1, 4:8, 4:8].mean(), rel=1e-5)


def test_one_command_trains_and_then_refines(tmp_path, monkeypatch):
    stages = []

    def trained(plan, out, *, start, **_):
        stages.append((plan, out.name, start is not None))
        shutil.copytree(shipped_models() / "chest-phantom", out)

    monkeypatch.setattr(training, "train_on_phantoms", trained)
    command = ["heatmap", "--out", str(tmp_path / "made"), "--epochs", "3", "--refine", "2"]
    result = CliRunner().invoke(train, command)
    assert result.exit_code == 0, result.output
    (first, first_out, first_started), (then, out, started) = stages
    assert (first.epochs, first_out, first_started) == (3, "made.first", False)
    assert (then.epochs, out, started) == (2, "made", True)
    assert then.sharpest == ((0, 6.5),)
    assert then.start == read_bundle(shipped_models() / "chest-phantom").digest
    assert not (tmp_path / "made.first").exists()


def test_a_stage_that_is_done_is_not_done_again(trained, tmp_path):
    out, _, _ = trained
    assert training.is_finished(TINY, out)
    assert not training.is_finished(TINY.model_copy(update={"seed": 2}), out)
    assert not training.is_finished(TINY, tmp_path / "none")


def test_another_plan_is_told_before_phantoms_are_made(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "make_phantom_set", lambda *_, **__: pytest.fail("made"))
    torch.save({"plan": "another"}, tmp_path / CHECKPOINT)
    with pytest.raises(OtherPlanError, match="choose another"):
        train_on_phantoms(TINY, tmp_path)
