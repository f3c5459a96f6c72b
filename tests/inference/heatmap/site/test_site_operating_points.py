# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from inference.heatmap.calibration import Calibration
from inference.heatmap.datasets.labelled import DatasetError
from inference.heatmap.evaluation import Operating
from inference.heatmap.site.operating_points import Known, site_operating_points
from inference.heatmap.site.trainer import class_weights

RNG = np.random.default_rng(8)
LABELS = np.tile([1.0, 0.0, np.nan, 0.0], 50).astype(np.float32)[:, None]
POOLED = np.clip(np.nan_to_num(LABELS) * 0.3 + RNG.random((200, 1)) * 0.4, 0, 1).astype(np.float32)
MAPS = (RNG.random((200, 1, 8, 8)) * 0.5).astype(np.float32)
NOWHERE = np.zeros_like(MAPS)


def test_without_boxes_nineteen_of_twenty_absent_images_show_no_lit_patch():
    found = site_operating_points(("edema",), POOLED, MAPS, Known(LABELS, NOWHERE))[0]["edema"]
    absent = MAPS[LABELS[:, 0] == 0.0, 0].max(axis=(1, 2))
    assert 0.95 <= (absent < found.patch_threshold).mean() < 0.97


def test_with_boxes_the_patch_threshold_outlines_them():
    maps, truth = MAPS.copy(), NOWHERE.copy()
    truth[::4, 0, 2:4, 2:4] = 1.0
    maps[::4, 0, 2:4, 2:4] = 0.9
    found = site_operating_points(("edema",), POOLED, maps, Known(LABELS, truth))[0]["edema"]
    assert 0.5 <= found.patch_threshold <= 0.9


def test_a_class_that_nobody_judged_keeps_what_it_had_or_is_an_error():
    unknown = np.full_like(LABELS, np.nan)
    earlier = {"edema": Operating(Calibration(slope=2.0, offset=1.0), 0.3, 0.4)}
    kept = site_operating_points(("edema",), POOLED, MAPS, Known(unknown, NOWHERE), earlier)[0]
    assert kept == earlier
    with pytest.raises(DatasetError, match="edema"):
        site_operating_points(("edema",), POOLED, MAPS, Known(unknown, NOWHERE))


def test_unknown_labels_weigh_nothing():
    labels = np.array([[1, np.nan], [0, np.nan], [0, np.nan], [0, np.nan], [0, np.nan]], np.float32)
    more = np.vstack([labels, np.full((20, 2), np.nan, np.float32)])
    assert class_weights(labels).tolist() == class_weights(more).tolist() == [2.0, 1.0]
