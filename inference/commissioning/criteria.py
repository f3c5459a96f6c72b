# SPDX-License-Identifier: Apache-2.0
"""Criteria that a bundle sets for itself, and the images they are measured on; free of torch."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FIRST_SEED = 4_000_000
"""``SeedRange.COMMISSIONING``: phantoms that training never sees."""


class CommissioningSet(BaseModel):
    """A small set of labelled images: phantoms by their seeds, or a folder of a site.

    A folder holds DICOM or PNG files, ``labels.csv`` and, for the pointing game, ``boxes.csv``, in
    the form that ``sidelight reviews export`` writes. A relative path is inside the bundle.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    phantoms: int = Field(default=0, ge=0, le=2000)
    first_seed: int = Field(default=FIRST_SEED, ge=FIRST_SEED, lt=FIRST_SEED + 1_000_000)
    folder: str = ""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.phantoms) == bool(self.folder):
            raise ValueError("name either a number of phantoms or a folder")
        return self


class Criteria(BaseModel):
    """Least and largest figures on the commissioning set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: CommissioningSet
    minimum_auc: float | None = Field(default=None, ge=0.0, le=1.0, description="mean of classes")
    minimum_pointing: float | None = Field(
        default=None, ge=0.0, le=1.0, description="share of findings on which the map's peak lies"
    )
    maximum_calibration_error: float | None = Field(
        default=None, ge=0.0, le=1.0, description="expected calibration error, mean of classes"
    )
    maximum_milliseconds: float | None = Field(
        default=None, gt=0.0, description="median of one image, from square to maps"
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        limits = self.model_dump(exclude={"images"})
        if all(value is None for value in limits.values()):
            raise ValueError("criteria need at least one figure")
        return self
