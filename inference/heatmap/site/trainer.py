# SPDX-License-Identifier: Apache-2.0
"""Train the heat-map network on a site's images: masked labels, early stopping, resuming.

Several processes share every epoch's images and average their gradients (``torchrun``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.heatmap.assessment.seen import seen_of
from inference.heatmap.datasets.images import SiteSet
from inference.heatmap.demographics import hidden
from inference.heatmap.engine import channels_last
from inference.heatmap.losses import (
    GlobalLoss,
    absence_loss,
    masked_cross_entropy,
    outline_loss,
)
from inference.heatmap.metrics import area_under_curve
from inference.heatmap.network import HeatMapNetwork
from inference.heatmap.recognition import Recognition, falling, handed_down_loss
from inference.heatmap.sharpness import start_sharpness
from inference.heatmap.site.augmentation import draw, moved
from inference.heatmap.site.plan import SitePlan
from inference.heatmap.site.processes import Processes
from inference.heatmap.unfinished import OtherPlanError

_AT_ONCE = 256


class Epoch(NamedTuple):
    """What one epoch came to: mean loss, and mean and single validation AUC (nan: unknown)."""

    number: int
    loss: float
    auc: float
    by_class: tuple[float, ...]


class Stage(NamedTuple):
    """What the parts of the loss weigh at a step."""

    recognition: float
    handed_down: float
    maps: float


LATER = Stage(0.0, 0.0, 1.0)
"""Where a network knows what findings look like."""


def stage(plan: SitePlan, step: int, first: int) -> Stage:
    """Weights at a step of a run whose ``first`` steps recognize whole images only."""
    if not first:
        return LATER
    done = step / first
    return Stage(
        plan.recognition_weight * falling(done, 1.0, 5.0),
        plan.handed_down * falling(done, 0.0, 4.0),
        float(step >= first),
    )


class _Step(nn.Module):
    """Network and loss in one, as several processes need it to average all gradients."""

    def __init__(self, network: HeatMapNetwork, loss: GlobalLoss, plan: SitePlan) -> None:
        super().__init__()
        self.network, self.loss, self.plan = network, loss, plan
        self.recognition = Recognition(network.architecture.widths[-1], len(loss.weight))
        self.stage = LATER

    def forward(
        self, images: Tensor, persons: Tensor | None, labels: Tensor, truth: Tensor | None
    ) -> Tensor:
        kind = torch.float16 if self.plan.precision == "float16" else torch.bfloat16
        mixed = self.plan.precision != "float32"
        with torch.autocast(images.device.type, kind, enabled=mixed):
            levels = self.network.features(images)
            maps = [level.float() for level in self.network.decode(levels, persons)]
        # Weighed with 0 instead of left out: processes average the gradients of all parameters.
        first = masked_cross_entropy(self.recognition(levels[-1]), labels, self.loss.weight)
        loss = self.stage.recognition * first
        if self.stage.handed_down:
            loss = loss + self.stage.handed_down * handed_down_loss(maps)
        return loss + self.stage.maps * self._map_loss(maps, labels, truth)

    def _map_loss(self, maps: list[Tensor], labels: Tensor, truth: Tensor | None) -> Tensor:
        loss = cast("Tensor", self.loss(self.network.pooled(maps), labels))
        absent = (labels == 0)[:, :, None, None].expand_as(maps[0])
        loss = loss + self.plan.absence_weight * absence_loss(maps[0], absent)
        if truth is not None:
            everywhere = torch.ones(len(labels), dtype=torch.bool, device=labels.device)
            loss = loss + self.plan.outline_weight * outline_loss(maps[0], truth, everywhere)
        return loss


class SiteTrainer:
    """One run over images that are already read.

    Parameters
    ----------
    plan:
        Settings.
    training, validation:
        Images; no patient is in both.
    processes:
        Who trains together.
    start:
        A network to start from, as a bundle's is for reviewed images; a new one otherwise.
    """

    def __init__(
        self,
        plan: SitePlan,
        training: SiteSet,
        validation: SiteSet,
        processes: Processes,
        start: HeatMapNetwork | None = None,
    ) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.processes = plan, processes
        self.training, self.validation = training, validation
        self.labels = training.labels
        network = start or _new_network(plan, len(training.table.classes))
        self.network = channels_last(network.requires_grad_(requires_grad=True))
        self.network.to(processes.device)
        loss = GlobalLoss(len(network.heads), class_weights(self.labels)).to(processes.device)
        self.step = _Step(self.network, loss, plan).to(processes.device)
        self.shared = processes.together(self.step)
        self.optimizer = torch.optim.Adam(
            self.step.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self.scaler = torch.amp.GradScaler(
            processes.device.type, enabled=plan.precision == "float16"
        )
        steps = plan.recognized_steps(self.steps_per_epoch, processes.count)
        self.recognized_steps = 0 if start else steps
        self.epochs_done, self.without_gain = 0, 0
        self.best = -math.inf
        self.best_weights: dict[str, Tensor] = {}

    @property
    def steps_per_epoch(self) -> int:
        """Steps of each process."""
        return max(1, len(self.training) // (self.plan.batch * self.processes.count))

    def epoch(self, advance: Callable[[float], None] = lambda _: None) -> Epoch:
        """Show every image once, then assess; ``advance`` is told the loss of every step."""
        self.shared.train()
        rng = np.random.default_rng((self.plan.seed, self.epochs_done))
        order = rng.permutation(len(self.training))[self.processes.rank :: self.processes.count]
        key = hash((self.plan.seed, self.epochs_done, self.processes.rank)) & 0x7FFFFFFF
        generator = torch.Generator().manual_seed(key)
        total = 0.0
        for number in range(self.steps_per_epoch):
            at = self.epochs_done * self.steps_per_epoch + number
            self.step.stage = stage(self.plan, at, self.recognized_steps)
            chosen = np.sort(order[number * self.plan.batch : (number + 1) * self.plan.batch])
            total += (loss := self._step(chosen, generator))
            advance(loss)
        self.epochs_done += 1
        mean = self.processes.mean(torch.tensor(total / self.steps_per_epoch))
        by_class = self._validation_auc() if self.processes.first else ()
        known = [auc for auc in by_class if not math.isnan(auc)]
        auc = float(np.mean(known)) if known else -math.inf
        self._rank(auc)
        return Epoch(self.epochs_done, mean, auc, by_class)

    def _step(self, index: NDArray[np.int64], generator: torch.Generator) -> float:
        device = self.processes.device
        maps = draw(len(index), generator)
        squares = torch.from_numpy(self.training.inputs(index)).to(device)
        images = moved(squares.float() / 255.0, maps)
        images = images.contiguous(memory_format=torch.channels_last)
        truth = None
        if self.plan.outline_weight > 0.0:
            shares = self.training.truth(index.tolist(), self.network.architecture.grids[0])
            truth = moved(torch.from_numpy(shares).to(device), maps)
        labels = torch.from_numpy(self.labels[index]).to(device)
        loss = self.shared(images, self._persons(index), labels, truth)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.step.parameters(), 5.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return float(loss.detach())

    def _persons(self, index: NDArray[np.int64]) -> Tensor | None:
        """Age and sex of a step's images, some of them hidden."""
        if not self.plan.demographics:
            return None
        rng = np.random.default_rng((self.plan.seed, self.epochs_done, *index[:2].tolist()))
        persons = hidden(self.training.persons(index), self.plan.hidden_persons, rng)
        return torch.from_numpy(persons).to(self.processes.device)

    def _validation_auc(self) -> tuple[float, ...]:
        pooled = pooled_scores(self.network, self.validation)
        labels = self.validation.labels
        known = np.isfinite(labels)
        return tuple(
            area_under_curve(pooled[rows, index], labels[rows, index] == 1.0)
            for index, rows in enumerate(known.T)
        )

    def _rank(self, auc: float) -> None:
        # Maps that were not trained yet rank by chance: none of them is kept as the best.
        recognizing = self.epochs_done * self.steps_per_epoch <= self.recognized_steps
        if auc > self.best or recognizing or not self.best_weights:
            self.best, self.without_gain = -math.inf if recognizing else auc, 0
            state = self.network.state_dict()
            self.best_weights = {name: t.detach().cpu().clone() for name, t in state.items()}
        else:
            self.without_gain += 1

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or enough of them gained nothing."""
        done = self.epochs_done >= self.plan.epochs
        return self.processes.agreed(done or self.without_gain >= self.plan.patience)

    def best_network(self) -> HeatMapNetwork:
        """The network with the weights of the best epoch, ready to predict."""
        self.network.load_state_dict(self.best_weights)
        self.network.eval()
        return self.network

    def checkpoint(self, path: Path) -> None:
        """Keep all that the run needs to go on; complete or not at all."""
        kept = {
            "plan": self._plan_in_full(),
            "counts": [self.epochs_done, self.without_gain],
            "best": self.best,
            "best_weights": self.best_weights,
            "step": self.step.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        part = path.with_suffix(".part")
        torch.save(kept, part)
        part.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        OtherPlanError
            It is of a run with another plan or other images.
        """
        kept: Mapping[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        if kept["plan"] != self._plan_in_full():
            raise OtherPlanError(
                "the unfinished run beside this bundle has another plan or other images; "
                "choose another --out, or delete its folder that ends in .unfinished"
            )
        self.epochs_done, self.without_gain = kept["counts"]
        self.best, self.best_weights = float(kept["best"]), dict(kept["best_weights"])
        for name in ("step", "optimizer", "scaler"):
            getattr(self, name).load_state_dict(kept[name])

    def _plan_in_full(self) -> str:
        counts = (len(self.training), len(self.validation), self.training.table.classes)
        return f"{self.plan.model_dump_json()} {counts}"


def _new_network(plan: SitePlan, classes: int) -> HeatMapNetwork:
    network = HeatMapNetwork(plan.architecture(), classes)
    start_sharpness(network, plan.sharpness)
    return network


def class_weights(labels: NDArray[np.float32]) -> Tensor:
    """Weight of a positive per class: the root of how much rarer it is, 1 to 10.

    Only known labels count; a class without any weighs 1.
    """
    known = np.isfinite(labels).sum(axis=0)
    frequency = np.nansum(labels, axis=0) / np.maximum(known, 1)
    rarity = np.clip((1.0 - frequency) / np.maximum(frequency, 1e-3), 1.0, 100.0)
    return torch.tensor(np.where(known > 0, rarity**0.5, 1.0), dtype=torch.float32)


def pooled_scores(network: HeatMapNetwork, data: SiteSet) -> NDArray[np.float32]:
    """``(N, C)`` global scores, without holding all maps at once."""
    parts = [
        seen_of(network, data, np.arange(start, min(start + _AT_ONCE, len(data)))).pooled
        for start in range(0, len(data), _AT_ONCE)
    ]
    return np.concatenate(parts)
