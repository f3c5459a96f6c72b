# SPDX-License-Identifier: Apache-2.0
"""``pointing_vs_gradcam``, ``dice_vs_gradcam``: against Grad-CAM on a DenseNet-121.

Both networks start from random weights, are shown the same training phantoms with the same
augmentation and the same global labels, for the same time of one core, one after the other, and are
looked at on the same test phantoms. The details also hold the shipped bundle, which was
trained for longer, and how many images either network was shown.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.densenet import DenseNet121
from benchmarks.heatmap_accuracy import localization, squares
from benchmarks.report import say
from inference.bundles import read_bundle, shipped_models
from inference.heatmap.augmentation import augment
from inference.heatmap.engine import predict
from inference.heatmap.metrics import area_under_curve
from inference.heatmap.phantom_plan import TrainingPlan
from inference.heatmap.phantom_set import PhantomSet, make_phantom_set
from inference.heatmap.training import Trainer
from inference.phantoms import FINDINGS, SeedRange

IMAGES, QUICK_IMAGES = 8000, 64
TESTED, QUICK_TESTED = 400, 64
SECONDS, QUICK_SECONDS = 900.0, 8.0
"""Of one core, for the training of each network: where anything else runs, two threads wait for
each other in a busy loop, and the larger network then learns less in the same time."""
EPOCHS, QUICK_EPOCHS = 24, 4
PROBED = 480
BATCH = 16
RATE = 1e-3


def measure(*, quick: bool, figures: dict[str, float | None], details: dict[str, object]) -> None:
    """Fill in the figures."""
    train, test = _sets(quick=quick)
    seconds = QUICK_SECONDS if quick else SECONDS
    found = {
        "gradcam": _gradcam(train, test, seconds),
        "sidelight": _sidelight(train, test, seconds, QUICK_EPOCHS if quick else EPOCHS),
        "shipped": _shipped(test),
    }
    for name, key in (("pointing", "pointing_all"), ("dice", "dice_mean")):
        difference = found["sidelight"][key] - found["gradcam"][key]
        figures[f"{name}_vs_gradcam"] = round(difference, 4)
    about = {"images": len(train), "tested": len(test), "seconds": seconds}
    details["gradcam"] = {**about, **found}
    say(f"Grad-CAM: {found}")


def _sets(*, quick: bool) -> tuple[PhantomSet, PhantomSet]:
    count, tested = (QUICK_IMAGES, QUICK_TESTED) if quick else (IMAGES, TESTED)
    workers = os.cpu_count() or 1
    torch.set_num_threads(1)
    train = make_phantom_set(SeedRange.TRAINING.value, count, workers=workers)
    return train, make_phantom_set(SeedRange.BENCHMARK.value, tested, workers=workers)


def _shipped(test: PhantomSet) -> dict[str, float]:
    engine = read_bundle(shipped_models() / "chest-phantom").engine
    seen = engine.predict(squares(test))
    return _judged(seen.pooled, seen.maps[0], test)


def _sidelight(
    train: PhantomSet, test: PhantomSet, seconds: float, epochs: int
) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = max(32, _images_in(train, test, folder, seconds) // epochs)
        plan = TrainingPlan.short(phantoms=len(train), epochs=epochs, images_per_epoch=images)
        trainer = Trainer(plan, train, test, folder)
        started = time.process_time()
        for number in range(epochs):
            say(f"heat-map network, epoch {number + 1}: loss {trainer.epoch():.3f}")
        spent = time.process_time() - started
        seen = predict(trainer.trained, squares(test))
    shown = epochs * trainer.steps_per_epoch * plan.batch
    judged = _judged(seen.pooled, seen.maps[0], test)
    return {"shown": shown, "spent_s": round(spent, 1), **judged}


def _images_in(train: PhantomSet, test: PhantomSet, folder: Path, seconds: float) -> int:
    """How many images the network learns from in so many seconds here."""
    count = min(PROBED, len(train))
    trial = Trainer(TrainingPlan.short(epochs=2, images_per_epoch=count), train, test, folder)
    trial.epoch()
    started = time.process_time()
    trial.epoch()
    return int(count * seconds / (time.process_time() - started))


def _gradcam(train: PhantomSet, test: PhantomSet, seconds: float) -> dict[str, float]:
    torch.manual_seed(1)
    network = DenseNet121(len(FINDINGS)).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=1e-5)
    rng = np.random.default_rng(1)
    started, shown, losses = time.process_time(), 0, [0.0]
    while (spent := (time.process_time() - started) / seconds) < 1.0:
        # A short warm-up, then a cosine down to nothing, over time instead of steps.
        pace = min(1.0, 20.0 * spent + 0.05) * 0.5 * (1.0 + math.cos(math.pi * spent))
        optimizer.param_groups[0]["lr"] = RATE * pace
        index = rng.choice(len(train), BATCH, replace=False)
        losses.append(_step(network, optimizer, train, index, rng))
        shown += BATCH
        if shown % (20 * BATCH) == 0:
            say(f"DenseNet-121, {shown} images: loss {np.mean(losses[-20:]):.3f}")
    spent_s = round(time.process_time() - started, 1)
    scores, maps = _seen(network, squares(test))
    return {"shown": shown, "spent_s": spent_s, **_judged(scores, maps, test)}


def _step(
    network: DenseNet121,
    optimizer: torch.optim.Optimizer,
    train: PhantomSet,
    index: NDArray[np.int64],
    rng: np.random.Generator,
) -> float:
    images, _ = augment(train.images[index], train.truth[index], rng)
    labels = torch.from_numpy(train.labels[index].astype(np.float32))
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(_inputs(images))
    loss = functional.binary_cross_entropy_with_logits(logits.float(), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _inputs(images: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(images[:, np.newaxis]).contiguous(memory_format=torch.channels_last)


def _seen(
    network: DenseNet121, images: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    network.eval()
    scores, maps = [], []
    with torch.inference_mode():
        for start in range(0, len(images), 16):
            logits, seen = network.maps(_inputs(images[start : start + 16]), 64)
            scores.append(torch.sigmoid(logits).numpy())
            maps.append(seen.numpy())
    return np.concatenate(scores), np.concatenate(maps)


def _judged(
    scores: NDArray[np.float32], maps: NDArray[np.float32], test: PhantomSet
) -> dict[str, float]:
    whole, _ = localization(maps, test)
    aucs = [area_under_curve(scores[:, c], test.labels[:, c]) for c in range(len(FINDINGS))]
    auc = float(np.mean([a for a in aucs if not math.isnan(a)]))
    return {**whole, "auc_mean": round(auc, 4)}
