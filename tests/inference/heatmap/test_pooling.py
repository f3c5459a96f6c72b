# SPDX-License-Identifier: Apache-2.0
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.heatmap.architecture import PoolingName
from inference.heatmap.pooling import LseLba, MaxPool, MeanPool, lse_pool, make_pooling

patches = st.lists(st.floats(0.0, 1.0, width=32), min_size=4, max_size=64)
sharpness = st.floats(2.0**-10, 2.0**20, width=32)


def pooled(values, r):
    return lse_pool(torch.tensor(values).view(1, 1, 1, -1), torch.tensor([r])).item()


@given(patches, sharpness)
def test_lse_lies_between_mean_and_maximum(values, r):
    s = torch.tensor(values)
    p = pooled(values, r)
    assert s.mean().item() - 1e-6 <= p <= s.max().item()


@given(patches, sharpness, st.data())
def test_lse_grows_with_every_patch(values, r, data):
    index = data.draw(st.integers(0, len(values) - 1))
    higher = list(values)
    higher[index] = data.draw(st.floats(values[index], 1.0, width=32))
    assert pooled(higher, r) >= pooled(values, r) - 2e-6


@given(sharpness, st.integers(1, 4096))
def test_lse_of_all_zeros_is_zero_and_of_all_ones_is_one(r, count):
    assert pooled([0.0] * count, r) == 0.0
    assert pooled([1.0] * count, r) == 1.0


@given(patches, st.floats(2.0**-26, 2.0**100, width=32))
def test_lse_is_finite_in_float32_at_any_sharpness(values, r):
    s = torch.tensor(values).view(1, 1, 1, -1).requires_grad_()
    p = lse_pool(s, torch.tensor([r]))
    p.sum().backward()
    assert torch.isfinite(p).all()
    assert torch.isfinite(s.grad).all()


@settings(max_examples=50)
@given(patches, st.floats(0.125, 200.0, width=32))
def test_lse_agrees_with_its_definition_in_double_precision(values, r):
    s = torch.tensor(values, dtype=torch.float64)
    expected = torch.log(torch.exp(r * s).mean()) / r
    assert pooled(values, r) == pytest.approx(expected.item(), abs=2e-6)


def test_one_saturated_patch_of_4096_gives_a_quarter_at_sharpness_11():
    values = torch.zeros(1, 1, 64, 64)
    values[0, 0, 3, 5] = 1.0
    assert lse_pool(values, torch.tensor([11.0])).item() == pytest.approx(0.25, abs=0.01)


def test_sharpness_is_learned_per_class_and_never_below_r0():
    pool = LseLba(3, r0=5.0, start=8.0)
    assert pool.sharpness().tolist() == pytest.approx([8.0] * 3)
    with torch.no_grad():
        pool.beta.fill_(-50.0)
    assert (pool.sharpness() >= 5.0).all()
    pool(torch.rand(2, 3, 8, 8)).sum().backward()
    assert pool.beta.grad.shape == (3,)


def test_maximum_and_mean_pool_every_class_alone():
    values = torch.rand(2, 3, 4, 4)
    assert torch.equal(MaxPool()(values), values.amax(dim=(2, 3)))
    assert torch.allclose(MeanPool()(values), values.mean(dim=(2, 3)))


@pytest.mark.parametrize("name", get_args(PoolingName))
@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.floats(0.0, 1.0, width=32), min_size=16, max_size=16))
def test_every_pooling_stays_a_probability_with_finite_gradients(name, values):
    s = torch.tensor(values).view(1, 1, 4, 4).requires_grad_()
    p = make_pooling(name, 1, 10.0)(s)
    p.sum().backward()
    assert p.shape == (1, 1)
    assert 0.0 <= p.item() <= 1.0 + 1e-6
    assert torch.isfinite(s.grad).all()


@pytest.mark.parametrize("name", get_args(PoolingName))
def test_every_pooling_of_zeros_is_zero_and_of_ones_is_one(name):
    pool = make_pooling(name, 1, 10.0)
    assert pool(torch.zeros(1, 1, 8, 8)).item() == pytest.approx(0.0, abs=1e-5)
    assert pool(torch.ones(1, 1, 8, 8)).item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", get_args(PoolingName))
@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(0.0, 1.0, width=32), min_size=16, max_size=16),
    index=st.integers(0, 15),
)
def test_every_pooling_grows_with_every_patch(name, values, index):
    pool = make_pooling(name, 1, 10.0)
    higher = [1.0 if i == index else v for i, v in enumerate(values)]
    with torch.no_grad():
        before, after = (pool(torch.tensor(v).view(1, 1, 4, 4)).item() for v in (values, higher))
    assert after >= before - 2e-6


def test_filtered_maximum_is_deaf_to_a_single_patch():
    alone, together = torch.zeros(1, 1, 9, 9), torch.zeros(1, 1, 9, 9)
    alone[0, 0, 4, 4] = 1.0
    together[0, 0, 3:6, 3:6] = 1.0
    pool = make_pooling("filtered-max", 1, 0.0)
    assert pool(alone).item() == pytest.approx(1 / 9)
    assert pool(together).item() == pytest.approx(1.0)


def test_noisy_or_is_the_probability_that_any_patch_is_positive():
    values = torch.tensor([0.5, 0.2, 0.1, 0.0]).view(1, 1, 2, 2)
    expected = 1 - 0.5 * 0.8 * 0.9
    assert make_pooling("noisy-or", 1, 0.0)(values).item() == pytest.approx(expected, abs=1e-6)


def test_an_unknown_pooling_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="lse-lba, max, mean, filtered-max"):
        make_pooling("median", 3, 5.0)


def test_an_r0_that_leaves_no_room_is_refused():
    with pytest.raises(ValueError, match="r0"):
        LseLba(3, r0=20.0, start=20.0)
