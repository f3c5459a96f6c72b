# SPDX-License-Identifier: Apache-2.0
"""DenseNet-121 weights of torchxrayvision and of MONAI, from a local file, never by pickle."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from inference.imported.archives import refuse_pickle
from inference.imported.errors import ModelImportError, PickleRefusedError

# torchxrayvision's order of outputs (Cohen et al., arXiv:2111.00595, section 3).
TORCHXRAYVISION_FINDINGS = (
    "Atelectasis", "Consolidation", "Infiltration", "Pneumothorax", "Edema", "Emphysema",
    "Fibrosis", "Effusion", "Pneumonia", "Pleural_Thickening", "Cardiomegaly", "Nodule", "Mass",
    "Hernia", "Lung Lesion", "Fracture", "Lung Opacity", "Enlarged Cardiomediastinum",
)  # fmt: skip
TORCHXRAYVISION_SIZE = 224

_THRESHOLDS = "op_threshs"
_CONVERT = (
    "{name} is a pickled model, as torchxrayvision publishes them, and reading it would run code "
    'that it carries. On a machine where you trust the file: python -c "import torch, '
    "torchxrayvision as x; from safetensors.torch import save_file; m = x.models.DenseNet("
    "weights='densenet121-res224-all'); save_file({{**m.state_dict(), 'op_threshs': torch.tensor("
    "m.op_threshs).float()}}, 'densenet121.safetensors')\"; then import densenet121.safetensors"
)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint: safetensors, or ``torch.save`` of nothing but tensors.

    A checkpoint of a training run (``{"state_dict": …}``, ``{"model": …}``) gives its network.

    Raises
    ------
    PickleRefusedError
        It can only be read by running code.
    ModelImportError
        It is damaged.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        refuse_pickle(path)
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ModelImportError(f"{path.name} is damaged") from error
    except OSError as error:
        raise ModelImportError(f"{path.name} can't be read: {error.strerror}") from error
    for wrapper in ("state_dict", "model", "net"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise ModelImportError(f"{path.name} holds no state dict")
    return {str(k).removeprefix("module."): v for k, v in content.items() if isinstance(v, Tensor)}


class DenseNetWeights:
    """Weights under torchvision's names, and what comes with them."""

    def __init__(self, tensors: dict[str, Tensor], thresholds: tuple[float, ...]) -> None:
        self.tensors = tensors
        self.thresholds = thresholds

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return int(self.tensors["classifier.weight"].shape[0])

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.tensors["features.conv0.weight"].shape[1])


def torchxrayvision_weights(path: Path) -> DenseNetWeights:
    """A torchxrayvision DenseNet-121; thresholds where the checkpoint has them (``op_threshs``).

    Outputs without a threshold were not trained in that checkpoint.

    Raises
    ------
    PickleRefusedError
        It is a pickled model; says how to convert it.
    ModelImportError
        It is another network.
    """
    try:
        tensors = read_state_dict(path)
    except PickleRefusedError as error:
        raise PickleRefusedError(_CONVERT.format(name=path.name)) from error
    given = tensors.pop(_THRESHOLDS, None)
    weights = densenet_weights(tensors, path.name)
    thresholds = tuple(map(float, given.flatten())) if given is not None else ()
    if thresholds and len(thresholds) != weights.outputs:
        raise ModelImportError(f"{path.name} has {len(thresholds)} thresholds, not one per output")
    return DenseNetWeights(weights.tensors, thresholds)


def is_torchxrayvision(tensors: Mapping[str, Tensor]) -> bool:
    """Whether tensors are those of torchxrayvision, whatever their file is called."""
    first, last = tensors.get("features.conv0.weight"), tensors.get("classifier.weight")
    if first is None or last is None:
        return False
    fits = first.shape[1] == 1 and last.shape[0] == len(TORCHXRAYVISION_FINDINGS)
    return fits or _THRESHOLDS in tensors


def densenet_weights(tensors: Mapping[str, Tensor], name: str) -> DenseNetWeights:
    """Weights of torchvision's, torchxrayvision's or MONAI's DenseNet-121 under one naming.

    Raises
    ------
    ModelImportError
        They belong to another network.
    """
    renamed = {_torchvision_name(key): value for key, value in tensors.items()}
    if not {"features.conv0.weight", "classifier.weight"} <= set(renamed):
        raise ModelImportError(f"{name} is no DenseNet-121: its first or last layer is missing")
    renamed = {key: value.float().contiguous() for key, value in renamed.items()
               if key.startswith(("features.", "classifier."))}  # fmt: skip
    return DenseNetWeights(renamed, ())


def trained_outputs(thresholds: tuple[float, ...], outputs: int) -> list[int]:
    """The outputs that a checkpoint was trained for: all, or those with a threshold."""
    if not thresholds:
        return list(range(outputs))
    return [number for number, value in enumerate(thresholds) if not math.isnan(value)]


def _torchvision_name(key: str) -> str:
    """MONAI nests ``layers`` in its dense layers and calls the head ``class_layers.out``."""
    key = key.replace("class_layers.out.", "classifier.").replace(".layers.", ".")
    # torchvision before 0.3 wrote norm.1 for norm1.
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d\.)", r"\1\2", key)
