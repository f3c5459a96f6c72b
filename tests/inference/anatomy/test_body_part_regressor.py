# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.stats import spearmanr

from inference.anatomy.learned import AnatomyModelError
from inference.anatomy.pixels import BodyPartRegressor, shipped_regressor
from inference.phantoms.body import SEGMENTS, SIZE, body_volume


def test_a_phantom_is_the_same_for_the_same_seed_and_another_for_another():
    one, same, other = (body_volume(seed, 60.0).slices for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_a_whole_phantom_shows_every_region_from_top_to_bottom():
    volume = body_volume(3)
    assert volume.slices.shape == (len(volume.heights), SIZE, SIZE)
    assert list(dict.fromkeys(volume.regions)) == [name for name, _ in SEGMENTS]


def test_scores_of_phantoms_never_seen_grow_from_head_to_foot():
    for seed in range(4):
        volume = body_volume(seed)
        scores = shipped_regressor().scores(volume.slices)
        assert spearmanr(volume.heights, scores).statistic > 0.97


def test_a_chest_is_recognized_by_its_slices_alone():
    volume = body_volume(5)
    chest = np.array([region == "chest" for region in volume.regions])
    answer = shipped_regressor().recognize(volume.slices[chest])
    assert answer.regions == {"chest"}
    assert 0.5 < answer.confidence <= 1.0


def test_slices_of_another_matrix_size_score_alike():
    volume = body_volume(6, 60.0)
    fine = volume.slices.repeat(4, axis=1).repeat(4, axis=2)
    close = shipped_regressor().scores(fine) - shipped_regressor().scores(volume.slices)
    assert np.abs(close).max() < 0.05


def test_slices_without_order_have_less_confidence():
    volume = body_volume(7)
    mixed = np.random.default_rng(1).permutation(volume.slices)
    model = shipped_regressor()
    assert model.recognize(mixed).confidence < model.recognize(volume.slices).confidence


def test_damaged_weights_and_borders_out_of_order_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(AnatomyModelError, match="no body-part regressor"):
        BodyPartRegressor.load(path)
    with pytest.raises(AnatomyModelError, match="borders"):
        BodyPartRegressor({}, ("head", "neck"), (1.0, 2.0))


def test_saved_weights_score_as_before(tmp_path):
    path = tmp_path / "weights.safetensors"
    shipped_regressor().save(path)
    slices = body_volume(8, 80.0).slices
    again = BodyPartRegressor.load(path).scores(slices)
    assert np.allclose(again, shipped_regressor().scores(slices), atol=1e-2)
