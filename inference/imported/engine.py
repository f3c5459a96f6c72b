# SPDX-License-Identifier: Apache-2.0
"""A loaded model that others trained; it answers as a :class:`HeatMapEngine` does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from inference.bundles import Bundle, BundleError
from inference.heatmap.context import ALONE, Context
from inference.heatmap.engine import (
    COMMISSIONING_IMAGES,
    FAMILIARITY_PREFIX,
    NETWORK_PREFIX,
    Prediction,
    Unfamiliar,
    preferred_device,
)
from inference.heatmap.familiarity import Familiarity
from inference.imported.attribution import importance_map, integrated_gradients, occlusion
from inference.imported.errors import ModelImportError
from inference.imported.programs import DenseNetProgram, Program, load_program
from inference.imported.settings import ImportedSettings
from inference.imported.structure import small_images, structure

_EDGE = 1e-6
_WORDS = {"features": "structure", "thumbnail": "layout"}


class ImportedEngine:
    """Network, calibration and, where a site has shown it images, familiarity of one bundle."""

    def __init__(
        self,
        settings: ImportedSettings,
        keys: tuple[str, ...],
        program: Program,
        familiarity: Familiarity | None,
        commissioning_images: NDArray[np.uint8],
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.familiarity = familiarity
        self._program = program
        self._commissioning_images = commissioning_images
        n = settings.normalization
        self._mean = torch.tensor(n.mean).view(1, -1, 1, 1)
        self._deviation = torch.tensor(n.deviation).view(1, -1, 1, 1)

    @property
    def input_size(self) -> int:
        """Side of the squares it takes."""
        return self.settings.input_size

    def predict(self, images: NDArray[np.float32], context: Context = ALONE) -> Prediction:  # noqa: ARG002 - what is seen with an image; models that others trained take none
        """Maps and scores of ``(N, size, size)`` squares in 0..1."""
        squares = torch.from_numpy(np.ascontiguousarray(images))
        pooled: list[Tensor] = []
        maps: list[Tensor] = []
        with torch.no_grad():
            for start in range(0, len(squares), self.settings.batch):
                found = self._batch(squares[start : start + self.settings.batch])
                pooled.append(found[0].float().cpu())
                maps.append(found[1].float().cpu())
        return Prediction(
            maps=(torch.cat(maps).numpy(),),
            pooled=torch.cat(pooled).numpy(),
            features=structure(images),
        )

    def scores(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Global scores ``(N, C)`` alone, without the work that maps take."""
        squares = torch.from_numpy(np.ascontiguousarray(images))
        with torch.no_grad():
            parts = [
                self._scores_of(squares[start : start + self.settings.batch])
                for start in range(0, len(squares), self.settings.batch)
            ]
        return np.asarray(torch.cat(parts).float().cpu().numpy(), dtype=np.float32)

    def probabilities(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities of ``(N, C)`` pooled scores."""
        columns = [
            self.settings.calibration[key].apply(pooled[:, index])
            for index, key in enumerate(self.keys)
        ]
        return np.stack(columns, axis=1)

    def unfamiliar(
        self, images: NDArray[np.float32], features: NDArray[np.float32]
    ) -> list[Unfamiliar | None]:
        """Per square, how it is unlike the images of the site, or None if it is like them.

        A model that was never shown a site's images finds only images of a single grey unfamiliar.
        """
        limits = self.settings.familiarity
        far: Mapping[str, NDArray[np.float32]] = {}
        if self.familiarity is not None and limits is not None:
            found = self.familiarity.distances(features, small_images(images))
            far = {name: found[name] / limit for name, limit in limits.model_dump().items()}
        return [_unlike(image, far, index) for index, image in enumerate(images)]

    def commissioning_answers(self) -> list[dict[str, float]]:
        """Probabilities on the images that travel with the bundle."""
        squares = self._commissioning_images.astype(np.float32) / np.float32(255.0)
        found = self.probabilities(self.scores(squares))
        return [dict(zip(self.keys, map(float, row), strict=True)) for row in found]

    def _batch(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(N, C)`` and maps ``(N, C, grid, grid)`` of ``(N, size, size)``."""
        s = self.settings
        grey = squares[:, None]
        if s.maps == "output":
            maps = functional.adaptive_avg_pool2d(self._activated(self._outputs(grey)), s.grid)
            return maps.amax(dim=(2, 3)), maps
        if s.maps == "activation" and isinstance(self._program, DenseNetProgram):
            logits = self._program.patch_logits(self._normalized(grey))[:, list(s.channels)]
            return torch.sigmoid(logits.mean(dim=(2, 3))), torch.sigmoid(logits)
        pooled = self._activated(self._outputs(grey)).cpu()
        return pooled, torch.stack(
            [self._explained(square, p) for square, p in zip(squares, pooled, strict=True)]
        )

    def _scores_of(self, squares: Tensor) -> Tensor:
        s = self.settings
        found = self._activated(self._outputs(squares[:, None]))
        if s.task == "segmentation":
            return functional.adaptive_avg_pool2d(found, s.grid).amax(dim=(2, 3))
        return found

    def _explained(self, square: Tensor, probabilities: Tensor) -> Tensor:
        s = self.settings
        if s.maps == "gradients":
            importance = integrated_gradients(self._logits, square, s.batch)
        else:
            importance = occlusion(self._logits, square, s.grid, s.batch)
        return importance_map(importance, probabilities, s.grid).cpu()

    def _outputs(self, grey: Tensor) -> Tensor:
        """The network's output as it comes, of ``(N, 1, size, size)``."""
        output = self._program(self._normalized(grey))
        if output.ndim != (4 if self.settings.task == "segmentation" else 2):
            raise BundleError(f"the network answers {output.ndim} dimensions; import it again")
        return output

    def _activated(self, output: Tensor) -> Tensor:
        """Probabilities of the classes."""
        if self.settings.activation == "sigmoid":
            output = torch.sigmoid(output)
        elif self.settings.activation == "softmax":
            output = torch.softmax(output, dim=1)
        return output[:, list(self.settings.channels)].clamp(0.0, 1.0)

    def _logits(self, grey: Tensor) -> Tensor:
        """What attribution explains: unbounded, so that sure classes are explained as well."""
        output = self._outputs(grey)
        if self.settings.activation == "sigmoid":
            return output[:, list(self.settings.channels)].float()
        return torch.logit(self._activated(output).float(), eps=_EDGE)

    def _normalized(self, grey: Tensor) -> Tensor:
        """``(N, 1, size, size)`` in 0..1 to the model's own channels and scale."""
        n = self.settings.normalization
        return (grey.expand(-1, n.channels, -1, -1) - self._mean) / self._deviation


def _unlike(
    image: NDArray[np.float32], far: Mapping[str, NDArray[np.float32]], index: int
) -> Unfamiliar | None:
    if not image.any():
        return Unfamiliar("a single grey value", float("inf"))
    for name, excess in far.items():
        if not excess[index] <= 1.0:
            what = f"{_WORDS[name]} unlike the images of this site"
            return Unfamiliar(what, float(excess[index]))
    return None


def load_engine(bundle: Bundle) -> ImportedEngine:
    """Load an imported bundle onto the preferred device.

    Raises
    ------
    BundleError
        A file is missing, damaged, does not fit ``model.json``, or holds what is not allowed.
    """
    settings = bundle.manifest.imported
    if settings is None:
        raise BundleError("model.json has no imported part; import the model again")
    keys = tuple(c.key for c in bundle.manifest.classes)
    try:
        tensors = load_file(bundle.weights)
        images = tensors[COMMISSIONING_IMAGES].numpy()
        known = {k: v.numpy() for k, v in _under(tensors, FAMILIARITY_PREFIX).items()}
        familiarity = Familiarity.from_arrays(known) if known else None
        weights = _under(tensors, NETWORK_PREFIX)
        program = load_program(settings, bundle.folder, weights, preferred_device())
    except ModelImportError as error:
        raise BundleError(str(error)) from error
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise BundleError("the weights are damaged or do not fit model.json") from error
    return ImportedEngine(settings, keys, program, familiarity, images)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
