# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from inference.imported.attribution import importance_map, integrated_gradients, occlusion
from inference.imported.structure import shrunk


def weighted(images):
    """Two logits: the sum of squares of the upper half, and less than nothing of the lower one."""
    upper, lower = images[:, 0, :16], images[:, 0, 16:]
    return torch.stack([(upper**2).sum(dim=(1, 2)), -lower.sum(dim=(1, 2))], dim=1)


@pytest.fixture
def image():
    return torch.rand(32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_integrated_gradients_add_up_to_the_difference_from_black(image, batch):
    found = integrated_gradients(weighted, image, batch, steps=32)
    black = weighted(torch.zeros(1, 1, 32, 32))
    expected = (weighted(image[None, None]) - black)[0]
    assert found.sum(dim=(1, 2)).tolist() == pytest.approx(expected.tolist(), rel=1e-3)


@pytest.mark.parametrize("batch", [1, 7])
def test_occlusion_is_the_logit_that_a_patch_takes_along(image, batch):
    found = occlusion(weighted, image, 4, batch)
    covered = image.clone()
    covered[8:16, 16:24] = image.mean()
    expected = (weighted(image[None, None]) - weighted(covered[None, None]))[0]
    assert found[:, 1, 2].tolist() == pytest.approx(expected.tolist(), abs=1e-3)
    assert found.shape == (2, 4, 4)


def test_a_map_peaks_at_the_probability_of_its_class_and_never_below_zero():
    importance = torch.tensor([[[1.0, -2.0], [4.0, 0.0]], [[-1.0, -1.0], [-3.0, -1.0]]])
    found = importance_map(importance, torch.tensor([0.8, 0.9]), 2)
    assert found[0].flatten().tolist() == pytest.approx([0.2, 0.0, 0.8, 0.0])
    assert not found[1].any()


@pytest.mark.parametrize("size", [16, 50, 224])
def test_small_images_keep_the_mean_of_any_size(size):
    images = np.random.default_rng(2).random((3, size, size), dtype=np.float32)
    small = shrunk(images, 16).reshape(3, 16, 16)
    edges = np.rint(np.linspace(0, size, 17)).astype(int)
    assert small[1, 3, 5] == pytest.approx(
        images[1, edges[3] : edges[4], edges[5] : edges[6]].mean(), rel=1e-5
    )
