# SPDX-License-Identifier: Apache-2.0
"""What ``model.json`` records of a model that others trained; free of torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference.heatmap.calibration import Calibration
from inference.heatmap.familiarity import FamiliarityLimits

Runtime = Literal["torchscript", "exported", "onnx", "densenet121"]
Task = Literal["classification", "segmentation"]
Activation = Literal["sigmoid", "softmax", "none"]
Maps = Literal["output", "activation", "occlusion", "gradients"]

# The file of a bundle that holds the program; DenseNet-121 is Sidelight's own code.
PROGRAMS: dict[str, str] = {
    "torchscript": "network.ts",
    "exported": "network.pt2",
    "onnx": "network.onnx",
}


class Normalization(BaseModel):
    """From the front end's grey values in 0..1 to what the model was trained on.

    Each of ``channels`` equal channels is ``(value - mean) / deviation``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Literal[1, 3] = 1
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)

    @model_validator(mode="after")
    def _one_number_per_channel(self) -> Self:
        if not len(self.mean) == len(self.deviation) == self.channels:
            raise ValueError("mean and deviation need one number per channel")
        if any(not value > 0.0 for value in self.deviation):
            raise ValueError("deviations must be above 0")
        return self


class ImportedSettings(BaseModel):
    """The imported part of a bundle's ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: Runtime
    source: str = Field(min_length=1, description="format that it was imported from, in words")
    task: Task
    input_size: int = Field(ge=32, le=2048)
    normalization: Normalization = Normalization()
    activation: Activation = "sigmoid"
    channels: tuple[int, ...] = Field(min_length=1, description="output channel of each class")
    outputs: int = Field(ge=1, description="number of output channels")
    maps: Maps
    grid: int = Field(ge=2, le=256, description="patches a side of the probability map")
    batch: int = Field(default=16, ge=1, le=64, description="images at a time that it takes")
    calibration: dict[str, Calibration] = Field(description="by class key")
    familiarity: FamiliarityLimits | None = Field(
        default=None, description="None: it was never shown a site's images and abstains from none"
    )

    @model_validator(mode="after")
    def _channels_exist(self) -> Self:
        if max(self.channels) >= self.outputs or min(self.channels) < 0:
            raise ValueError(f"channels must lie in 0..{self.outputs - 1}")
        if (self.task == "segmentation") != (self.maps == "output"):
            raise ValueError("maps are 'output' for a segmentation, and for nothing else")
        if self.maps == "activation" and self.runtime != "densenet121":
            raise ValueError("class activation needs a network whose head is known: densenet121")
        if self.maps == "gradients" and self.runtime == "onnx":
            raise ValueError("ONNX has no gradients; use occlusion")
        return self

    @property
    def program(self) -> str | None:
        """Name of the file beside the weights that holds the network, if there is one."""
        return PROGRAMS.get(self.runtime)
