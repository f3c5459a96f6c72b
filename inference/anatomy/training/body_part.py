# SPDX-License-Identifier: Apache-2.0
"""Training the body-part regressor on volumes whose slices are in order; no labels.

Yan et al. (ISBI 2018), section 2: for slices of one volume at equal distances, the order loss
``-log sigmoid(s[i+1] - s[i])`` makes scores grow, the distance loss (smooth L1 of the differences
of neighbouring differences) makes them grow evenly; here it has a fiftieth of its weight. The map
from scores to regions is set afterwards on a few volumes whose regions are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from inference.anatomy.pixels.regressor import GRID, BodyPartRegressor, Floats, inputs
from inference.contract import RegionName
from inference.phantoms.body import SEGMENTS, body_volume

_SPACINGS = (12.0, 20.0, 30.0)
_SLICES = 12
_VOLUMES_AT_ONCE = 24
_RATE = 2e-3
# Bodies differ in proportion: scores forced to grow evenly in mm blur the borders between regions.
# Of 1, 0.1, 0.02 and 0.004 the third told the regions of phantoms apart best.
_EVENNESS = 0.02
_FIRST_SEED, _MAP_SEED = 1_000_000, 1_500_000
"""Seeds from a million on are training's; what is held out lies below."""


def train_body_part(
    volumes: int, steps: int, seed: int, report: Callable[[str], None]
) -> BodyPartRegressor:
    """Train on phantoms.

    :param volumes: how many phantoms.
    :param steps: optimizer steps, each on 24 stretches of 12 slices.
    """
    made = [
        inputs(body_volume(_FIRST_SEED + n, _SPACINGS[n % 3], whole=n % 4 != 3).slices)
        for n in range(volumes)
    ]
    report(f"{volumes} phantoms, {sum(map(len, made))} slices")
    return fit_order([one for one in made if len(one) > _SLICES], steps, seed, report)


def fit_order(
    made: Sequence[Floats], steps: int, seed: int, report: Callable[[str], None]
) -> BodyPartRegressor:
    """Fit a regressor to ordered slices, prepared by ``regressor.inputs``."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = nn.Sequential(
        nn.Linear(GRID * GRID, 96), nn.ReLU(), nn.Linear(96, 32), nn.ReLU(), nn.Linear(32, 1)
    )
    pixels = np.concatenate(made)
    centre = pixels.mean(axis=0)
    spread = pixels.std(axis=0) + np.float32(0.05)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 1)
    for step in range(steps):
        taken = np.stack([stretch(made, rng) for _ in range(_VOLUMES_AT_ONCE)])
        shown = torch.from_numpy((taken - centre) / spread)
        scores = network(shown.flatten(0, 1)).view(_VOLUMES_AT_ONCE, _SLICES)
        loss = order_and_distance(scores)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % 250 == 0:
            report(f"body part: step {step + 1} of {steps}, loss {float(loss.detach()):.3f}")
    return mapped(on_pixels(network_arrays(network), centre, spread))


def order_and_distance(scores: torch.Tensor) -> torch.Tensor:
    """Loss of scores ``(volumes, slices)`` of slices in order, at equal distances."""
    differences = scores[:, 1:] - scores[:, :-1]
    order = -nn.functional.logsigmoid(differences).mean()
    uneven = differences[:, 1:] - differences[:, :-1]
    return order + _EVENNESS * nn.functional.smooth_l1_loss(uneven, torch.zeros_like(uneven))


def stretch(made: Sequence[Floats], rng: np.random.Generator) -> Floats:
    """Twelve slices of one volume at even distances, in other shades and moved a little."""
    slices = made[int(rng.integers(len(made)))]
    step = int(rng.integers(1, max(2, len(slices) // _SLICES)))
    first = int(rng.integers(0, len(slices) - step * (_SLICES - 1)))
    taken = slices[first : first + step * _SLICES : step][:_SLICES]
    shades = taken * np.float32(rng.uniform(0.9, 1.1)) + np.float32(rng.normal(0.0, 0.03))
    grid = shades.reshape(_SLICES, GRID, GRID)
    moved = np.roll(grid, tuple(rng.integers(-1, 2, 2)), axis=(1, 2))
    if rng.random() < 0.5:
        moved = moved[:, :, ::-1]
    return np.ascontiguousarray(moved.reshape(_SLICES, -1))


def network_arrays(network: nn.Sequential) -> dict[str, Any]:
    """Weights of the three layers, as the regressor has them."""
    first, second, score = network[0], network[2], network[4]
    named: dict[str, Any] = {"first": first, "second": second, "score": score}
    arrays = {name: layer.weight.detach().numpy().T for name, layer in named.items()}
    return arrays | {f"{name}_bias": layer.bias.detach().numpy() for name, layer in named.items()}


def on_pixels(arrays: dict[str, Any], centre: Floats, spread: Floats) -> dict[str, Any]:
    """Fold the standardization of pixels into the first layer."""
    first = arrays["first"] / spread[:, None]
    return arrays | {"first": first, "first_bias": arrays["first_bias"] - centre @ first}


def mapped(
    arrays: dict[str, Any], volumes: int = 24, modalities: Sequence[str] = ("CT",)
) -> BodyPartRegressor:
    """Set each border where it tells two neighbouring regions apart best."""
    order: list[RegionName] = [name for name, _ in SEGMENTS]
    plain = BodyPartRegressor(arrays, order, [float(n) for n in range(len(order) - 1)])
    scores, places = [], []
    for number in range(volumes):
        volume = body_volume(_MAP_SEED + number)
        scores.append(plain.scores(volume.slices))
        places += [order.index(region) for region in volume.regions]
    borders = _borders(np.concatenate(scores), np.asarray(places), len(order))
    return BodyPartRegressor(arrays, order, borders, modalities)


def _borders(scores: Floats, places: Any, regions: int) -> list[float]:
    borders = []
    for upper in range(regions - 1):
        candidates = np.quantile(scores, np.linspace(0.005, 0.995, 400))
        wrong = [
            int(((scores > border) & (places <= upper)).sum())
            + int(((scores <= border) & (places > upper)).sum())
            for border in candidates
        ]
        borders.append(float(candidates[int(np.argmin(wrong))]))
    return [float(border) for border in np.maximum.accumulate(borders)]
