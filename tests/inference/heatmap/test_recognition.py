# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from inference.heatmap.recognition import Recognition, falling, handed_down_loss


def _maps(*values):
    grids = (8, 4, 2)
    return [
        torch.full((1, 1, grid, grid), value) for grid, value in zip(grids, values, strict=True)
    ]


def test_maps_that_say_what_the_coarser_ones_say_lose_least():
    alike = handed_down_loss(_maps(0.2, 0.2, 0.2))
    unlike = handed_down_loss(_maps(0.8, 0.2, 0.2))
    assert alike < unlike


def test_only_the_finer_map_learns():
    coarse = torch.full((1, 1, 2, 2), 0.7, requires_grad=True)
    fine = torch.full((1, 1, 4, 4), 0.2, requires_grad=True)
    handed_down_loss([fine, coarse]).backward()
    assert coarse.grad is None
    # A step against the gradient lights the fine map, as the coarse one is lit.
    assert bool((fine.grad < 0).all())


def test_certain_maps_have_a_finite_loss():
    loss = handed_down_loss(_maps(0.0, 1.0, 0.0))
    assert bool(torch.isfinite(loss))


def test_one_level_alone_hands_nothing_down():
    assert float(handed_down_loss(_maps(0.3, 0.3, 0.3)[:1])) == 0.0


def test_recognition_does_not_care_where_a_feature_lies():
    recognition = Recognition(width=3, classes=2)
    features = torch.rand(2, 3, 4, 4)
    turned = torch.rot90(features, dims=(2, 3))
    assert torch.allclose(recognition(features), recognition(turned), atol=1e-6)


@pytest.mark.parametrize(
    ("progress", "weight"), [(0.0, 1.0), (0.19, 1.0), (0.6, 0.5), (1.0, 0.0), (1.2, 0.0)]
)
def test_weights_stay_and_then_fall_evenly(progress, weight):
    assert falling(progress, 0.2, 1.0) == pytest.approx(weight)
