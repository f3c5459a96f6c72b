# SPDX-License-Identifier: Apache-2.0
"""The pixel model: where in the body a slice lies, learned from the order of slices alone."""

from inference.anatomy.pixels.regressor import BodyPartRegressor, PixelAnswer, shipped_regressor

__all__ = ["BodyPartRegressor", "PixelAnswer", "shipped_regressor"]
