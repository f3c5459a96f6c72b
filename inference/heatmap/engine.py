# SPDX-License-Identifier: Apache-2.0
"""A loaded heat-map model: squares in, maps and probabilities out."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from inference.bundles import Bundle, BundleError
from inference.heatmap.architecture import HeatMapSettings
from inference.heatmap.context import ALONE, Context
from inference.heatmap.demographics import WIDTH
from inference.heatmap.familiarity import Familiarity, FamiliarityLimits, thumbnails
from inference.heatmap.network import HeatMapNetwork

NETWORK_PREFIX = "network."
FAMILIARITY_PREFIX = "familiarity."
COMMISSIONING_IMAGES = "commissioning.images"

BATCH = 16

Forward = Callable[..., tuple[Tensor, ...]]
"""``(N, slices, size, size)`` in 0..1, and ``(N, 4)`` of persons where the network takes them, to
maps, finest first, pooled scores, and features."""


@dataclass(frozen=True)
class Prediction:
    """What the network says about a batch of ``N`` squares.

    Attributes
    ----------
    maps:
        Per level, finest first: ``(N, C, grid, grid)`` float32.
    pooled:
        ``(N, C)`` global scores of the finest level, before calibration.
    features:
        ``(N, D)`` mean features of all levels.
    """

    maps: tuple[NDArray[np.float32], ...]
    pooled: NDArray[np.float32]
    features: NDArray[np.float32]


def preferred_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def channels_last(network: HeatMapNetwork) -> HeatMapNetwork:
    """The network with its weights in the memory order in which convolutions are fastest."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


class _Whole(nn.Module):
    """All that a prediction needs of one forward pass: maps, then pooled scores, then features."""

    def __init__(self, network: HeatMapNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor, persons: Tensor | None = None) -> tuple[Tensor, ...]:
        levels = self.network.features(batch)
        maps = [level.float() for level in self.network.decode(levels, persons)]
        features = torch.cat([level.mean(dim=(2, 3)) for level in levels], dim=1)
        return (*maps, self.network.pools[0](maps[0]), features)


def _compiled(network: HeatMapNetwork) -> Forward:
    """The whole forward pass as one call that leaves Python once.

    Step by step, a pass that shares its process with threads that decode and answer waits for
    Python's lock before each of a hundred layers, and takes a third longer. Freezing also puts
    batch normalization into the convolutions.
    """
    a = network.architecture
    image = torch.zeros(1, a.slices, a.input_size, a.input_size)
    example: tuple[Tensor, ...] = (image.contiguous(memory_format=torch.channels_last),)
    if a.demographics:
        example = (*example, torch.zeros(1, WIDTH))
    with torch.inference_mode(), warnings.catch_warnings():
        # Shapes are the same for every batch but its length, which the trace leaves open. That
        # torch would rather compile is said each time; its compiler needs one for C++ at the site.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            _Whole(network).eval(), example, check_trace=False
        )
        forward: Forward = torch.jit.freeze(traced)
    return forward


def predict(
    network: HeatMapNetwork,
    images: NDArray[np.float32],
    context: Context = ALONE,
    forward: Forward | None = None,
) -> Prediction:
    """Run the network on ``(N, size, size)`` squares in 0..1, ``BATCH`` at a time.

    ``forward`` takes the place of the network's own pass.
    """
    stacks = _stacks(images, context, network.architecture.slices)
    persons = None
    if network.architecture.demographics:
        known = context.persons
        persons = np.zeros((len(images), WIDTH), np.float32) if known is None else known
    network.eval()
    device = next(network.parameters()).device
    forward = _Whole(network) if forward is None else forward
    made: list[list[NDArray[np.float32]]] = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            chosen = slice(start, start + BATCH)
            batch = torch.from_numpy(stacks(chosen)).to(device)
            inputs: tuple[Tensor, ...] = (batch.contiguous(memory_format=torch.channels_last),)
            if persons is not None:
                inputs = (*inputs, torch.from_numpy(persons[chosen]).to(device))
            found = forward(*inputs)
            made.append([_array(tensor) for tensor in found])
    *maps, pooled, features = (np.concatenate(parts) for parts in zip(*made, strict=True))
    return Prediction(maps=tuple(maps), pooled=pooled, features=features)


def _stacks(
    images: NDArray[np.float32], context: Context, slices: int
) -> Callable[[slice], NDArray[np.float32]]:
    """What the network is shown of a range of squares, ``(N, slices, size, size)``."""
    neighbours = context.neighbours
    if neighbours is None and slices == 1:
        # A view: a copy of each batch would cost the service a part of its throughput.
        return lambda chosen: images[chosen, np.newaxis]
    if neighbours is None:
        neighbours = np.repeat(np.arange(len(images))[:, None], slices, 1)
    known = neighbours
    return lambda chosen: images[known[chosen]]


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float32)


class Unfamiliar(NamedTuple):
    """How an image is unlike the training images, and its distance over the limit."""

    what: str
    excess: float


class HeatMapEngine:
    """Network, calibration and familiarity of one bundle."""

    def __init__(
        self,
        settings: HeatMapSettings,
        keys: tuple[str, ...],
        network: HeatMapNetwork,
        familiarity: Familiarity,
        commissioning_images: NDArray[np.uint8],
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.network = network
        self.familiarity = familiarity
        self._commissioning_images = commissioning_images
        self._turn = threading.Lock()
        on_cpu = next(network.parameters()).device.type == "cpu"
        self._forward = _compiled(network) if on_cpu else None

    @property
    def input_size(self) -> int:
        """Side of the squares it takes."""
        return self.settings.architecture.input_size

    def predict(self, images: NDArray[np.float32], context: Context = ALONE) -> Prediction:
        """Maps and scores of ``(N, size, size)`` squares.

        One call at a time: two forward passes on the same cores take longer than one after the
        other, while reading pixels and writing answers fill the time of each other's pass.
        """
        with self._turn:
            return predict(self.network, images, context, self._forward)

    def probabilities(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities of ``(N, C)`` pooled scores."""
        columns = [
            self.settings.calibration[key].apply(pooled[:, index])
            for index, key in enumerate(self.keys)
        ]
        found = np.stack(columns, axis=1)
        correlations = self.settings.correlations
        return found if correlations is None else correlations.apply(found)

    def unfamiliar(
        self, images: NDArray[np.float32], features: NDArray[np.float32]
    ) -> list[Unfamiliar | None]:
        """Per square, how it is unlike the training images, or None if it is like them."""
        limits = self.settings.familiarity
        distances = self.familiarity.distances(features, thumbnails(images))
        return [
            _unlike(image, {name: float(d[index]) for name, d in distances.items()}, limits)
            for index, image in enumerate(images)
        ]

    def commissioning_answers(self) -> list[dict[str, float]]:
        """Probabilities on the images that travel with the bundle."""
        squares = self._commissioning_images.astype(np.float32) / np.float32(255.0)
        found = self.probabilities(self.predict(squares).pooled)
        return [dict(zip(self.keys, map(float, row), strict=True)) for row in found]


def _unlike(
    image: NDArray[np.float32], distances: Mapping[str, float], limits: FamiliarityLimits
) -> Unfamiliar | None:
    if not image.any():
        return Unfamiliar("a single grey value", float("inf"))
    words = {"features": "structure", "thumbnail": "layout"}
    for name, limit in limits.model_dump().items():
        if not distances[name] <= limit:
            return Unfamiliar(f"{words[name]} unlike the training images", distances[name] / limit)
    return None


def load_engine(bundle: Bundle) -> HeatMapEngine:
    """Load the weights of a bundle onto the preferred device.

    Raises
    ------
    BundleError
        If the weights file is damaged or does not fit ``model.json``.
    """
    keys = tuple(c.key for c in bundle.manifest.classes)
    try:
        tensors = load_file(bundle.weights)
        network = HeatMapNetwork(bundle.manifest.heatmap.architecture, len(keys))
        network.load_state_dict(_under(tensors, NETWORK_PREFIX))
        arrays = {k: _array(v) for k, v in _under(tensors, FAMILIARITY_PREFIX).items()}
        familiarity = Familiarity.from_arrays(arrays)
        images = tensors[COMMISSIONING_IMAGES].numpy()
    except (SafetensorError, RuntimeError, ValueError, KeyError, OSError) as error:
        raise BundleError("the weights are damaged or do not fit model.json") from error
    if not all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point()):
        raise BundleError("the weights hold numbers that are not finite")
    network = channels_last(network.to(preferred_device()))
    network.eval().requires_grad_(requires_grad=False)
    return HeatMapEngine(bundle.manifest.heatmap, keys, network, familiarity, images)


def own_network(bundle: Bundle) -> HeatMapNetwork:
    """The network of a bundle, to go on training from.

    Raises
    ------
    TypeError
        If the bundle's model is not of Sidelight's own design.
    BundleError
        If it cannot be loaded.
    """
    engine = bundle.engine
    if not isinstance(engine, HeatMapEngine):
        raise TypeError("training starts from bundles of Sidelight's own network only")
    return engine.network


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
