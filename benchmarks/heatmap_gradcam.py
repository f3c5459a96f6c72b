# SPDX-License-Identifier: Apache-2.0
"""``pointing_vs_gradcam``, ``dice_vs_gradcam``: against Grad-CAM on a DenseNet-121.

Both networks are trained here, one after the other, on the same phantoms, shown as often, with the
same augmentation and the same global labels, each from random weights, and looked at on the same
test phantoms. Neither is the shipped bundle, which was trained longer; its figures are others.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.densenet import DenseNet121
from benchmarks.heatmap_accuracy import localization, squares
from benchmarks.report import say
from inference.heatmap.augmentation import augment
from inference.heatmap.engine import predict
from inference.heatmap.metrics import area_under_curve
from inference.heatmap.phantom_set import PhantomSet, make_phantom_set
from inference.heatmap.training import Trainer, TrainingPlan
from inference.phantoms import FINDINGS, SeedRange

IMAGES, QUICK_IMAGES = 2000, 64
SHOWN = 4
"""How often each network sees each image."""
TESTED, QUICK_TESTED = 400, 64
RATE = 1e-3


def measure(*, quick: bool, figures: dict[str, float | None], details: dict[str, object]) -> None:
    """Fill in the figures."""
    count, tested = (QUICK_IMAGES, QUICK_TESTED) if quick else (IMAGES, TESTED)
    workers = os.cpu_count() or 1
    train = make_phantom_set(SeedRange.TRAINING.value, count, workers=workers)
    test = make_phantom_set(SeedRange.BENCHMARK.value, tested, workers=workers)
    shown = 1 if quick else SHOWN
    found = {"sidelight": _sidelight(train, test, shown), "gradcam": _gradcam(train, test, shown)}
    for name in ("pointing", "dice"):
        key = "pointing_all" if name == "pointing" else "dice_mean"
        difference = found["sidelight"][key] - found["gradcam"][key]
        figures[f"{name}_vs_gradcam"] = round(difference, 4)
    details["gradcam"] = {"images": count, "shown": shown, "tested": tested, **found}


def _sidelight(train: PhantomSet, test: PhantomSet, shown: int) -> dict[str, float]:
    plan = TrainingPlan(
        phantoms=len(train), epochs=shown, images_per_epoch=len(train), mixed_from=shown // 2
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(plan, train, test, Path(folder))
        for _ in range(plan.epochs):
            say(f"heat-map network: loss {trainer.epoch():.3f}")
        seen = predict(trainer.trained, squares(test))
    return _judged(seen.pooled, seen.maps[0], test)


def _gradcam(train: PhantomSet, test: PhantomSet, shown: int) -> dict[str, float]:
    torch.manual_seed(1)
    network = DenseNet121(len(FINDINGS)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=1e-5)
    batch = 16
    steps = shown * (len(train) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for number in range(shown):
        rng = np.random.default_rng(number)
        order = rng.permutation(len(train))
        losses = []
        network.train()
        for start in range(0, len(order) - batch + 1, batch):
            index = order[start : start + batch]
            images, _ = augment(train.images[index], train.truth[index], rng)
            labels = torch.from_numpy(train.labels[index].astype(np.float32))
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(_inputs(images))
            loss = functional.binary_cross_entropy_with_logits(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        say(f"DenseNet-121: loss {np.mean(losses):.3f}")
    scores, maps = _seen(network, squares(test))
    return _judged(scores, maps, test)


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
