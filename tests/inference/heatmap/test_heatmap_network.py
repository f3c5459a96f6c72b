# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from inference.heatmap.architecture import Architecture
from inference.heatmap.network import HeatMapNetwork, ResidualDown

SMALL = Architecture(input_size=64, grids=(16, 8), widths=(8, 12), stem=4, growth=4, fused=8)


def test_there_is_one_probability_map_per_level_finest_first():
    network = HeatMapNetwork(Architecture(), classes=5).eval()
    with torch.inference_mode():
        maps = network(torch.rand(2, 1, 256, 256))
        answers = network.pooled(maps)
    assert [tuple(m.shape) for m in maps] == [(2, 5, n, n) for n in (64, 32, 16, 8)]
    assert all(((m > 0) & (m < 1)).all() for m in maps)
    assert all(answer.shape == (2, 5) for answer in answers)


def test_before_training_every_patch_is_improbable():
    with torch.inference_mode():
        maps = HeatMapNetwork(SMALL, 3).eval()(torch.rand(1, 1, 64, 64))
    assert all(m.max() < 0.2 for m in maps)


def test_residual_downsampling_starts_near_averaging():
    down = ResidualDown(4, 8).eval()
    with torch.no_grad():
        for parameter in down.change.parameters():
            parameter.zero_()
    features = torch.rand(1, 4, 8, 8)
    out = down(features)
    averaged = torch.nn.functional.avg_pool2d(features, 2)
    for channel in range(8):
        pair = torch.stack([out[0, channel].flatten(), averaged[0, channel % 4].flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.8


def test_context_flows_from_coarse_to_fine_but_not_back():
    network = HeatMapNetwork(SMALL, 2).eval()
    levels = [torch.rand(1, 8, 16, 16), torch.rand(1, 12, 8, 8)]
    changed_coarse = [levels[0], levels[1] + 1.0]
    changed_fine = [levels[0] + 1.0, levels[1]]
    with torch.inference_mode():
        before = network.decode(levels)
        assert not torch.equal(network.decode(changed_coarse)[0], before[0])
        assert torch.equal(network.decode(changed_fine)[1], before[1])


def test_all_patches_of_a_level_share_their_weights():
    network = HeatMapNetwork(SMALL, 3)
    assert [tuple(h.weight.shape) for h in network.heads] == [(3, 8, 1, 1)] * 2


def test_every_parameter_learns():
    network = HeatMapNetwork(SMALL, 3).train()
    maps = network(torch.rand(4, 1, 64, 64))
    sum(p.mean() for p in network.pooled(maps)).backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None]
    assert silent == []


@pytest.mark.parametrize(
    "sizes",
    [
        {"grids": (64, 16), "widths": (8, 8)},
        {"grids": (64, 32), "widths": (8,)},
        {"input_size": 1024},
    ],
)
def test_grids_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ValueError, match="grid"):
        Architecture(**sizes)


def test_an_input_of_1024_pixels_may_have_a_level_of_128_patches():
    architecture = Architecture(
        input_size=1024,
        grids=(128, 64, 32, 16, 8),
        widths=(4, 4, 4, 4, 4),
        stem=4,
        growth=4,
        fused=4,
    )
    with torch.inference_mode():
        maps = HeatMapNetwork(architecture, 2).eval()(torch.rand(1, 1, 1024, 1024))
    assert [m.shape[-1] for m in maps] == [128, 64, 32, 16, 8]
