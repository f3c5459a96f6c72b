# SPDX-License-Identifier: Apache-2.0
"""Tiny networks whose answers are known, in every format that can be imported."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SIZE = 64
CLASSES = ("Nodule", "Effusion")


class BrightSpot(nn.Module):
    """Class 0 is the brightness of the brightest 8 x 8 square, class 1 the darkness of it."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.mean = nn.Conv2d(channels, 1, 8, stride=8, bias=False)
        self.head = nn.Linear(1, 2)
        with torch.no_grad():
            self.mean.weight.fill_(1.0 / (64 * channels))
            self.head.weight.copy_(torch.tensor([[10.0], [-10.0]]))
            self.head.bias.copy_(torch.tensor([-5.0, 1.0]))

    def forward(self, images: Tensor) -> Tensor:
        spots = self.mean(images).flatten(1)
        return self.head(spots.amax(dim=1, keepdim=True))


class BrightPixels(nn.Module):
    """Two channels: background, and what is bright."""

    def forward(self, images: Tensor) -> Tensor:
        bright = 20.0 * (images - 0.7)
        return torch.cat((torch.zeros_like(bright), bright), dim=1)


def spot_image(row: int, column: int, size: int = SIZE) -> np.ndarray:
    """A dim image with one bright 8 x 8 square at the patch ``(row, column)``."""
    image = np.full((size, size), 0.1, dtype=np.float32)
    image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1.0
    return image


def torchscript(path: Path, module: nn.Module | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script((module or BrightSpot()).eval()).save(str(path))
    return path


def exported(path: Path, *, one_by_one: bool = False, module: nn.Module | None = None) -> Path:
    example = torch.zeros(1 if one_by_one else 2, 1, SIZE, SIZE)
    batch = None if one_by_one else ({0: torch.export.Dim("batch", min=1, max=64)},)
    program = torch.export.export((module or BrightSpot()).eval(), (example,), dynamic_shapes=batch)
    torch.export.save(program, path)
    return path


def onnx(path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            BrightSpot().eval(),
            (torch.zeros(2, 1, SIZE, SIZE),),
            path,
            dynamo=False,
            input_names=["image"],
            dynamic_axes={"image": {0: "batch"}},
        )
    return path


def monai_bundle(folder: Path, *, task: str = "segmentation", **changes: object) -> Path:
    """A MONAI bundle as ``monai.bundle`` lays it out."""
    outputs = {
        "segmentation": {"type": "image", "format": "segmentation",
                         "channel_def": {"0": "background", "1": "nodule"}},
        "classification": {"type": "probabilities", "format": "classification",
                           "channel_def": {"0": "nodule", "1": "effusion"}},
    }[task]  # fmt: skip
    metadata = {
        "name": "Bright things",
        "version": "0.3.1",
        "task": f"Find bright things ({task})",
        "network_data_format": {
            "inputs": {
                "image": {"type": "image", "num_channels": 1, "spatial_shape": [SIZE, SIZE],
                          "value_range": [0, 1], **changes}
            },
            "outputs": {"pred": {"num_channels": 2, **outputs}},
        },
    }  # fmt: skip
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    module = BrightPixels() if task == "segmentation" else BrightSpot()
    torchscript(folder / "models" / "model.ts", module)
    return folder
