# SPDX-License-Identifier: Apache-2.0
"""Train the heat-map network on phantoms, from global labels alone, and write a bundle.

What is learned: binary cross-entropy of the pooled probabilities of every level (:mod:`losses`),
and that an absent finding is absent from every patch. Where ``outlined`` is above 0, that share of
the training images also teaches where a present finding lies; by default none does.

After every epoch all that a run needs is kept beside the bundle: a run that was killed goes on from
there when the same command is given again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from inference.bundles import BundleError, read_bundle
from inference.heatmap.augmentation import augment
from inference.heatmap.chest_model import TrainedModel, write_bundle
from inference.heatmap.engine import Prediction, channels_last, predict, preferred_device
from inference.heatmap.evaluation import ClassFigures, evaluate, set_operating_points
from inference.heatmap.familiarity import Familiarity, thumbnails
from inference.heatmap.losses import (
    GlobalLoss,
    absence_loss,
    masked_cross_entropy,
    outline_loss,
    place_loss,
)
from inference.heatmap.mixing import mix
from inference.heatmap.network import HeatMapNetwork
from inference.heatmap.phantom_plan import TrainingPlan
from inference.heatmap.phantom_set import PhantomSet, make_phantom_set
from inference.heatmap.pooling import LseLba
from inference.heatmap.recognition import Recognition, falling, handed_down_loss
from inference.heatmap.sharpness import bound_sharpness, start_sharpness
from inference.heatmap.unfinished import OtherPlanError
from inference.phantoms import FINDINGS, SeedRange

CHECKPOINT = "unfinished.pt"
_RECOGNIZED_UNTIL, _HANDED_DOWN_UNTIL = 0.8, 0.5
"""Shares of a run at which their weights have fallen to 0."""
ASSESSED_EVERY = 5
"""Epochs; assessing takes as long as a third of one."""
_FAMILIAR = 1200
_FAMILIAR_SHARE = 0.998
_COMMISSIONING_IMAGES = 4


Report = Callable[[str], None]


def _pace(step: int, steps: int) -> float:
    """Share of the learning rate: a short warm-up, then a cosine down to a fiftieth."""
    warm = max(1, min(200, steps // 10))
    return min(1.0, (step + 1) / warm) * (0.02 + 0.49 * (1.0 + math.cos(math.pi * step / steps)))


class Trainer:
    """One training run over phantom sets that are already made."""

    def __init__(
        self,
        plan: TrainingPlan,
        train: PhantomSet,
        validation: PhantomSet,
        out: Path,
        start: HeatMapNetwork | None = None,
    ) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.train = train
        self.validation = validation
        self.out = out
        self.device = preferred_device()
        network = HeatMapNetwork(plan.architecture(), len(FINDINGS)).to(self.device)
        if start is None:
            start_sharpness(network, plan.sharpness)
        else:
            network.load_state_dict(start.state_dict())
        self.network = channels_last(network)
        self.averaged = AveragedModel(
            self.network,
            multi_avg_fn=get_ema_multi_avg_fn(plan.averaging),  # type: ignore[no-untyped-call]
            use_buffers=True,
        )
        self.loss = GlobalLoss(len(plan.grids), _weights(train.labels)).to(self.device)
        self.recognition = Recognition(plan.widths[-1], len(FINDINGS)).to(self.device)
        self.optimizer = self._optimizer()
        self.steps_per_epoch = min(plan.images_per_epoch, len(train)) // plan.batch
        steps = plan.epochs * self.steps_per_epoch
        self.steps, self.steps_done = steps, 0
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _pace(step, steps)
        )
        self.epochs_done = 0
        self.outlined_until = int(plan.outlined * len(train))

    def _optimizer(self) -> torch.optim.Optimizer:
        plan = self.plan
        pooling = [*self.network.pools.parameters(), *self.loss.parameters()]
        few = {id(parameter) for parameter in pooling}
        others = [p for p in self.network.parameters() if id(p) not in few]
        first = [*self.recognition.parameters()] if plan.recognition else []
        return torch.optim.Adam(
            [
                {"params": others, "lr": plan.learning_rate, "weight_decay": plan.weight_decay},
                {"params": [*pooling, *first], "lr": plan.pooling_rate, "weight_decay": 0.0},
            ]
        )

    def epoch(self, advance: Callable[[float], None] = lambda _: None) -> float:
        """Show the images of one epoch; returns the mean loss.

        ``advance`` is told the loss of every step.
        """
        self.network.train()
        rng = np.random.default_rng((self.plan.seed, self.epochs_done))
        order = rng.permutation(len(self.train))
        losses = []
        for step in range(self.steps_per_epoch):
            chosen = order[step * self.plan.batch : (step + 1) * self.plan.batch]
            losses.append(self._step(chosen, rng))
            advance(losses[-1])
        self.epochs_done += 1
        return float(np.mean(losses))

    def _step(self, index: NDArray[np.int64], rng: np.random.Generator) -> float:
        images, truth = augment(self.train.images[index], self.train.truth[index], rng)
        share = self.plan.mixed if self.epochs_done >= self.plan.mixed_from else 0.0
        mixed = mix(images, self.train.labels[index], share, self.plan.grids[0], rng)
        labels = torch.from_numpy(mixed.labels).to(self.device)
        inputs = torch.from_numpy(mixed.images[:, np.newaxis]).to(self.device)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bfloat16):
            levels = self.network.features(inputs)
            maps = [level.float() for level in self.network.decode(levels)]
        loss = self._recognition_loss(levels[-1], maps, labels)
        if self.steps_done >= self.plan.recognition * self.steps:
            absent = torch.from_numpy(mixed.absent).to(self.device)
            loss = loss + self._map_loss(maps, labels, absent, placed=share > 0.0)
        if self.outlined_until:
            outlined = torch.from_numpy(index < self.outlined_until).to(self.device)
            target = torch.from_numpy(truth).to(self.device)
            loss = loss + self.plan.outline_weight * outline_loss(maps[0], target, outlined)
        self._learn(loss)
        return float(loss.detach())

    def _recognition_loss(self, coarsest: Tensor, maps: list[Tensor], labels: Tensor) -> Tensor:
        plan, done = self.plan, self.steps_done / self.steps
        if not plan.recognition:
            return torch.zeros((), device=self.device)
        logits = self.recognition(coarsest)
        recognized = masked_cross_entropy(logits, labels, self.loss.weight)
        weight = falling(done, plan.recognition, _RECOGNIZED_UNTIL)
        loss = plan.recognition_weight * weight * recognized
        handed_down = plan.handed_down * falling(done, 0.0, _HANDED_DOWN_UNTIL)
        return loss + handed_down * handed_down_loss(maps) if handed_down else loss

    def _map_loss(
        self, maps: list[Tensor], labels: Tensor, absent: Tensor, *, placed: bool
    ) -> Tensor:
        loss = self.loss(self.network.pooled(maps), labels)
        loss = loss + self.plan.absence_weight * absence_loss(maps[0], absent)
        if placed:
            pool = self.network.pools[0]
            sharpness = (
                pool.sharpness()
                if isinstance(pool, LseLba)
                else torch.full((len(FINDINGS),), self.plan.sharpness, device=self.device)
            )
            loss = loss + self.plan.place_weight * place_loss(maps[0], labels, absent, sharpness)
        return cast("Tensor", loss)

    def _learn(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        for after, most in self.plan.sharpest:
            if self.epochs_done >= after:
                bound_sharpness(self.network, most)
        self.averaged.update_parameters(self.network)
        self.steps_done += 1

    @property
    def trained(self) -> HeatMapNetwork:
        """The network with the running average of the weights."""
        averaged = self.averaged.module
        assert isinstance(averaged, HeatMapNetwork)  # noqa: S101 - for the type checker
        return channels_last(averaged)

    def checkpoint(self) -> dict[str, Any]:
        """All that the run needs to go on."""
        return {
            "plan": self.plan.model_dump_json(),
            "epochs_done": self.epochs_done,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "loss": self.loss.state_dict(),
            "recognition": self.recognition.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def resume(self, kept: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        OtherPlanError
            If it is of a run with another plan.
        """
        _require_same(self.plan, kept)
        self.epochs_done = int(kept["epochs_done"])
        self.steps_done = self.epochs_done * self.steps_per_epoch
        for name in ("network", "averaged", "loss", "recognition", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(kept[name])

    def assess(self) -> TrainedModel:
        """Operating points, familiarity and validation figures of the averaged weights."""
        network = self.trained
        familiar = _squares(self.train.images[: min(len(self.train), _FAMILIAR)])
        known = predict(network, familiar)
        squares = _squares(self.validation.images)
        seen = predict(network, squares)
        operating = set_operating_points(seen.pooled, seen.maps[0], self.validation)
        familiarity = Familiarity.fit(known.features, thumbnails(familiar))
        limits = familiarity.limits(seen.features, thumbnails(squares), _FAMILIAR_SHARE)
        figures = evaluate(seen.pooled, seen.maps[0], self.validation, operating)
        return TrainedModel(network, operating, familiarity, limits, figures)

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


def _require_same(plan: TrainingPlan, kept: dict[str, Any]) -> None:
    if kept["plan"] != plan.model_dump_json():
        raise OtherPlanError(
            "the unfinished run in this folder has another plan; choose another --out, or delete "
            f"{CHECKPOINT} there"
        )


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


def _weights(labels: NDArray[np.bool_]) -> Tensor:
    """Weight of a positive per class: the root of how much rarer it is, at most 10."""
    frequency = labels.mean(axis=0)
    rarity = np.clip((1.0 - frequency) / np.maximum(frequency, 1e-3), 1.0, 100.0)
    return torch.tensor(rarity**0.5, dtype=torch.float32)


def is_finished(plan: TrainingPlan, out: Path) -> bool:
    """Whether ``out`` holds the bundle of this plan, trained to its end."""
    try:
        training = read_bundle(out).manifest.training
    except BundleError:
        return False
    wanted = {**plan.model_dump(mode="json"), "epochs_done": plan.epochs}
    return training == wanted and not (out / CHECKPOINT).exists()


def train_on_phantoms(
    plan: TrainingPlan,
    out: Path,
    *,
    start: HeatMapNetwork | None = None,
    workers: int = 2,
    report: Report = lambda _: None,
) -> dict[str, ClassFigures]:
    """Make phantoms, train, and keep the last assessed epoch's bundle in ``out``.

    Returns the last epoch's figures on validation phantoms. The same plan on the same machine and
    number of threads gives the same weights; ``workers`` only makes phantoms faster. ``start`` is
    the network that ``plan.start`` names, of the plan's architecture.

    Raises
    ------
    OtherPlanError
        If ``out`` holds an unfinished run with another plan.
    """
    unfinished = out / CHECKPOINT
    kept = torch.load(unfinished, weights_only=True) if unfinished.exists() else None
    if kept is not None:
        # Before phantoms are made, which takes minutes.
        _require_same(plan, kept)
    sets = {}
    for purpose, count in (
        (SeedRange.TRAINING, plan.phantoms),
        (SeedRange.VALIDATION, plan.validation),
        (SeedRange.TEST, plan.test),
    ):
        report(f"making {count} {purpose.name.lower()} phantoms")
        sets[purpose] = make_phantom_set(purpose.value, count, workers=workers)
    trainer = Trainer(plan, sets[SeedRange.TRAINING], sets[SeedRange.VALIDATION], out, start)
    if kept is not None:
        trainer.resume(kept)
        report(f"going on after epoch {trainer.epochs_done}")
    return _run(trainer, sets[SeedRange.TEST], report)


def _run(trainer: Trainer, test: PhantomSet, report: Report) -> dict[str, ClassFigures]:
    figures: dict[str, ClassFigures] = {}
    plan, unfinished = trainer.plan, trainer.out / CHECKPOINT
    started, first = time.monotonic(), trainer.epochs_done
    while trainer.epochs_done < plan.epochs:
        loss = trainer.epoch()
        done = trainer.epochs_done
        words = f"epoch {done}/{plan.epochs} loss {loss:.3f}"
        if done % ASSESSED_EVERY == 0 or done == plan.epochs:
            model = trainer.assess()
            figures = model.figures
            words += (
                f" AUC {_mean(figures, 'auc'):.3f} pointing {_mean(figures, 'pointing'):.2f}"
                f" DICE {_mean(figures, 'dice'):.2f}"
            )
            trainer.save(model, test, done)
        _keep(trainer.checkpoint(), unfinished)
        seconds = (time.monotonic() - started) / (done - first)
        report(f"{words} left {seconds * (plan.epochs - done) / 60:.0f} min")
    unfinished.unlink(missing_ok=True)
    return figures


def _keep(checkpoint: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(checkpoint, part)
    part.replace(path)
