# SPDX-License-Identifier: AGPL-3.0-or-later
"""The yardstick of the viewer tests: it finds what is drawn in the wrong place."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from benchmarks.conformance_samples import judged
from inference.contract import ImageAnalysis
from tests.viewers.model_map import ModelMap, mask_error

EFFUSION = "pleural-effusion"


@pytest.fixture
def analysis() -> ImageAnalysis:
    """A hill of height 0.9 and width 6 cells in row 45, column 30 of 64, on 512 x 512 pixels."""
    header = Dataset()
    header.SOPInstanceUID, header.Rows, header.Columns = "1.2.3", 512, 512
    return judged(header, present=True)


def _circle(shift: float = 0.0) -> np.ndarray:
    # Where 0.9 exp(-r^2 / (2 * 6^2)) is 0.5; the middle of cell 30 lies at 30.5 cells of 8 pixels.
    radius = 8 * 6 * np.sqrt(2 * np.log(0.9 / 0.5))
    angle = np.linspace(0, 2 * np.pi, 40)
    x, y = 8 * 30.5 + radius * np.cos(angle), 8 * 45.5 + radius * np.sin(angle)
    return np.column_stack([x + shift, y])


def test_a_line_where_the_model_draws_it_is_in_place(analysis: ImageAnalysis) -> None:
    assert ModelMap(analysis, EFFUSION, 0.5).distances(_circle()).max() < 0.3


def test_a_line_that_is_one_pixel_off_is_found(analysis: ImageAnalysis) -> None:
    assert ModelMap(analysis, EFFUSION, 0.5).distances(_circle(shift=1.0)).max() > 0.7


def test_a_mask_that_is_shifted_by_two_pixels_is_found(analysis: ImageAnalysis) -> None:
    model_map = ModelMap(analysis, EFFUSION, 0.5)
    assert mask_error([model_map], model_map.inside()) == 0.0
    assert mask_error([model_map], np.roll(model_map.inside(), 2, axis=1)) > 1.0
