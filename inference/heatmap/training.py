# SPDX-License-Identifier: Apache-2.0
"""Train the heat-map network on phantoms; every epoch that is the best yet writes a bundle.

Classes are learned from global labels: binary cross-entropy of the pooled probabilities of every
level. Where ``outlined`` is above 0, that share of the training images also teaches where a present
finding lies (continuous DICE of the finest map).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from inference.heatmap.architecture import Architecture
from inference.heatmap.augmentation import augment
from inference.heatmap.chest_model import TrainedModel, write_bundle
from inference.heatmap.engine import Prediction, channels_last, predict, preferred_device
from inference.heatmap.evaluation import ClassFigures, evaluate, set_operating_points
from inference.heatmap.familiarity import Familiarity, thumbnails
from inference.heatmap.network import HeatMapNetwork
from inference.heatmap.phantom_set import PhantomSet, make_phantom_set
from inference.phantoms import FINDINGS, SeedRange

_LEVEL_WEIGHTS = (1.0, 0.4, 0.3, 0.2)
_FAMILIAR_SHARE = 0.998
_COMMISSIONING_IMAGES = 4


class TrainingPlan(BaseModel):
    """All that determines a training run; recorded in the bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phantoms: int = Field(default=6000, ge=64)
    validation: int = Field(default=600, ge=64)
    test: int = Field(default=600, ge=64)
    epochs: int = Field(default=10, ge=1)
    batch: int = Field(default=16, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=1e-5, ge=0.0)
    outlined: float = Field(default=0.25, ge=0.0, le=1.0)
    outline_weight: float = Field(default=1.0, ge=0.0)
    r0: float = Field(default=10.0, ge=0.0)
    bfloat16: bool = False
    seed: int = 1


Report = Callable[[str], None]


def global_loss(
    network: HeatMapNetwork, maps: list[Tensor], labels: Tensor, weight: Tensor
) -> Tensor:
    """Class-weighted binary cross-entropy of the pooled probabilities, summed over levels.

    ``labels`` is ``(N, C)`` in 0..1 and ``weight`` the weight of a positive per class.
    """
    total = torch.zeros((), device=labels.device)
    for share, pooled in zip(_LEVEL_WEIGHTS, network.pooled(maps), strict=True):
        p = pooled.clamp(1e-5, 1.0 - 1e-5)
        each = functional.binary_cross_entropy(p, labels, reduction="none")
        total = total + share * (each * (1.0 + labels * (weight - 1.0))).mean()
    return total


def outline_loss(finest: Tensor, truth: Tensor, outlined: Tensor) -> Tensor:
    """One minus continuous DICE over the present findings of outlined images.

    ``finest`` and ``truth`` are ``(N, C, grid, grid)``, ``outlined`` is ``(N,)`` bool.
    """
    present = truth.amax(dim=(2, 3)) > 0
    chosen = present & outlined[:, None]
    if not bool(chosen.any()):
        return torch.zeros((), device=finest.device)
    s, t = finest[chosen], truth[chosen]
    dice = (2.0 * (s * t).sum(dim=(1, 2)) + 1.0) / (s.sum(dim=(1, 2)) + t.sum(dim=(1, 2)) + 1.0)
    return (1.0 - dice).mean()


def _pace(step: int, steps: int) -> float:
    """Share of the learning rate: a short warm-up, then a cosine down to a fiftieth."""
    warm = max(1, min(200, steps // 10))
    return min(1.0, (step + 1) / warm) * (0.02 + 0.49 * (1.0 + math.cos(math.pi * step / steps)))


class Trainer:
    """One training run over phantom sets that are already made."""

    def __init__(
        self, plan: TrainingPlan, train: PhantomSet, validation: PhantomSet, out: Path
    ) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.train = train
        self.validation = validation
        self.out = out
        self.device = preferred_device()
        network = HeatMapNetwork(Architecture(r0=plan.r0), len(FINDINGS))
        self.network = channels_last(network.to(self.device))
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        steps = plan.epochs * (len(train) // plan.batch)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _pace(step, steps)
        )
        self.rng = np.random.default_rng(plan.seed)
        frequency = train.labels.mean(axis=0)
        self.weight = torch.tensor(
            np.clip((1.0 - frequency) / np.maximum(frequency, 1e-3), 1.0, 10.0) ** 0.5,
            dtype=torch.float32,
            device=self.device,
        )
        self.outlined_until = int(plan.outlined * len(train))

    def epoch(self) -> float:
        """One pass over the training set; returns the mean loss."""
        self.network.train()
        order = self.rng.permutation(len(self.train))
        starts = range(0, len(order) - self.plan.batch + 1, self.plan.batch)
        return float(np.mean([self._step(order[s : s + self.plan.batch]) for s in starts]))

    def _step(self, index: NDArray[np.int64]) -> float:
        images, truth = augment(self.train.images[index], self.train.truth[index], self.rng)
        labels = torch.from_numpy(self.train.labels[index].astype(np.float32)).to(self.device)
        outlined = torch.from_numpy(index < self.outlined_until).to(self.device)
        inputs = torch.from_numpy(images[:, np.newaxis]).to(self.device)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bfloat16):
            maps = self.network(inputs)
        maps = [level.float() for level in maps]
        loss = global_loss(self.network, maps, labels, self.weight)
        target = torch.from_numpy(truth).to(self.device)
        loss = loss + self.plan.outline_weight * outline_loss(maps[0], target, outlined)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach())

    def assess(self) -> tuple[TrainedModel, float]:
        """Operating points, familiarity and validation figures of the present weights.

        The second value ranks epochs: mean over classes of AUC plus continuous DICE.
        """
        familiar = _squares(self.train.images[: min(len(self.train), 2000)])
        known = predict(self.network, familiar)
        squares = _squares(self.validation.images)
        seen = predict(self.network, squares)
        operating = set_operating_points(seen.pooled, seen.maps[0], self.validation)
        familiarity = Familiarity.fit(known.features, thumbnails(familiar))
        limits = familiarity.limits(seen.features, thumbnails(squares), _FAMILIAR_SHARE)
        figures = evaluate(seen.pooled, seen.maps[0], self.validation, operating)
        rank = float(np.mean([f.auc + f.dice for f in figures.values()]))
        return TrainedModel(self.network, operating, familiarity, limits, figures), rank

    def save(self, model: TrainedModel, test: PhantomSet, epochs: int) -> None:
        """Write the bundle with figures on the test phantoms."""
        squares = _squares(test.images)
        seen = predict(model.network, squares)
        model.figures = evaluate(seen.pooled, seen.maps[0], test, model.operating)
        images = make_phantom_set(SeedRange.COMMISSIONING.value, _COMMISSIONING_IMAGES).images
        answers = _answers(model, predict(model.network, _squares(images)))
        metrics = {
            "test_phantoms": len(test),
            "auc_mean": _mean(model.figures, "auc"),
            "pointing_mean": _mean(model.figures, "pointing"),
            "dice_mean": _mean(model.figures, "dice"),
            "familiar": round(_familiar_share(model, squares, seen), 4),
            "classes": {key: f.model_dump() for key, f in model.figures.items()},
        }
        training = {**self.plan.model_dump(), "epochs_done": epochs}
        write_bundle(self.out, model, (images, answers), training, metrics)


def _squares(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(images.astype(np.float32) / np.float32(255.0))


def _mean(figures: dict[str, ClassFigures], name: str) -> float:
    return round(float(np.mean([getattr(f, name) for f in figures.values()])), 4)


def _answers(model: TrainedModel, seen: Prediction) -> list[dict[str, float]]:
    """Calibrated probabilities by key, one dictionary per image."""
    columns = {
        key: model.operating[key].calibration.apply(seen.pooled[:, index])
        for index, key in enumerate(FINDINGS)
    }
    count = len(seen.pooled)
    return [{key: round(float(c[i]), 4) for key, c in columns.items()} for i in range(count)]


def _familiar_share(model: TrainedModel, squares: NDArray[np.float32], seen: Prediction) -> float:
    distances = model.familiarity.distances(seen.features, thumbnails(squares))
    limits = model.limits.model_dump()
    inside = np.logical_and.reduce([distances[name] <= limits[name] for name in limits])
    return float(inside.mean())


def train_on_phantoms(
    plan: TrainingPlan, out: Path, *, workers: int = 2, report: Report = lambda _: None
) -> dict[str, ClassFigures]:
    """Make phantoms, train, and keep the best epoch's bundle in ``out``.

    Returns the best epoch's figures on validation phantoms. The same plan on the same machine and
    number of threads gives the same weights; ``workers`` only makes phantoms faster.
    """
    started = time.monotonic()
    sets = {}
    for purpose, count in (
        (SeedRange.TRAINING, plan.phantoms),
        (SeedRange.VALIDATION, plan.validation),
        (SeedRange.TEST, plan.test),
    ):
        report(f"making {count} {purpose.name.lower()} phantoms")
        sets[purpose] = make_phantom_set(purpose.value, count, workers=workers)
    trainer = Trainer(plan, sets[SeedRange.TRAINING], sets[SeedRange.VALIDATION], out)
    best, figures = -math.inf, {}
    for epoch in range(1, plan.epochs + 1):
        loss = trainer.epoch()
        model, rank = trainer.assess()
        validated = model.figures
        seconds = time.monotonic() - started
        if rank > best:
            best, figures = rank, validated
            trainer.save(model, sets[SeedRange.TEST], epoch)
        report(
            f"epoch {epoch}/{plan.epochs} loss {loss:.3f} AUC {_mean(validated, 'auc'):.3f} "
            f"pointing {_mean(validated, 'pointing'):.2f} DICE {_mean(validated, 'dice'):.2f} "
            f"left {seconds / epoch * (plan.epochs - epoch) / 60:.0f} min"
        )
    return figures
