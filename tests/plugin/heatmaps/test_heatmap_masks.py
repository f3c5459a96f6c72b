# SPDX-License-Identifier: Apache-2.0
"""Masks keep the colour of what can be a finding, and say so where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inference.phantoms import chest_phantom
from inference.phantoms.chest import ChestPhantom
from plugin.heatmaps.finding_regions import region_of
from plugin.heatmaps.masks import RegionName, find_mask, run_lengths

SEEDS = range(9100, 9112)


def windowed(phantom: ChestPhantom) -> Image.Image:
    centre, width = phantom.window
    grey = (phantom.pixels - (centre - width / 2)) / width
    return Image.fromarray((np.clip(grey, 0, 1) * 255).astype(np.uint8))


@pytest.mark.parametrize("seed", SEEDS)
def test_findings_of_phantoms_keep_their_colour_under_the_mask_of_their_region(seed: int) -> None:
    phantom = chest_phantom(seed, 256)
    for finding, outline in phantom.masks.items():
        mask = find_mask(windowed(phantom), region_of(finding, {}))
        assert mask.area is not None, mask.warning
        there = np.asarray(outline) > 0.5
        kept = (mask.at(*there.shape) & there).sum() / there.sum()
        assert kept >= 0.9, (finding, kept)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mask_of_the_lungs_leaves_out_the_shoulders(seed: int) -> None:
    area = find_mask(windowed(chest_phantom(seed, 256)), "lungs").at(256, 256)
    assert area is not None
    assert area.mean() < 0.7
    assert not area[:8, :60].any()
    assert not area[:8, -60:].any()


@pytest.mark.parametrize("region", ["lungs", "heart", "breast", "body"])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_where_nothing_is_found_nothing_is_masked_and_a_warning_says_why(
    region: RegionName, value: int
) -> None:
    mask = find_mask(Image.new("L", (300, 200), value), region)
    if region == "body" and value:
        assert mask.area is not None
        assert mask.area.all()
    else:
        assert mask.area is None
        assert mask.warning.startswith(f"no mask of the {region}: ")
        assert mask.warning.endswith("shown unmasked")


def test_one_dark_field_is_no_pair_of_lungs() -> None:
    picture = np.zeros((200, 200), np.uint8)
    picture[10:190, 10:190] = 180
    picture[60:140, 40:80] = 60
    mask = find_mask(Image.fromarray(picture), "lungs")
    assert mask.area is None
    assert "one side" in mask.warning


def test_a_breast_at_one_side_is_found() -> None:
    y, x = np.mgrid[:300, :200]
    breast = (x / 150.0) ** 2 + ((y - 150) / 130.0) ** 2 < 1
    area = find_mask(Image.fromarray((breast * 170).astype(np.uint8)), "breast").at(300, 200)
    assert area is not None
    assert area[breast].mean() > 0.99
    assert area[~breast].mean() < 0.15


def test_run_lengths_give_the_area_again() -> None:
    for area in (np.eye(5, dtype=bool), np.ones((2, 3), bool), np.zeros((2, 2), bool)):
        lengths = run_lengths(area)
        flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        assert (flat.reshape(area.shape) == area).all()


def test_the_site_decides_before_the_shipped_table() -> None:
    assert region_of("nodule", {}) == "lungs"
    assert region_of("nodule", {"nodule": "breast"}) == "breast"
    assert region_of("something-else", {}) == "body"
