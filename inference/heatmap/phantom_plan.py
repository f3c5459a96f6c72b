# SPDX-License-Identifier: Apache-2.0
"""All that determines a training run on phantoms; free of torch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from inference.heatmap.architecture import Architecture, PoolingName

_BLUNT = 6.5


class TrainingPlan(BaseModel):
    """All that determines a training run; recorded in the bundle.

    Attributes
    ----------
    phantoms, validation, test:
        Images of each purpose.
    epochs, images_per_epoch:
        Images that are shown in all are the product; an epoch draws from all phantoms.
    absence_weight:
        Weight of the patches of absent classes.
    mixed, mixed_from:
        Share of images that are put together of two, and the epochs before the first of them: what
        a finding looks like is learned sooner from whole images.
    place_weight:
        Weight of patches of these images that are lit where the finding is absent.
    recognition:
        Share of the run in which whole images are recognized first (:mod:`recognition`); 0: never.
    recognition_weight:
        Its weight, which falls to 0 at four fifths of the run.
    handed_down:
        Weight of each level's map against the next coarser one's, which falls to 0 at half.
    pooling_rate:
        Learning rate of the links and of the pooling's sharpness, which have one value per class.
    r0, sharpness:
        Lower bound and start of LSE-LBA's sharpness.
    sharpest:
        Upper bounds of it, each with the epochs before it holds. Left alone it grows towards the
        maximum, which asks for a peak and nothing around it: maps would show where, not how far.
    averaging:
        Decay per step of the running average of the weights, which is what becomes the bundle.
    start:
        Digest of the bundle whose weights are the start; empty for new weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    phantoms: int = Field(default=8000, ge=64)
    validation: int = Field(default=800, ge=64)
    test: int = Field(default=800, ge=64)
    epochs: int = Field(default=40, ge=1)
    images_per_epoch: int = Field(default=4000, ge=32)
    batch: int = Field(default=16, ge=2)
    learning_rate: float = Field(default=5e-3, gt=0.0)
    pooling_rate: float = Field(default=1e-2, gt=0.0)
    weight_decay: float = Field(default=1e-5, ge=0.0)
    absence_weight: float = Field(default=0.5, ge=0.0)
    mixed: float = Field(default=0.5, ge=0.0, le=1.0)
    mixed_from: int = Field(default=19, ge=0)
    place_weight: float = Field(default=1.0, ge=0.0)
    outlined: float = Field(default=0.0, ge=0.0, le=1.0)
    outline_weight: float = Field(default=1.0, ge=0.0)
    recognition: float = Field(default=0.0, ge=0.0, lt=1.0)
    recognition_weight: float = Field(default=3.0, ge=0.0)
    handed_down: float = Field(default=20.0, ge=0.0)
    pooling: PoolingName = "lse-lba"
    grids: tuple[int, ...] = (64, 32, 16, 8)
    widths: tuple[int, ...] = (32, 48, 64, 96)
    r0: float = Field(default=5.0, ge=0.0)
    sharpness: float = Field(default=15.0, gt=0.0)
    sharpest: tuple[tuple[int, float], ...] = ((23, 12.0), (35, 8.0))
    averaging: float = Field(default=0.998, ge=0.0, lt=1.0)
    bfloat16: bool = True
    seed: int = 1
    start: str = ""

    @classmethod
    def short(cls, **settings: Any) -> TrainingPlan:
        """A plan for minutes: it recognizes whole images first and pools bluntly from the start."""
        epochs = settings.get("epochs", cls.model_fields["epochs"].default)
        plan = {
            "learning_rate": 3e-3,
            "recognition": 0.15,
            "mixed_from": 3 * epochs // 10,
            "sharpness": 8.0,
            "sharpest": ((epochs // 5, 8.0), (3 * epochs // 5, _BLUNT)),
            "averaging": 0.995,
        }
        return cls(**{**plan, **settings})

    @classmethod
    def refining(cls, start: str, **settings: Any) -> TrainingPlan:
        """A plan that goes on from a trained bundle, at a lower rate and with a blunter pooling.

        What a finding looks like is known by then; a pooling that asks for more than a peak makes
        the map follow how far it reaches.
        """
        plan = {"learning_rate": 2e-3, "mixed_from": 0, "sharpest": ((0, _BLUNT),)}
        return cls(start=start, **{**plan, **settings})

    def architecture(self) -> Architecture:
        """The network to train."""
        return Architecture(grids=self.grids, widths=self.widths, pooling=self.pooling, r0=self.r0)
