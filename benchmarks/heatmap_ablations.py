# SPDX-License-Identifier: Apache-2.0
"""What levels, r0 and pooling are good for: the shipped network with one thing changed.

Each variant starts from the shipped weights (what does not fit starts anew), is trained on for the
same few epochs on the same phantoms from global labels alone, and is looked at on the same test
phantoms. ``reference`` changes nothing. From random weights each variant would take hours; a start
that knows what findings look like says less about learning, and as much about maps.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import report
from benchmarks.heatmap_accuracy import localization, squares
from benchmarks.report import say
from inference.bundles import read_bundle, shipped_models
from inference.heatmap.engine import own_network, predict
from inference.heatmap.metrics import area_under_curve
from inference.heatmap.network import HeatMapNetwork
from inference.heatmap.phantom_plan import TrainingPlan
from inference.heatmap.phantom_set import PhantomSet, make_phantom_set
from inference.heatmap.training import Trainer
from inference.phantoms import FINDINGS, SeedRange

IMAGES, TESTED, EPOCHS = 2400, 400, 2
QUICK_IMAGES, QUICK_TESTED = 64, 64
_FREE = ((0, 60.0),)

VARIANTS: dict[str, dict[str, Any]] = {
    "reference": {},
    "levels-64-32-16": {"grids": (64, 32, 16), "widths": (32, 48, 64)},
    "levels-64-32": {"grids": (64, 32), "widths": (32, 48)},
    "levels-64": {"grids": (64,), "widths": (32,)},
    "r0-0": {"r0": 0.0, "sharpness": 1.0, "sharpest": ((0, 1.5),)},
    "r0-10": {"r0": 10.0, "sharpness": 15.0, "sharpest": _FREE},
    "pooling-max": {"pooling": "max"},
    "pooling-mean": {"pooling": "mean"},
    "pooling-filtered-max": {"pooling": "filtered-max"},
    "pooling-generalized-mean": {"pooling": "generalized-mean"},
    "pooling-noisy-or": {"pooling": "noisy-or"},
}


def main() -> None:
    """Train every variant on, and print what each came to."""
    options = report.arguments(__doc__ or "")
    names = options.only or (("reference", "pooling-mean") if options.quick else tuple(VARIANTS))
    count, tested = (QUICK_IMAGES, QUICK_TESTED) if options.quick else (IMAGES, TESTED)
    workers = os.cpu_count() or 1
    torch.set_num_threads(workers)
    train = make_phantom_set(SeedRange.TRAINING.value, count, workers=workers)
    test = make_phantom_set(SeedRange.BENCHMARK.value, tested, workers=workers)
    start = own_network(read_bundle(shipped_models() / "chest-phantom"))
    details: dict[str, object] = {"images": count, "epochs": EPOCHS, "tested": tested}
    for name in names:
        details[name] = _variant(VARIANTS[name], start, train, test)
        say(f"{name}: {details[name]}")
    report.finish({}, details)


def _variant(
    changed: dict[str, Any], start: HeatMapNetwork, train: PhantomSet, test: PhantomSet
) -> dict[str, float]:
    settings = {"phantoms": len(train), "epochs": EPOCHS, "averaging": 0.98, **changed}
    plan = TrainingPlan.refining("", images_per_epoch=len(train), **settings)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(plan, train, test, Path(folder))
        _begin_with(trainer.network, start)
        for _ in range(EPOCHS):
            trainer.epoch()
        seen = predict(trainer.trained, squares(test))
    whole, _ = localization(seen.maps[0], test)
    aucs = [area_under_curve(seen.pooled[:, c], test.labels[:, c]) for c in range(len(FINDINGS))]
    lit = (seen.maps[0] > 0.5).mean(axis=(2, 3))[test.labels]
    return {
        **whole,
        "auc_mean": round(float(np.nanmean(aucs)), 4),
        "lit_at_half": round(float(lit.mean()), 4),
    }


def _begin_with(network: HeatMapNetwork, start: HeatMapNetwork) -> None:
    """Take over every tensor that has the same name and shape."""
    own = network.state_dict()
    fitting = {k: v for k, v in start.state_dict().items() if k in own and own[k].shape == v.shape}
    network.load_state_dict({**own, **fitting})


if __name__ == "__main__":
    main()
