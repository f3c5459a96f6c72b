# SPDX-License-Identifier: Apache-2.0
"""Fitting embedding bag, linear n-grams and LSTM with torch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from inference.anatomy.learned.families import Array, FamilyName
from inference.anatomy.learned.lstm import WORDS, sequence
from inference.anatomy.learned.region_sets import membership, region_sets
from inference.anatomy.learned.siblings import sibling_numbers
from inference.anatomy.learned.slots import BUCKETS, Slots, slot_numbers
from inference.anatomy.learned.study import InStudy
from inference.anatomy.regions import REGIONS
from inference.anatomy.training.augmentation import VARIED, Habits
from inference.anatomy.training.batches import Lesson, Shown, epoch
from inference.anatomy.training.studies import study_epoch

_WIDTH, _HIDDEN, _STATE = 24, 64, 64
STUDY_WIDTH = 20
"""Of vectors of the model of studies: with it and the other beside it all weights stay small."""
_SLOTS, _SLOTS_IN_STUDY = 5, 6
_SMOOTHING = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how a family is trained."""

    epochs: int = 10
    shown: int = 24_000
    composed: float = 0.3
    batch: int = 128
    rate: float = 3e-3
    decay: float = 1e-2
    seed: int = 1
    habits: Habits = VARIED
    in_study: bool = False
    """Whether headers are shown with the other series of their studies."""


class _Sets(nn.Module):
    """Ten region scores to scores of sets."""

    members: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("members", torch.from_numpy(membership(region_sets()).T.copy()))
        self.sets = nn.Parameter(torch.zeros(len(region_sets())))

    def forward(self, regions: torch.Tensor) -> torch.Tensor:
        return regions @ self.members + self.sets


class BagNetwork(nn.Module):
    """The embedding bag, or the linear family where ``linear``.

    :param width: length of a token's vector, of an embedding bag.
    :param hidden: units of its hidden layer.
    :param slots: five of a header; six of a header in its study.
    """

    def __init__(
        self, linear: bool, width: int = _WIDTH, hidden: int = _HIDDEN, slots: int = _SLOTS
    ) -> None:
        super().__init__()
        width = len(REGIONS) if linear else width
        self.vectors = nn.EmbeddingBag(BUCKETS, width, mode="sum")
        nn.init.normal_(self.vectors.weight, std=0.01 if linear else 0.1)
        self.slots = nn.Parameter(torch.ones(slots)) if linear else None
        self.inner = None if linear else nn.Linear(slots * width, hidden)
        self.outer = None if linear else nn.Linear(hidden, len(REGIONS))
        self.dropout = nn.Dropout(0.2)
        self.set_scores = _Sets()

    def forward(self, headers: Sequence[Slots | InStudy]) -> torch.Tensor:
        """Score every set: ``(len(headers), sets)``."""
        numbers, starts, roots = _flat(headers)
        pooled = self.vectors(numbers, starts) / roots[:, None]
        pooled = pooled.view(len(headers), len(starts) // len(headers), -1)
        if self.inner is None or self.outer is None:
            regions = torch.einsum("nsw,s->nw", pooled, self.slots)
        else:
            hidden = torch.relu(self.inner(self.dropout(pooled.flatten(1))))
            regions = self.outer(self.dropout(hidden))
        scores: torch.Tensor = self.set_scores(regions)
        return scores

    def arrays(self) -> dict[str, Array]:
        """Weights as :class:`inference.anatomy.learned.bags.BagModel` reads them."""
        kept: dict[str, Any] = {"vectors": self.vectors.weight, "sets": self.set_scores.sets}
        if self.inner is None or self.outer is None:
            kept["slots"] = self.slots
        else:
            kept |= {"inner": self.inner.weight.T, "inner_bias": self.inner.bias}
            kept |= {"outer": self.outer.weight.T, "bias": self.outer.bias}
        return _stored(kept)


def _flat(headers: Sequence[Slots | InStudy]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    numbers: list[int] = []
    starts: list[int] = []
    roots: list[float] = []
    for header in headers:
        for of_slot in _numbers(header):
            starts.append(len(numbers))
            roots.append(max(1, len(of_slot)) ** 0.5)
            numbers += of_slot
    return torch.tensor(numbers, dtype=torch.long), torch.tensor(starts), torch.tensor(roots)


def _numbers(header: Slots | InStudy) -> tuple[tuple[int, ...], ...]:
    if isinstance(header, InStudy):
        return (*slot_numbers(header.slots), sibling_numbers(header.siblings))
    return slot_numbers(header)


class LstmNetwork(nn.Module):
    """The LSTM over words."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors = nn.Embedding(WORDS + 1, _WIDTH, padding_idx=WORDS)
        self.lstm = nn.LSTM(_WIDTH, _STATE, batch_first=True)
        self.outer = nn.Linear(_STATE, len(REGIONS))
        self.dropout = nn.Dropout(0.2)
        self.set_scores = _Sets()

    def forward(self, headers: Sequence[Slots]) -> torch.Tensor:
        """Score every set: ``(len(headers), sets)``."""
        steps = [sequence(header) or [0] for header in headers]
        lengths = torch.tensor([len(one) for one in steps])
        padded = torch.full((len(steps), int(lengths.max())), WORDS)
        for row, one in enumerate(steps):
            padded[row, : len(one)] = torch.tensor(one)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.vectors(padded)), lengths, batch_first=True, enforce_sorted=False
        )
        _, (state, _) = self.lstm(packed)
        scores: torch.Tensor = self.set_scores(self.outer(self.dropout(state[-1])))
        return scores

    def arrays(self) -> dict[str, Array]:
        """Weights as :class:`inference.anatomy.learned.lstm.LstmModel` reads them."""
        gates: Any = self.lstm
        return _stored(
            {
                "vectors": self.vectors.weight[:WORDS],
                "input": gates.weight_ih_l0.T,
                "state": gates.weight_hh_l0.T,
                "gates": gates.bias_ih_l0 + gates.bias_hh_l0,
                "outer": self.outer.weight.T,
                "bias": self.outer.bias,
                "sets": self.set_scores.sets,
            }
        )


def _stored(kept: dict[str, Any]) -> dict[str, Array]:
    return {name: tensor.detach().numpy().astype(np.float16) for name, tensor in kept.items()}


def fit_network(
    family: FamilyName,
    taken: Sequence[Lesson],
    plan: Plan,
    report: Callable[[str], None],
    start: dict[str, Array] | None = None,
) -> dict[str, Array]:
    """Train a network family and return its arrays.

    :param start: arrays of a shipped embedding bag to go on from (transfer to a site); the hidden
        layer and the vectors are taken over with their sizes, only fewer steps are needed.
    """
    torch.manual_seed(plan.seed)
    rng = random.Random(plan.seed)  # noqa: S311 - a reproducible training
    network = _network(family, start, in_study=plan.in_study)
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    steps = plan.epochs * (plan.shown // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, total_steps=steps + 1)
    loss_of = nn.CrossEntropyLoss(label_smoothing=_SMOOTHING)
    for number in range(plan.epochs):
        shown = _epoch(taken, plan, rng)
        total = 0.0
        for batch in _batches(shown, plan.batch):
            optimizer.zero_grad()
            loss = loss_of(network([one.slots for one in batch]), _targets(batch))
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(batch)
        report(f"{family}: epoch {number + 1} of {plan.epochs}, loss {total / len(shown):.3f}")
    network.eval()
    return network.arrays()


def _epoch(
    taken: Sequence[Lesson], plan: Plan, rng: random.Random
) -> Sequence[Shown[Slots] | Shown[InStudy]]:
    if plan.in_study:
        return study_epoch(taken, plan.shown, rng, plan.habits)
    return epoch(taken, plan.shown, plan.composed, rng, plan.habits)


def _network(
    family: FamilyName, start: dict[str, Array] | None, *, in_study: bool = False
) -> BagNetwork | LstmNetwork:
    """A new network, or one that begins as ``start``: joined weights are wider than a new one."""
    if in_study:
        return BagNetwork(False, STUDY_WIDTH, slots=_SLOTS_IN_STUDY)
    if start is None or family != "embedding-bag" or "inner" not in start:
        network = LstmNetwork() if family == "lstm" else BagNetwork(family == "ngram-linear")
    else:
        network = BagNetwork(False, start["vectors"].shape[1], start["inner"].shape[1])
    if start is not None:
        take_over(network, start)
    return network


def take_over(network: nn.Module, start: dict[str, Array]) -> None:
    """Begin with the weights of a shipped embedding bag.

    :raises ValueError: if the family has none to take over.
    """
    if not isinstance(network, BagNetwork) or network.inner is None or network.outer is None:
        raise ValueError("only an embedding bag can go on from a shipped one")
    into = {
        "vectors": network.vectors.weight,
        "inner": network.inner.weight,
        "inner_bias": network.inner.bias,
        "outer": network.outer.weight,
        "bias": network.outer.bias,
        "sets": network.set_scores.sets,
    }
    with torch.no_grad():
        for name, parameter in into.items():
            array = start[name].astype(np.float32)
            parameter.copy_(torch.from_numpy(array.T if name in ("inner", "outer") else array))


def _batches(shown: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for at in range(0, len(shown) - size + 1, size):
        yield shown[at : at + size]


def _targets(batch: Sequence[Shown[Any]]) -> torch.Tensor:
    return torch.tensor([one.target for one in batch])
