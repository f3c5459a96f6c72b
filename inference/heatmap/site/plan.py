# SPDX-License-Identifier: Apache-2.0
"""All that determines a training run on a site's images; recorded in the bundle."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.heatmap.architecture import Architecture, PoolingName

Precision = Literal["bfloat16", "float16", "float32"]


class SitePlan(BaseModel):
    """Settings of a run; Adam's are the source's.

    Attributes
    ----------
    epochs, patience:
        At most so many epochs; stops after ``patience`` without a better mean validation AUC.
    batch:
        Images per step and process.
    absence_weight:
        Weight of the patches of classes that are known to be absent.
    recognized_first:
        Images from which a new network first learns to recognize findings in whole images
        (:mod:`inference.heatmap.recognition`), at most a fifth of the run; 0: none.
    recognition_weight, handed_down:
        Weight of that, which falls to 0 at five times as many images, and of each level's map
        against the next coarser one's, which falls to 0 at four times as many.
    outline_weight:
        Weight of continuous DICE where training images have boxes; 0 learns from labels alone.
    r0, sharpness:
        Lower bound and start of LSE-LBA's sharpness.
    slices:
        Odd; above 1 a slice of a series is seen between its neighbours (``series`` in the table).
    demographics, hidden_persons:
        Whether age and sex are seen, and the share of images for which either is hidden, so that
        the model does without.
    correlations:
        Whether probabilities of classes move each other, as validation labels say.
    precision:
        Of the forward pass; float16 scales gradients and needs a GPU.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=40, ge=1)
    patience: int = Field(default=6, ge=1)
    batch: int = Field(default=16, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=1e-5, ge=0.0)
    absence_weight: float = Field(default=0.5, ge=0.0)
    recognized_first: int = Field(default=8000, ge=0)
    recognition_weight: float = Field(default=3.0, ge=0.0)
    handed_down: float = Field(default=20.0, ge=0.0)
    outline_weight: float = Field(default=0.0, ge=0.0)
    input_size: int = Field(default=256, ge=64, multiple_of=32)
    grids: tuple[int, ...] = (64, 32, 16, 8)
    widths: tuple[int, ...] = (32, 48, 64, 96)
    pooling: PoolingName = "lse-lba"
    r0: float = Field(default=5.0, ge=0.0)
    sharpness: float = Field(default=15.0, gt=0.0)
    slices: int = Field(default=1, ge=1)
    demographics: bool = False
    hidden_persons: float = Field(default=0.3, ge=0.0, le=1.0)
    correlations: bool = False
    precision: Precision = "bfloat16"
    seed: int = 1

    def recognized_steps(self, steps_per_epoch: int, processes: int) -> int:
        """Steps in which whole images are recognized and nothing else is learned."""
        asked = self.recognized_first // (self.batch * processes)
        return min(asked, self.epochs * steps_per_epoch // 5)

    def architecture(self) -> Architecture:
        """The network to train."""
        return Architecture(
            input_size=self.input_size,
            grids=self.grids,
            widths=self.widths,
            pooling=self.pooling,
            r0=self.r0,
            slices=self.slices,
            demographics=self.demographics,
        )
