# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from inference.heatmap.site.augmentation import DEGREES, SHIFT, draw, moved


def test_zoom_shift_and_turn_stay_within_their_bounds():
    maps = draw(4000, torch.Generator().manual_seed(1)).double()
    sizes = 1.0 / torch.linalg.det(maps[:, :, :2]).sqrt()
    turns = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert 0.75 <= sizes.min() < 0.76
    assert 1.24 < sizes.max() <= 1.25 + 1e-6
    assert turns.abs().max() <= DEGREES + 1e-4
    assert maps[:, :, 2].abs().max() <= 2 * SHIFT
    assert sizes.mean() == pytest.approx(1.0, abs=0.01)


def test_truth_moves_with_its_image_though_its_grid_is_coarser():
    generator = torch.Generator().manual_seed(2)
    image, truth = torch.zeros(40, 1, 128, 128), torch.zeros(40, 1, 32, 32)
    image[:, :, 40:56, 72:88] = 1.0
    truth[:, :, 10:14, 18:22] = 1.0
    maps = draw(40, generator)
    images, truths = moved(image, maps), moved(truth, maps)
    coarse = torch.nn.functional.avg_pool2d(images, 4)
    places = np.linspace(-1, 1, 32)
    for made, said in zip(coarse[:, 0].numpy(), truths[:, 0].numpy(), strict=True):
        for axis in (0, 1):
            centre, expected = ((m.sum(axis=axis) * places).sum() / m.sum() for m in (made, said))
            assert centre == pytest.approx(expected, abs=0.02)


def test_no_change_changes_nothing():
    maps = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    values = torch.rand(1, 2, 16, 16)
    assert torch.allclose(moved(values, maps), values, atol=1e-5)
