# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inference.heatmap.correlations import Correlations, fit_correlations


def together(count=4000, seed=5):
    """Labels of two findings that go together and one that is on its own, and weak scores."""
    rng = np.random.default_rng(seed)
    first = rng.random(count) < 0.3
    second = rng.random(count) < np.where(first, 0.8, 0.1)
    third = rng.random(count) < 0.3
    labels = np.stack([first, second, third], axis=1).astype(np.float32)
    z = np.log(0.4 / 0.6) + 2.0 * (labels - 0.4) + rng.normal(0.0, 1.0, labels.shape)
    probabilities = (1.0 / (1.0 + np.exp(-z))).astype(np.float32)
    return probabilities, labels


def log_loss(probabilities, labels):
    known = np.isfinite(labels)
    p = np.clip(probabilities[known], 1e-6, 1 - 1e-6)
    return -np.mean(np.where(labels[known] == 1.0, np.log(p), np.log(1.0 - p)))


def test_findings_that_go_together_make_each_other_more_probable():
    probabilities, labels = together()
    found = fit_correlations(probabilities, labels)
    weights = np.array(found.weights)
    assert weights[0, 1] > 1.0
    assert weights[1, 0] > 1.0
    assert np.abs(weights[2]).max() < 0.4
    held_out, truth = together(seed=6)
    assert log_loss(found.apply(held_out), truth) < log_loss(held_out, truth) - 0.01


def test_unknown_labels_of_a_class_leave_the_others_alone():
    probabilities, labels = together()
    partly = labels.copy()
    partly[::2, 2] = np.nan
    whole, masked = fit_correlations(probabilities, labels), fit_correlations(probabilities, partly)
    assert masked.weights[:2] == whole.weights[:2]


def test_a_class_with_hardly_any_label_stays_as_it_is():
    probabilities, labels = together(200)
    labels[:, 1] = np.nan
    labels[:5, 1] = 1.0
    found = fit_correlations(probabilities, labels)
    assert found.weights[1] == (0.0, 0.0, 0.0)
    assert found.apply(probabilities)[:, 1] == pytest.approx(probabilities[:, 1], abs=1e-4)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_class_rises_with_its_own_probability_whatever_the_others_say(low, high, other):
    found = Correlations(means=(0.3, 0.3), offsets=(0.1, 0.0), weights=((0.0, 2.0), (-1.0, 0.0)))
    low, high = sorted((low, high))
    rows = np.array([[low, other], [high, other]], np.float32)
    moved = found.apply(rows)
    assert moved[0, 0] <= moved[1, 0]
    assert ((moved >= 0.0) & (moved <= 1.0)).all()


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValidationError, match="one entry per class"):
        Correlations(means=(0.1,), offsets=(0.0, 0.0), weights=((0.0,),))
    with pytest.raises(ValidationError, match="on itself"):
        Correlations(means=(0.1,), offsets=(0.0,), weights=((1.0,),))
