# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.heatmap.losses import place_loss
from inference.heatmap.mixing import mix


def batch(seed: int, labels: list[list[bool]]):
    images = np.arange(len(labels), dtype=np.float32)[:, None, None] / 10 + np.zeros(
        (len(labels), 64, 64), np.float32
    )
    return mix(images, np.array(labels), 1.0, 16, np.random.default_rng(seed))


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_every_patch_keeps_what_its_own_image_says(seed):
    labels = [[True, False], [False, False], [True, True]]
    made = batch(seed, labels)
    for index in range(3):
        other = (index + 1) % 3
        cells = made.images[index].reshape(16, 4, 16, 4).mean(axis=(1, 3))
        for c in range(2):
            for cell, absent in zip(cells.flat, made.absent[index, c].flat, strict=True):
                source = index if cell == pytest.approx(index / 10) else other
                if absent:
                    assert not labels[source][c]


def test_a_label_is_unknown_where_a_part_may_show_the_finding_and_absent_where_none_can():
    made = batch(1, [[True, False], [False, False]])
    assert np.isnan(made.labels[:, 0]).all()
    assert made.labels[:, 1].tolist() == [0.0, 0.0]


def test_patches_along_the_border_say_nothing_of_findings_that_one_of_both_shows():
    made = batch(2, [[True], [False]])
    inside = made.images[0] == made.images[0].max()
    rows = np.flatnonzero(inside.any(axis=1)) // 4
    columns = np.flatnonzero(inside.any(axis=0)) // 4
    assert not made.absent[0, 0, rows[0], columns[0] : columns[-1] + 1].any()
    assert made.absent[0, 0].any() or min(len(set(rows)), len(set(columns))) <= 4


def test_without_a_share_nothing_is_mixed():
    images = np.random.default_rng(0).random((2, 64, 64), np.float32)
    made = mix(images, np.array([[True], [False]]), 0.0, 16, np.random.default_rng(0))
    assert np.array_equal(made.images, images)
    assert made.labels.tolist() == [[1.0], [0.0]]
    assert made.absent[1].all()
    assert not made.absent[0].any()


def test_the_place_loss_falls_when_a_map_leaves_the_patches_without_the_finding():
    absent = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    absent[..., :4] = True
    labels = torch.tensor([[float("nan")]])
    wrong, right = torch.full((1, 1, 8, 8), 0.01), torch.full((1, 1, 8, 8), 0.01)
    wrong[..., 2, 2], right[..., 2, 6] = 0.95, 0.95
    r = torch.tensor([15.0])
    assert place_loss(wrong, labels, absent, r) > 3 * place_loss(right, labels, absent, r)


def test_the_place_loss_is_silent_where_the_label_is_known():
    patches = torch.full((1, 1, 8, 8), 0.9, requires_grad=True)
    loss = place_loss(
        patches, torch.tensor([[1.0]]), torch.ones(1, 1, 8, 8, dtype=torch.bool), torch.ones(1)
    )
    assert loss.item() == 0.0
