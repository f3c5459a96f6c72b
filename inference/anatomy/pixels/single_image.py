# SPDX-License-Identifier: Apache-2.0
"""The region that one radiograph shows: a small convolutional network, answered with numpy alone.

It names a region only where three things hold: the network is sure, "no region at all" is not its
answer, and what it sees is as near to what it learned from as most of that was to itself (distance
of the last layer to the nearest class mean, after Lee et al., NeurIPS 2018, with one spread for
all). It has learned from schematic phantoms alone; see the model card beside the weights.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from inference.anatomy.learned.families import AnatomyModelError
from inference.contract import RegionName

Floats = npt.NDArray[np.float32]

SIDE: Final = 64
SURE_FROM: Final = 0.9
_LAYERS = ("conv1", "conv2", "conv3", "hidden", "out")
_ARRAYS = tuple(f"{name}{end}" for name in _LAYERS for end in ("", "_bias"))
_NEARNESS = ("centres", "spread")
_KEY = "single-image"


class SingleImageAnswer(NamedTuple):
    """What one image shows; ``region`` is None, and ``reason`` says why, where it abstains."""

    region: RegionName | None
    confidence: float
    reason: str = ""


class SingleImageModel:
    """Names the region of a radiograph.

    :param arrays: weights, class means and spread of the last hidden layer.
    :param regions: names of the outputs; one more output is "none of them".
    :param temperature: divides the scores, so that confidence is calibrated.
    :param reach: distance to the nearest class mean from which the model abstains.
    """

    def __init__(
        self,
        arrays: dict[str, npt.NDArray[Any]],
        regions: Sequence[RegionName],
        temperature: float,
        reach: float,
    ) -> None:
        missing = [name for name in (*_ARRAYS, *_NEARNESS) if name not in arrays]
        if missing or temperature <= 0.0:
            raise AnatomyModelError("the single-image model lacks arrays or a temperature")
        self._arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
        self.regions = tuple(regions)
        self.temperature, self.reach = temperature, reach

    @classmethod
    def load(cls, path: Path) -> SingleImageModel:
        """Load weights that ``sidelight train single-image`` wrote.

        :raises AnatomyModelError: if they are damaged.
        """
        try:
            with safe_open(path, framework="numpy") as stored:
                told = json.loads((stored.metadata() or {})[_KEY])
                arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            return cls(arrays, told["regions"], told["temperature"], told["reach"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise AnatomyModelError(f"no single-image model: {type(error).__name__}") from None

    def save(self, path: Path) -> None:
        """Write the weights, in half precision."""
        told = {
            "regions": list(self.regions),
            "temperature": self.temperature,
            "reach": self.reach,
        }
        halves = {
            name: np.ascontiguousarray(array, np.float16) for name, array in self._arrays.items()
        }
        save_file(halves, path, {_KEY: json.dumps(told)})

    def recognize(self, picture: Floats) -> SingleImageAnswer:
        """Name the region of an image.

        :param picture: ``(height, width)`` of any size, bright is dense.
        """
        shown = prepared(picture)
        if shown is None:
            return SingleImageAnswer(None, 0.0, "the image is plain")
        probabilities, distances = self.answers(shown[None])
        best, sure = int(probabilities[0].argmax()), float(probabilities[0].max())
        if best == len(self.regions):
            return SingleImageAnswer(None, 0.0, "the image is like none that the model knows")
        if float(distances[0]) > self.reach:
            return SingleImageAnswer(None, 0.0, "the image is unlike those that the model knows")
        if sure < SURE_FROM:
            return SingleImageAnswer(None, 0.0, "the model is not sure")
        return SingleImageAnswer(self.regions[best], sure)

    def answers(self, shown: Floats) -> tuple[Floats, Floats]:
        """Probabilities ``(count, regions + 1)`` and distances ``(count,)`` of prepared images."""
        last, scores = self.layers(shown)
        scores = scores / np.float32(self.temperature)
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: Floats = grown / grown.sum(axis=1, keepdims=True)
        return probabilities, self.distances(last)

    def layers(self, shown: Floats) -> tuple[Floats, Floats]:
        """Last hidden layer ``(count, 64)`` and scores of prepared images ``(count, 64, 64)``."""
        of = self._arrays
        seen: Floats = shown[:, None]
        for name in ("conv1", "conv2", "conv3"):
            seen = _convolved(seen, of[name], of[f"{name}_bias"])
        flat = seen.reshape(len(seen), -1)
        last: Floats = np.maximum(flat @ of["hidden"].T + of["hidden_bias"], 0.0)
        scores: Floats = last @ of["out"].T + of["out_bias"]
        return last, scores

    def distances(self, last: Floats) -> Floats:
        """Distance to the nearest class mean in units of the common spread, root mean square."""
        away = (last[:, None] - self._arrays["centres"][None]) / self._arrays["spread"]
        nearest: Floats = np.sqrt((away**2).mean(axis=2)).min(axis=1)
        return nearest


def prepared(picture: Floats) -> Floats | None:
    """An image as the network sees it: ``(64, 64)``, means of blocks, ranked to 0..1.

    Grey values are replaced by their ranks, since detectors differ in how they map exposure. None
    for an image of one value.
    """
    small = _coarse(np.asarray(picture, np.float32))
    low, high = np.quantile(small, (0.005, 0.995))
    if not high > low:
        return None
    clipped = np.clip((small - low) / (high - low), 0.0, 1.0)
    values, at = np.unique(np.rint(clipped * 255.0), return_inverse=True)
    counts = np.bincount(at.ravel(), minlength=len(values))
    ranks = (np.cumsum(counts) - 0.5 * counts) / small.size
    equal = ranks[at].reshape(small.shape)
    shown: Floats = (0.5 * clipped + 0.5 * equal - 0.5).astype(np.float32)
    return shown


def _coarse(picture: Floats) -> Floats:
    """The image in a square of 64, proportions kept, the darkest around it."""
    height, width = picture.shape
    side = max(height, width)
    if side < SIDE:
        return _coarse(np.kron(picture, np.ones((-(-SIDE // side),) * 2, np.float32)))
    rows, columns = (max(1, round(n * SIDE / side)) for n in (height, width))
    down, across = (
        np.linspace(0, n, k + 1).astype(int)[:-1] for n, k in ((height, rows), (width, columns))
    )
    summed = np.add.reduceat(np.add.reduceat(picture, down, axis=0), across, axis=1)
    parts = np.outer(np.diff([*down, height]), np.diff([*across, width]))
    means = summed / parts
    whole = np.full((SIDE, SIDE), means.min(), np.float32)
    top, left = (SIDE - rows) // 2, (SIDE - columns) // 2
    whole[top : top + rows, left : left + columns] = means
    return whole


def _convolved(seen: Floats, weights: Floats, bias: Floats) -> Floats:
    """3 x 3 with a margin of one, every second place, then the positive part."""
    padded = np.pad(seen, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    made = np.tensordot(windows, weights, axes=([1, 4, 5], [1, 2, 3])) + bias
    positive: Floats = np.maximum(made, 0.0).transpose(0, 3, 1, 2)
    return positive


@cache
def shipped_single_image_model() -> SingleImageModel:
    """The model of this package, trained on phantoms.

    :raises AnatomyModelError: if the package is damaged.
    """
    path = Path(str(files("inference.anatomy") / "data" / "single_image.safetensors"))
    return SingleImageModel.load(path)
