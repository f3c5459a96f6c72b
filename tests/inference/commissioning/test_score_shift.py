# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from inference.bundles import read_bundle, shipped_models
from inference.commissioning.shift import (
    ENOUGH,
    LIMIT,
    WINDOW,
    ScoreWatch,
    bins_of,
    stability_index,
)
from inference.contract import AnalysisAnswer, ClassProbability, ImageAnalysis, MapExtent, Outcome

DECILES = tuple(round(0.1 * n, 1) for n in range(1, 10))


@pytest.fixture
def manifest():
    whole = read_bundle(shipped_models() / "chest-phantom").manifest
    return whole.model_copy(update={"reference": {"nodule": DECILES}})


def answer(*probabilities):
    extent = MapExtent(left=0, top=0, right=8, bottom=8)
    images = tuple(
        ImageAnalysis(
            sop_instance_uid="2.25.1",
            rows=8,
            columns=8,
            extent=extent,
            classes=(
                ClassProbability(key="nodule", probability=p, present=False, maps={}),
                ClassProbability(key="consolidation", probability=1.0, present=True, maps={}),
            ),
        )
        for p in probabilities
    )
    return AnalysisAnswer(
        model="chest-phantom", version="1.0.0", digest="0", outcome=Outcome.NO_FINDINGS,
        images=images,
    )  # fmt: skip


def test_the_index_is_that_of_its_formula():
    counts = [20, 5, 10, 10, 10, 10, 10, 10, 10, 5]
    shares = (np.array(counts) + 0.5) / (sum(counts) + 5)
    expected = float(((shares - 0.1) * np.log(shares / 0.1)).sum())
    tenths = [0.1] * 10
    assert stability_index(counts, tenths) == pytest.approx(expected)
    assert stability_index([50] * 10, tenths) == pytest.approx(0.0)


def test_deciles_that_tie_at_the_bottom_bound_nothing():
    bins = bins_of((0.01, 0.01, 0.01, 0.01, 0.2, 0.5, 0.9, 0.9, 0.95))
    assert bins.edges == (0.2, 0.5, 0.9, 0.95)
    assert bins.shares == pytest.approx((0.5, 0.1, 0.1, 0.2, 0.1))
    assert bins_of((0.01,) * 9) is None


def test_a_sure_model_is_watched_as_well(manifest):
    deciles = (0.01,) * 7 + (0.98, 0.99)
    sure = manifest.model_copy(update={"reference": {"nodule": deciles}})
    usual, moved = (ScoreWatch(sure, "d", None) for _ in range(2))
    usual.add(answer(*[0.01] * 320, *[0.985] * 40, *[0.995] * 40))
    moved.add(answer(*[0.01] * 160, *[0.985] * 120, *[0.995] * 120))
    assert usual.shifts == {}
    assert set(moved.shifts) == {"nodule"}


def test_usual_scores_raise_no_flag(manifest):
    watch = ScoreWatch(manifest, "d", None)
    watch.add(answer(*np.random.default_rng(1).uniform(0, 1, 400).tolist()))
    assert watch.shifts == {}


def test_scores_that_moved_raise_a_flag_for_their_class_alone(manifest):
    watch = ScoreWatch(manifest, "d", None)
    watch.add(answer(*np.random.default_rng(1).beta(4, 2, 400).tolist()))
    assert set(watch.shifts) == {"nodule"}
    assert watch.shifts["nodule"] > LIMIT


def test_a_few_images_say_nothing_yet(manifest):
    watch = ScoreWatch(manifest, "d", None)
    watch.add(answer(*[0.99] * (ENOUGH - 1)))
    assert watch.shifts == {}
    watch.add(answer(0.99))
    assert set(watch.shifts) == {"nodule"}


def test_old_images_are_forgotten(manifest):
    watch = ScoreWatch(manifest, "d", None)
    watch.add(answer(*[0.99] * WINDOW))
    assert watch.shifts
    watch.add(answer(*np.linspace(0, 1, WINDOW).tolist()))
    assert watch.shifts == {}


def test_counts_outlast_the_process_but_not_a_change_of_the_bundle(manifest, tmp_path):
    watch = ScoreWatch(manifest, "d", tmp_path)
    watch.add(answer(*[0.99] * ENOUGH))
    assert ScoreWatch(manifest, "d", tmp_path).shifts == watch.shifts != {}
    assert ScoreWatch(manifest, "other", tmp_path).shifts == {}


def test_a_damaged_file_of_counts_starts_anew(manifest, tmp_path):
    (tmp_path / "scores-chest-phantom.json").write_text("[1", encoding="utf-8")
    assert ScoreWatch(manifest, "d", tmp_path).shifts == {}


def test_a_folder_that_can_not_be_written_fails_no_analysis(manifest, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    watch = ScoreWatch(manifest, "d", tmp_path / "file")
    watch.add(answer(*[0.99] * ENOUGH))
    assert watch.shifts


def test_a_bundle_without_a_reference_is_not_watched():
    plain = read_bundle(shipped_models() / "chest-phantom").manifest.model_copy(
        update={"reference": None}
    )
    watch = ScoreWatch(plain, "d", None)
    watch.add(answer(*[0.99] * WINDOW))
    assert watch.shifts == {}
