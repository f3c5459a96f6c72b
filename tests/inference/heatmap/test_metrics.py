# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.heatmap.calibration import Calibration, fit_calibration
from inference.heatmap.metrics import (
    area_under_curve,
    average_precision,
    best_patch_threshold,
    best_threshold,
    continuous_dice,
    expected_calibration_error,
    pointing_hit,
    quiet_patch_threshold,
)

YES_LAST = np.array([False, False, True, True])
RISING = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32)


def test_auc_is_one_for_perfect_and_zero_for_reversed_scores():
    assert area_under_curve(RISING, YES_LAST) == 1.0
    assert area_under_curve(-RISING, YES_LAST) == 0.0


def test_auc_counts_ties_half():
    assert area_under_curve(np.zeros(4, np.float32), YES_LAST) == 0.5


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_in_order(pairs):
    scores = np.array([p[0] for p in pairs], dtype=np.float32)
    labels = np.array([p[1] for p in pairs])
    if labels.all() or not labels.any():
        assert np.isnan(area_under_curve(scores, labels))
        return
    above = scores[labels][:, None] - scores[~labels][None, :]
    expected = ((above > 0) + 0.5 * (above == 0)).mean()
    assert area_under_curve(scores, labels) == pytest.approx(expected)


def test_average_precision_follows_the_ranking():
    assert average_precision(RISING, YES_LAST) == 1.0
    labels = np.array([True, False, False, True])
    assert average_precision(RISING, labels) == pytest.approx((1 + 2 / 4) / 2)


def test_calibration_error_is_the_gap_between_said_and_seen():
    said = np.full(100, 0.7, np.float32)
    seen = np.arange(100) < 50
    assert expected_calibration_error(said, seen) == pytest.approx(0.2, abs=1e-6)


def test_the_threshold_lies_in_the_middle_of_the_gap():
    scores = np.array([0.1, 0.2, 0.6, 0.9], np.float32)
    assert best_threshold(scores, YES_LAST) == pytest.approx(0.4)


def test_a_threshold_does_not_cut_between_equal_scores():
    scores = np.array([0.2, 0.5, 0.5, 0.9], np.float32)
    assert best_threshold(scores, YES_LAST) in (pytest.approx(0.35), pytest.approx(0.7))


def test_the_patch_threshold_separates_the_finding_from_its_surround():
    truth = np.zeros((3, 8, 8), np.float32)
    truth[:, 2:5, 2:5] = 1.0
    patches = np.where(truth > 0, np.float32(0.6), np.float32(0.3))
    assert 0.3 < best_patch_threshold(patches, truth) <= 0.6


def test_pointing_and_dice_of_a_perfect_and_an_empty_map():
    truth = np.zeros((4, 4), np.float32)
    truth[1, 2] = 1.0
    assert pointing_hit(truth, truth)
    assert not pointing_hit(1.0 - truth, truth)
    assert continuous_dice(truth, truth) == 1.0
    assert continuous_dice(np.zeros_like(truth), truth) == 0.0
    assert continuous_dice(np.zeros_like(truth), np.zeros_like(truth)) == 1.0


def test_calibration_makes_probabilities_mean_what_they_say():
    rng = np.random.default_rng(1)
    truth = rng.random(4000)
    labels = rng.random(4000) < truth
    logits = np.log(truth / (1 - truth))
    squeezed = (1 / (1 + np.exp(-(0.3 * logits - 1.0)))).astype(np.float32)
    before = expected_calibration_error(squeezed, labels)
    after = expected_calibration_error(fit_calibration(squeezed, labels).apply(squeezed), labels)
    assert before > 0.15
    assert after < 0.03


@given(st.floats(0.01, 100.0), st.floats(-5.0, 5.0))
def test_calibration_never_reverses_an_order(slope, offset):
    scores = np.linspace(0.0, 1.0, 101, dtype=np.float32)
    applied = Calibration(slope=slope, offset=offset).apply(scores)
    assert (np.diff(applied) >= 0).all()
    assert ((applied >= 0) & (applied <= 1)).all()


def test_the_patch_threshold_leaves_most_images_without_the_finding_dark():
    rng = np.random.default_rng(2)
    patches = rng.uniform(0.0, 0.3, (200, 8, 8)).astype(np.float32)
    labels = np.arange(200) < 100
    patches[:100, 3, 3] = 0.9
    threshold = quiet_patch_threshold(patches, labels)
    lit = (patches >= threshold).any(axis=(1, 2))
    assert lit[labels].all()
    assert lit[~labels].mean() <= 0.05
    assert threshold >= 0.36


def test_the_patch_threshold_is_one_even_where_a_kind_of_label_is_missing():
    patches = np.full((4, 2, 2), 0.5, np.float32)
    for labels in (np.zeros(4, np.bool_), np.ones(4, np.bool_)):
        assert 0.0 < quiet_patch_threshold(patches, labels) < 1.0


def test_a_score_that_is_no_number_makes_the_area_none() -> None:
    assert np.isnan(area_under_curve(np.array([0.1, np.nan, 0.3, 0.4], np.float32), YES_LAST))
