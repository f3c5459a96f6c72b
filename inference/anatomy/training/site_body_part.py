# SPDX-License-Identifier: Apache-2.0
"""Training the body-part regressor on: from given weights, with volumes of a site, no labels.

Order and distances of the site's slices teach as in :mod:`inference.anatomy.training.body_part`. In
the same steps phantoms hold the scores in place: on them the new scores are drawn to those of the
weights that training started from, so that the map from scores to regions stays what it was. For MR
the same phantoms are shown in the contrast of a T1-weighted image, with the same scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from inference.anatomy.pixels.regressor import GRID, BodyPartRegressor, Floats, inputs
from inference.anatomy.training.body_part import (
    mapped,
    network_arrays,
    on_pixels,
    order_and_distance,
    stretch,
)
from inference.anatomy.training.volumes import FEWEST_SLICES, SiteVolume, VolumeError
from inference.phantoms.body import body_volume

_SLICES = 12
_AT_ONCE = 24
_RATE = 5e-4
_ANCHOR = 8.0
_PHANTOMS, _SPACINGS = 24, (16.0, 24.0, 30.0)
_FIRST_SEED = 1_600_000
"""Beside the seeds of the shipped model's training and map."""


@dataclass(frozen=True)
class _Anchors:
    """Phantoms, their slices as the network sees them, and the scores they had."""

    seen: list[Floats]
    scores: list[Floats]


def train_on(
    start: BodyPartRegressor,
    volumes: Sequence[SiteVolume],
    steps: int,
    seed: int,
    report: Callable[[str], None],
) -> BodyPartRegressor:
    """Train on from ``start``.

    :param volumes: of the site; each with at least 16 slices.
    :param steps: optimizer steps, each on 24 stretches of the site and as many of phantoms.
    :raises VolumeError: there is no volume.
    """
    if not volumes:
        raise VolumeError("no volume to learn from; let it look at more series")
    made = [inputs(volume.slices) for volume in volumes if len(volume.slices) >= FEWEST_SLICES]
    modalities = tuple(sorted({*start.modalities, *(volume.modality for volume in volumes)}))
    anchors = _anchors(start, modalities)
    pixels = np.concatenate([*made, *anchors.seen])
    centre, spread = pixels.mean(axis=0), pixels.std(axis=0) + np.float32(0.05)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = _network(start, centre, spread)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 1)
    scale = float(np.std(np.concatenate(anchors.scores))) + 1e-6
    for step in range(steps):
        taken = np.stack([stretch(made, rng) for _ in range(_AT_ONCE)])
        held, wanted = _held(anchors, rng)
        shown = torch.from_numpy((np.concatenate([taken, held]) - centre) / spread)
        scores = network(shown.flatten(0, 1)).view(2 * _AT_ONCE, _SLICES)
        away = (scores[_AT_ONCE:] - torch.from_numpy(wanted)) / scale
        loss = order_and_distance(scores[:_AT_ONCE]) + _ANCHOR * (away**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 250 == 0:
            report(f"pixels: step {step + 1} of {steps}, loss {float(loss.detach()):.3f}")
    return mapped(on_pixels(network_arrays(network), centre, spread), modalities=modalities)


def like_t1(slices: Floats) -> Floats:
    """Slices of a CT phantom in the contrast of a T1-weighted MR image.

    :param slices: in HU. Air, lung and cortical bone have no signal, fat has most.
    """
    signal = np.interp(
        slices, (-1000.0, -820.0, -90.0, 45.0, 300.0, 700.0), (-1000, -950, 300, -250, -500, -900)
    )
    return signal.astype(np.float32)


def _anchors(start: BodyPartRegressor, modalities: Sequence[str]) -> _Anchors:
    seen, scores = [], []
    for number in range(_PHANTOMS):
        slices = body_volume(_FIRST_SEED + number, _SPACINGS[number % 3]).slices
        now = start.scores(slices)
        for modality in modalities:
            if modality == "MR" and "MR" in start.modalities:
                now = start.scores(like_t1(slices))
            seen.append(inputs(like_t1(slices) if modality == "MR" else slices))
            scores.append(now)
    return _Anchors(seen, scores)


def _held(anchors: _Anchors, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Stretches of phantoms as they are, and the scores that they had."""
    seen, wanted = [], []
    for _ in range(_AT_ONCE):
        at = int(rng.integers(len(anchors.seen)))
        first = int(rng.integers(0, len(anchors.seen[at]) - _SLICES + 1))
        seen.append(anchors.seen[at][first : first + _SLICES])
        wanted.append(anchors.scores[at][first : first + _SLICES])
    return np.stack(seen), np.stack(wanted).astype(np.float32)


def _network(start: BodyPartRegressor, centre: Floats, spread: Floats) -> nn.Sequential:
    """A network that scores as ``start`` does, over standardized pixels."""
    arrays = start.arrays
    widths = [GRID * GRID, arrays["first"].shape[1], arrays["second"].shape[1], 1]
    layers = [nn.Linear(one, other) for one, other in pairwise(widths)]
    arrays["first_bias"] = arrays["first_bias"] + centre @ arrays["first"]
    arrays["first"] = arrays["first"] * spread[:, None]
    with torch.no_grad():
        for layer, name in zip(layers, ("first", "second", "score"), strict=True):
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(arrays[name].T)))
            layer.bias.copy_(torch.from_numpy(arrays[f"{name}_bias"]))
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
