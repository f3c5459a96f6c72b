# SPDX-License-Identifier: Apache-2.0
"""Training the single-image model on radiograph phantoms and on images that show no region."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.ndimage import affine_transform, gaussian_filter
from torch import nn

from inference.anatomy.pixels.single_image import SIDE, Floats, SingleImageModel, prepared
from inference.phantoms.radiographs import SHOWN, no_radiograph, radiograph

_FIRST_SEED, _TUNING_SEED = 1_000_000, 1_400_000
"""Seeds from a million on are training's; what is held out lies below."""
_BATCH = 64
_RATE = 2e-3
_TUNED = 60
_WITHIN = 0.995


class Pictures(NamedTuple):
    """Prepared images ``(count, 64, 64)`` and their classes; the last class is "no region"."""

    shown: Floats
    classes: Any


def pictures(first_seed: int, of_each: int, rng: np.random.Generator) -> Pictures:
    """Phantoms of every region as devices might send them, and as many images of none, doubled."""
    shown, classes = [], []
    for number in range(of_each):
        for at, region in enumerate(SHOWN):
            shown.append(prepared(altered(radiograph(region, first_seed + number), rng)))
            classes.append(at)
        for more in range(2):
            nothing = no_radiograph(first_seed + 2 * number + more)
            shown.append(prepared(altered(nothing, rng)))
            classes.append(len(SHOWN))
    kept = [(one, at) for one, at in zip(shown, classes, strict=True) if one is not None]
    return Pictures(np.stack([one for one, _ in kept]), np.array([at for _, at in kept]))


def altered(picture: Floats, rng: np.random.Generator) -> Floats:
    """Turn, shift, scale, mirror, collimate and expose an image differently."""
    turn, size = rng.normal(0.0, 0.12), rng.uniform(0.75, 1.25)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / size
    middle = np.array([SIDE / 2, SIDE / 2])
    offset = middle - matrix @ (middle + rng.normal(0.0, 3.0, 2))
    moved: Floats = affine_transform(picture, matrix, offset, order=1, mode="nearest")
    if rng.random() < 0.5:
        moved = moved[:, ::-1]
    moved = np.clip(moved, 0.0, None) ** np.float32(rng.uniform(0.6, 1.6))
    moved = gaussian_filter(moved, rng.uniform(0.0, 0.8))
    grain = rng.normal(0.0, rng.uniform(0.005, 0.05), moved.shape)
    moved = moved + grain.astype(np.float32)
    if rng.random() < 0.3:
        moved = _collimated(moved, rng)
    return np.asarray(moved, np.float32)


def _collimated(picture: Floats, rng: np.random.Generator) -> Floats:
    top, bottom, left, right = rng.integers(0, 10, 4)
    edge = float(rng.choice((picture.min(), picture.max())))
    framed = np.full_like(picture, edge)
    inner = (slice(top, SIDE - bottom), slice(left, SIDE - right))
    framed[inner] = picture[inner]
    return framed


def train_single_image(
    of_each: int, epochs: int, seed: int, report: Callable[[str], None]
) -> SingleImageModel:
    """Train on phantoms.

    :param of_each: radiographs of each region.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    taught = pictures(_FIRST_SEED, of_each, rng)
    report(f"{len(taught.shown)} images")
    network = _network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
    steps = epochs * (len(taught.shown) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 1)
    for epoch in range(epochs):
        order = rng.permutation(len(taught.shown))
        losses = []
        for first in range(0, len(order) - _BATCH + 1, _BATCH):
            some = order[first : first + _BATCH]
            loss = _loss(network, taught, some, rng)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        report(f"single image: epoch {epoch + 1} of {epochs}, loss {np.mean(losses):.3f}")
    return _tuned(network, pictures(_TUNING_SEED, _TUNED, rng))


def _network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(32, 48, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(48 * 64, 64), nn.ReLU(),
        nn.Linear(64, len(SHOWN) + 1),
    )  # fmt: skip


def _loss(
    network: nn.Sequential, taught: Pictures, some: Any, rng: np.random.Generator
) -> torch.Tensor:
    shown = taught.shown[some]
    moved = np.roll(shown, tuple(rng.integers(-3, 4, 2)), axis=(1, 2))
    scores = network(torch.from_numpy(np.ascontiguousarray(moved[:, None])))
    wanted = torch.from_numpy(taught.classes[some])
    return nn.functional.cross_entropy(scores, wanted, label_smoothing=0.02)


def _tuned(network: nn.Sequential, tuning: Pictures) -> SingleImageModel:
    """Set temperature and reach on phantoms that the weights were not fitted to."""
    network.eval()
    arrays = _arrays(network)
    plain = arrays | {"centres": np.zeros((1, 64)), "spread": np.ones(64)}
    model = SingleImageModel(plain, SHOWN, 1.0, 1.0)
    last, scores = model.layers(tuning.shown)
    inside = tuning.classes < len(SHOWN)
    means = [last[tuning.classes == at].mean(axis=0) for at in range(len(SHOWN))]
    centres = np.stack(means)
    around = last[inside] - centres[tuning.classes[inside]]
    arrays |= {"centres": centres, "spread": around.std(axis=0) + 0.05}
    model = SingleImageModel(arrays, SHOWN, _temperature(scores, tuning.classes), 1.0)
    reach = float(np.quantile(model.distances(last[inside]), _WITHIN))
    return SingleImageModel(arrays, SHOWN, model.temperature, reach)


def _temperature(scores: Floats, classes: Any) -> float:
    """The temperature at which the right classes are most probable (Guo et al., ICML 2017)."""
    wanted = torch.from_numpy(classes)
    losses = {
        float(t): float(nn.functional.cross_entropy(torch.from_numpy(scores / t), wanted))
        for t in np.geomspace(0.3, 5.0, 40).astype(np.float32)
    }
    return min(losses, key=losses.__getitem__)


def _arrays(network: nn.Sequential) -> dict[str, Any]:
    layers = {"conv1": 0, "conv2": 2, "conv3": 4, "hidden": 8, "out": 10}
    found: dict[str, Any] = {}
    for name, at in layers.items():
        layer: Any = network[at]
        found[name] = layer.weight.detach().numpy()
        found[f"{name}_bias"] = layer.bias.detach().numpy()
    return found
