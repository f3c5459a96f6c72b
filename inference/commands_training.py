# SPDX-License-Identifier: Apache-2.0
"""``sidelight train``: the trainings of all kinds of models."""

from inference.anatomy.training.commands import (
    train_anatomy,
    train_body_part,
    train_single_image,
)
from inference.anatomy.training.commands_pixels import train_anatomy_pixels
from inference.anatomy.training.commands_study import train_anatomy_study
from inference.commands_train import train

__all__ = ["train"]

train.command("anatomy")(train_anatomy)
train.command("anatomy-study")(train_anatomy_study)
train.command("anatomy-pixels")(train_anatomy_pixels)
train.command("body-part")(train_body_part)
train.command("single-image")(train_single_image)
