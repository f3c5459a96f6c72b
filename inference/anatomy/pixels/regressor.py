# SPDX-License-Identifier: Apache-2.0
"""Body-part regression: a score per axial slice that grows from head to foot, and its regions.

After Yan et al., "Unsupervised body part regression via spatially self-ordering convolutional
neural networks" (ISBI 2018): the network is trained with the order and the distances of slices
within a volume, without any label. Only the map from scores to regions needs a few volumes whose
regions are known. The network here is a small perceptron over a slice of 24 x 24 pixels, so that it
answers without torch.
"""

from __future__ import annotations

import json
import math
from collections import Counter
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

GRID: Final = 24
_LOW, _HIGH = -1000.0, 500.0
_LAYERS = ("first", "first_bias", "second", "second_bias", "score", "score_bias")
_SHARE_TO_NAME = 0.2
_FIELD_MM = 500.0


class PixelAnswer(NamedTuple):
    """What the slices of one series show.

    :param regions: regions that at least a fifth of the slices lie in.
    :param confidence: how well the scores agree with a straight line through the body, times how
        far the slices lie from the borders between regions, 0 to 1.
    :param scores: score of each slice, growing towards the feet.
    """

    regions: frozenset[RegionName]
    confidence: float
    scores: Floats


class BodyPartRegressor:
    """Scores slices and names their regions.

    :param arrays: the weights.
    :param regions: the regions from head to foot.
    :param borders: scores between which they lie, one less than regions, growing.
    :param modalities: those whose slices it has learned from.
    """

    def __init__(
        self,
        arrays: dict[str, npt.NDArray[Any]],
        regions: Sequence[RegionName],
        borders: Sequence[float],
        modalities: Sequence[str] = ("CT",),
    ) -> None:
        if len(borders) != len(regions) - 1 or list(borders) != sorted(borders):
            raise AnatomyModelError("borders must grow and be one fewer than the regions")
        self._arrays = {name: arrays[name].astype(np.float32) for name in _LAYERS}
        self.regions = tuple(regions)
        self.borders = np.asarray(borders, np.float32)
        self.modalities = tuple(modalities)

    @property
    def arrays(self) -> dict[str, Floats]:
        """The weights, for who trains on."""
        return dict(self._arrays)

    @classmethod
    def load(cls, path: Path) -> BodyPartRegressor:
        """Load weights that ``sidelight train body-part`` wrote.

        :raises AnatomyModelError: if they are damaged.
        """
        try:
            with safe_open(path, framework="numpy") as stored:
                described = json.loads((stored.metadata() or {})["body-part"])
                arrays = {name: stored.get_tensor(name) for name in _LAYERS}
            regions, borders = described["regions"], described["borders"]
            return cls(arrays, regions, borders, described.get("modalities", ("CT",)))
        except AnatomyModelError:
            raise
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise AnatomyModelError(f"no body-part regressor: {type(error).__name__}") from None

    def save(self, path: Path) -> None:
        """Write the weights."""
        described = {
            "regions": list(self.regions),
            "borders": [float(b) for b in self.borders],
            "modalities": list(self.modalities),
        }
        halves = {
            name: np.ascontiguousarray(array, np.float16) for name, array in self._arrays.items()
        }
        save_file(halves, path, {"body-part": json.dumps(described)})

    def scores(self, slices: Floats) -> Floats:
        """Score of each slice: ``(count,)``, growing from head to foot.

        :param slices: axial slices in HU, ``(count, height, width)``, 500 mm wide.
        """
        of = self._arrays
        hidden = np.maximum(inputs(slices) @ of["first"] + of["first_bias"], 0.0)
        hidden = np.maximum(hidden @ of["second"] + of["second_bias"], 0.0)
        scored: Floats = (hidden @ of["score"] + of["score_bias"])[:, 0]
        return scored

    def region_of(self, scores: Floats) -> list[RegionName]:
        """Region of each score."""
        return [self.regions[at] for at in np.searchsorted(self.borders, scores)]

    def recognize(self, slices: Floats) -> PixelAnswer:
        """Name the regions of a series.

        :param slices: axial slices in HU, ordered along the body, at least one.
        """
        scores = self.scores(slices)
        counted = Counter(self.region_of(smoothed(scores)))
        named = frozenset(r for r, n in counted.items() if n >= _SHARE_TO_NAME * len(scores))
        return PixelAnswer(named, self._confidence(scores), scores)

    def _confidence(self, scores: Floats) -> float:
        gaps = np.abs(scores[:, None] - self.borders[None, :]).min(axis=1)
        width = float(self.borders[-1] - self.borders[0]) / len(self.borders)
        clear = float(np.mean(1.0 - 0.5 * np.exp(-4.0 * gaps / max(width, 1e-6))))
        if len(scores) < 3:
            return clear
        order = np.corrcoef(np.arange(len(scores)), scores)[0, 1]
        return clear * (0.5 + 0.5 * abs(float(order))) if math.isfinite(order) else clear * 0.5


def inputs(slices: Floats) -> Floats:
    """What the network sees: ``(count, 24 * 24)``, HU from -1000..500 to 0..1, made coarse."""
    count, height, width = slices.shape
    shown = np.clip((slices - _LOW) / (_HIGH - _LOW), 0.0, 1.0).astype(np.float32)
    if (height, width) == (2 * GRID, 2 * GRID):
        coarse = shown.reshape(count, GRID, 2, GRID, 2).mean(axis=(2, 4))
    else:
        rows = np.linspace(0, height, GRID + 1).astype(int)[:-1]
        columns = np.linspace(0, width, GRID + 1).astype(int)[:-1]
        summed = np.add.reduceat(np.add.reduceat(shown, rows, axis=1), columns, axis=2)
        ones = np.ones((1, height, width), np.float32)
        parts = np.add.reduceat(np.add.reduceat(ones, rows, axis=1), columns, axis=2)
        coarse = summed / parts
    flat: Floats = coarse.reshape(count, -1).astype(np.float32)
    return flat


def smoothed(scores: Floats) -> Floats:
    """Median of three neighbours: one odd slice names no region."""
    if len(scores) < 3:
        return scores
    padded = np.pad(scores, 1, mode="edge")
    smooth: Floats = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    return smooth


@cache
def shipped_regressor() -> BodyPartRegressor:
    """The regressor of this package, trained on phantoms.

    :raises AnatomyModelError: if the package is damaged.
    """
    return BodyPartRegressor.load(shipped_regressor_weights())


def shipped_regressor_weights() -> Path:
    """File of the weights of this package."""
    return Path(str(files("inference.anatomy") / "data" / "body_part.safetensors"))
