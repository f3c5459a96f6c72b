# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from inference.commands_evaluate import evaluate
from inference.heatmap.assessment.figures import assess, reliability
from inference.heatmap.assessment.intervals import auc_interval
from inference.heatmap.assessment.page import page
from inference.heatmap.assessment.places import intersection_over_box
from inference.heatmap.assessment.seen import Located, Seen
from inference.heatmap.calibration import Calibration
from inference.heatmap.evaluation import Operating
from inference.heatmap.metrics import area_under_curve

OPERATING = {"edema": Operating(Calibration(slope=1.0, offset=0.0), 0.5, 0.5)}


def seen(scores, labels, located=()):
    return Seen(
        ("edema",),
        np.array(scores, np.float32)[:, None],
        np.array(labels, np.float32)[:, None],
        {"edema": list(located)},
    )


def test_the_interval_covers_the_true_area_as_often_as_it_says():
    rng = np.random.default_rng(1)
    truth = 0.7602  # of two normal distributions one standard deviation apart
    covered = 0
    for _ in range(400):
        scores = np.concatenate([rng.normal(1, 1, 60), rng.normal(0, 1, 80)]).astype(np.float32)
        low, high = auc_interval(scores, np.arange(140) < 60)
        covered += low <= truth <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_the_interval_holds_the_area_itself_and_stays_within_bounds():
    rng = np.random.default_rng(2)
    for separation in (0.0, 1.0, 4.0, 50.0):
        labels = np.arange(50) < 20
        scores = (rng.normal(0, 1, 50) + separation * labels).astype(np.float32)
        low, high = auc_interval(scores, labels)
        assert 0.0 <= low <= area_under_curve(scores, labels) <= high <= 1.0
        assert low < high


def test_a_detection_counts_by_the_share_of_its_box_that_the_finding_covers():
    patches, truth = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    patches[2:4, 2:6] = 0.9
    patches[6, 6] = 0.6
    truth[2:4, 2:4] = 1.0
    assert intersection_over_box(patches, truth, 0.5) == pytest.approx(0.5)
    assert intersection_over_box(patches, truth, 0.95) == 0.0


def test_unknown_labels_change_no_figure():
    known = assess(seen([0.9, 0.2, 0.7, 0.4], [1, 0, 1, 0]), OPERATING)
    more = assess(seen([0.9, 0.2, 0.7, 0.4, 0.1, 0.99], [1, 0, 1, 0, np.nan, np.nan]), OPERATING)
    assert more.classes == known.classes
    assert known.classes["edema"].auc == 1.0


def test_a_map_that_lights_everything_has_a_poor_dice_whatever_its_auc():
    truth = np.zeros((8, 8), np.float32)
    truth[1:3, 1:3] = 1.0
    everywhere = Located(np.full((8, 8), 0.9, np.float32), truth)
    exact = Located(truth.copy(), truth)
    poor, good = (
        assess(seen([0.9, 0.1], [1, 0], [one]), OPERATING).classes["edema"]
        for one in (everywhere, exact)
    )
    assert poor.auc == good.auc == 1.0
    assert good.places.dice == 1.0
    assert poor.places.dice < 0.2
    assert good.places.iobb["0.9"] == 1.0
    assert poor.places.iobb["0.1"] == 0.0


def test_bins_of_reliability_hold_every_image_once():
    scores = np.random.default_rng(3).random(500).astype(np.float32)
    bins = reliability(scores, scores > 0.5)
    assert sum(one.images for one in bins) == 500
    assert bins[0].frequency == 0.0
    assert bins[-1].frequency == 1.0


def test_the_page_says_when_places_were_not_measured():
    figures = assess(seen([0.9, 0.2], [1, 0]), OPERATING)
    made = page("A <model>", "0" * 64, figures, {})
    assert "where the model looks was not measured" in made
    assert "A &lt;model&gt;" in made
    json.loads(figures.model_dump_json())


def test_a_bundle_is_measured_on_phantoms(tmp_path):
    pytest.importorskip("matplotlib")
    result = CliRunner().invoke(evaluate, ["heatmap", "--out", str(tmp_path), "--phantoms", "40"])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert found["images"] == 40
    assert found["dice_mean"] is not None
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    for name in ("roc.png", "reliability.png", "iobb.png", "area.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert name in html
