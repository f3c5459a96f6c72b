# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import numpy as np
import pytest

from inference.phantoms import FINDINGS, SeedRange, chest_phantom


def test_a_seed_always_makes_the_same_phantom():
    first, second = chest_phantom(11), chest_phantom(11)
    assert np.array_equal(first.pixels, second.pixels)
    assert first.findings == second.findings
    assert first.window == second.window


def test_two_seeds_make_different_phantoms():
    assert not np.array_equal(chest_phantom(11).pixels, chest_phantom(12).pixels)


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_requested_finding_is_there_alone_with_its_mask(finding):
    for seed in range(8):
        made = chest_phantom(seed, 256, [finding])
        assert made.findings == (finding,)
        assert set(made.masks) == {finding}
        assert 0.0005 < made.masks[finding].mean() < 0.30


def test_a_healthy_phantom_has_no_masks():
    made = chest_phantom(3, findings=[])
    assert made.findings == ()
    assert made.masks == {}


@pytest.mark.parametrize("finding", [f for f in FINDINGS if f != "cardiomegaly"])
def test_a_finding_changes_the_image_most_inside_its_mask(finding):
    def brightness(made):
        return made.pixels.astype(float) / 2**made.bits_stored

    inside, outside = [], []
    for seed in range(6):
        with_it = chest_phantom(seed, 256, [finding])
        change = np.abs(brightness(with_it) - brightness(chest_phantom(seed, 256, [])))
        mask = with_it.masks[finding]
        inside.append(change[mask].mean())
        outside.append(change[~mask].mean())
    assert np.mean(inside) > 3 * np.mean(outside)


def test_an_enlarged_heart_covers_more_than_a_normal_one():
    for seed in range(4):
        enlarged = chest_phantom(seed, 128, ["cardiomegaly"]).masks["cardiomegaly"]
        columns = np.flatnonzero(enlarged.any(axis=0))
        assert np.ptp(columns) > 0.35 * 128


def test_the_matrix_size_changes_only_how_finely_a_phantom_is_drawn():
    for seed in range(5):
        coarse, fine = chest_phantom(seed, 128), chest_phantom(seed, 512)
        assert coarse.findings == fine.findings
        averaged = fine.pixels.reshape(128, 4, 128, 4).mean(axis=(1, 3))
        assert np.corrcoef(averaged.ravel(), coarse.pixels.ravel())[0, 1] > 0.99
        for key, mask in fine.masks.items():
            share = mask.reshape(128, 4, 128, 4).mean(axis=(1, 3))
            assert np.abs(share - coarse.masks[key]).mean() < 0.01


def test_random_phantoms_have_none_one_and_several_findings():
    counts = {len(chest_phantom(seed, 32).findings) for seed in range(60)}
    assert {0, 1, 2, 3} <= counts


def test_no_stored_value_exceeds_the_bits_stored():
    seen = set()
    for seed in range(12):
        made = chest_phantom(seed, 64)
        seen.add(made.bits_stored)
        assert made.pixels.max() < 2**made.bits_stored
    assert seen <= {12, 14, 15, 16}
    assert len(seen) > 1


@pytest.mark.parametrize("size", [31, 4097])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(ValueError, match="32 to 4096"):
        chest_phantom(1, size)


def test_an_unknown_finding_is_refused_by_name():
    with pytest.raises(ValueError, match="fracture"):
        chest_phantom(1, findings=["fracture"])


def test_seed_ranges_do_not_meet():
    starts = sorted(purpose.value for purpose in SeedRange)
    assert all(b - a >= 1_000_000 for a, b in pairwise(starts))
