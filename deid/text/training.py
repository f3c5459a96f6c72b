# SPDX-License-Identifier: Apache-2.0
"""Trains the token classifier on generated texts: ``python -m deid.text.training``. Needs torch."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import nn

from deid.text.classifier import DILATIONS, KERNEL, LABELS, WEIGHTS, TokenClassifier
from deid.text.features import (
    BUCKETS,
    CLINICAL,
    COMMON,
    EPONYM,
    FACTS,
    FAMILY,
    GIVEN,
    GROUPS,
    PLACE,
    Features,
    features_of,
)
from deid.text.generated_reports import ReportGenerator
from deid.text.generator import Generator, Made
from deid.text.lexicon import Lexicon
from deid.text.passage import Passage

EMBEDDING = 32
HIDDEN = 128
_UNLISTED = 0.5
_UNKNOWN = 0.08
_RATE = 3e-3
_GAP = KERNEL // 2 * sum(DILATIONS)
_SPAN, _SPANS = 256, 12
_SEED = 1
_CHECK_SEED = 2


class Examples(NamedTuple):
    """Tokens of many texts, end to end, with enough empty ones between that none sees another text.

    Attributes
    ----------
    groups, facts:
        As in ``Features``.
    labels:
        Index into ``LABELS``, shape (n,); -1 for tokens that don't count.
    """

    groups: npt.NDArray[np.int32]
    facts: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


def examples(seed: int, texts: int, *, held_out: bool = False) -> Examples:
    """Generate texts and their features; half of the names and some words are made unlisted.

    A third of the texts are of ``Generator``, the others of ``ReportGenerator``.
    """
    short, long = Generator(seed), ReportGenerator(seed, held_out=held_out)
    lexicon, chance = Lexicon(), np.random.default_rng(seed)
    parts = []
    for number in range(texts):
        made = short.make() if number % 3 == 0 and not held_out else long.make()
        parts.append(_example(made, lexicon, chance))
    return Examples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _labels(made: Made, passage: Passage) -> npt.NDArray[np.int64]:
    """Of each token the index into ``LABELS``; -1 of marks and of what may pass as well as go."""
    labels = np.zeros(len(passage.tokens), np.int64)
    spans = iter((*made.spans, (len(made.text) + 1, len(made.text) + 1, "skip")))
    start, end, label = next(spans)
    for at, token in enumerate(passage.tokens):
        while token.start >= end:
            start, end, label = next(spans)
        if token.kind in ("mark", "line"):
            labels[at] = -1
        elif token.start >= start:
            labels[at] = -1 if label == "skip" else LABELS.index(label)
    return labels


def _example(made: Made, lexicon: Lexicon, chance: np.random.Generator) -> Examples:
    passage = Passage(made.text, lexicon)
    groups, facts = features_of(passage)
    labels = _labels(made, passage)
    hidden = (labels > 0) & (chance.random(len(labels)) < _UNLISTED)
    for fact in (GIVEN, FAMILY, PLACE):
        facts[hidden, fact] = 0
    strange = (labels == 0) & (chance.random(len(labels)) < _UNKNOWN)
    for fact in (COMMON, CLINICAL, EPONYM):
        facts[strange, fact] = 0
    gap = ((0, _GAP), (0, 0))
    return Examples(
        np.pad(groups, gap), np.pad(facts, gap), np.pad(labels, (0, _GAP), constant_values=-1)
    )


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.EmbeddingBag(BUCKETS, EMBEDDING, mode="mean", padding_idx=0)
        widths = (EMBEDDING + len(FACTS), *[HIDDEN] * (len(DILATIONS) - 1))
        self.layers = nn.ModuleList(
            nn.Conv1d(width, HIDDEN, KERNEL, dilation=dilation, padding=KERNEL // 2 * dilation)
            for width, dilation in zip(widths, DILATIONS, strict=True)
        )
        self.out = nn.Linear(HIDDEN, len(LABELS))
        self.drop = nn.Dropout(0.2)

    def forward(self, groups: Any, facts: Any) -> Any:
        """Scores of the tokens, shape (spans, tokens, 6), of groups (spans, tokens, ``GROUPS``)."""
        spans, width = groups.shape[:2]
        letters = self.letters(groups.reshape(spans * width, GROUPS)).reshape(spans, width, -1)
        words = torch.cat([self.drop(letters), facts], dim=2).transpose(1, 2)
        # Between texts there is nothing, in every layer: as where a text begins or ends.
        there = (groups[:, None, :, 0] > 0).float()
        first, *others = self.layers
        hidden = torch.relu(first(words)) * there
        for layer in others:
            hidden = hidden + torch.relu(layer(self.drop(hidden))) * there
        return self.out(self.drop(hidden).transpose(1, 2))


def _batches(data: Examples, chance: np.random.Generator) -> Iterator[tuple[Any, Any, Any]]:
    starts = np.arange(chance.integers(_SPAN), len(data.labels) - _SPAN, _SPAN)
    chance.shuffle(starts)
    for at in range(0, len(starts), _SPANS):
        places = starts[at : at + _SPANS, None] + np.arange(_SPAN)
        yield (
            torch.from_numpy(data.groups[places].astype(np.int64)),
            torch.from_numpy(data.facts[places].astype(np.float32)),
            torch.from_numpy(data.labels[places]),
        )


def train(texts: int, epochs: int) -> dict[str, npt.NDArray[np.floating]]:
    """Train and return the weights in half precision."""
    torch.manual_seed(_SEED)
    chance = np.random.default_rng(_SEED)
    data, network = examples(_SEED, texts), _Network()
    steps = epochs * (len(data.labels) // (_SPAN * _SPANS) + 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    loss = nn.CrossEntropyLoss(ignore_index=-1)
    for _ in range(epochs):
        for groups, facts, labels in _batches(data, chance):
            optimizer.zero_grad()
            loss(network(groups, facts).flatten(0, 1), labels.flatten()).backward()
            optimizer.step()
            schedule.step()
    state = network.state_dict()
    state["letters"] = state.pop("letters.weight")
    return {name: value.numpy().astype(np.float16) for name, value in state.items()}


def evaluate(classifier: TokenClassifier, texts: int) -> dict[str, float]:
    """Share found of each kind, and of other words taken for one, in frames never trained on."""
    data = examples(_CHECK_SEED, texts, held_out=True)
    found = classifier.probabilities(Features(data.groups, data.facts))
    said = 1 - found[:, 0] > 0.5
    shares = [float(said[data.labels == at].mean()) for at in range(len(LABELS))]
    kinds = {f"{label}s_found": share for label, share in zip(LABELS, shares, strict=True)}
    kinds["others_taken"] = kinds.pop("others_found")
    return kinds


def main() -> None:
    """Train, write the weights, print how good they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=120_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    weights = train(options.texts, options.epochs)
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, options.out)
    scores = evaluate(TokenClassifier(weights), max(options.texts // 20, 200))
    print(json.dumps(scores, indent=1))  # noqa: T201  # its output


if __name__ == "__main__":
    main()
