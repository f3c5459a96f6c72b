# SPDX-License-Identifier: Apache-2.0
"""The pixel model over DICOM files: it answers for axial CT and says why it abstains otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from scipy.stats import spearmanr

from inference.anatomy.pixels import shipped_regressor
from inference.anatomy.pixels.series import _coarse, placed_slices, recognize_slices
from inference.phantoms.body import body_volume
from tests.inference.anatomy.body_files import body_files

SHARED_MR = Path(__file__).parents[4] / "shared" / "data" / "mr-nih"


@pytest.mark.parametrize("region", ["chest", "abdomen", "lower limb"])
def test_files_are_recognized_as_the_volume_that_they_were_made_of(region: str) -> None:
    volume = body_volume(5)
    shown = np.array([named == region for named in volume.regions])
    answer = recognize_slices(body_files(region))
    assert frozenset(answer.regions) == shipped_regressor().recognize(volume.slices[shown]).regions
    assert region in answer.regions
    assert answer.confidence > 0.5
    assert not answer.abstains


def test_the_order_in_which_files_come_changes_nothing() -> None:
    files = body_files("chest")
    assert recognize_slices(files[::-1]) == recognize_slices(files)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Modality": "MR"}, "CT only"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "axial slices only"),
        ({"ImageOrientationPatient": None}, "no place"),
        ({"PixelSpacing": None}, "no place"),
        ({"PixelData": b"\0\0"}, "can't be decoded"),
        ({"NumberOfFrames": "2"}, "single-frame"),
    ],
)
def test_what_the_model_has_not_learned_makes_it_abstain_with_the_reason(
    changes: dict[str, Any], reason: str
) -> None:
    answer = recognize_slices(body_files("chest", **changes))
    assert (answer.regions, answer.confidence) == ((), 0.0)
    assert reason in answer.reason


def test_a_single_image_makes_it_abstain() -> None:
    answer = recognize_slices(body_files("chest")[:1])
    assert answer.abstains
    assert "5 slices" in answer.reason
    assert answer.wants_more
    assert not recognize_slices(body_files("chest", Modality="MR")[:1]).wants_more


def test_a_finer_matrix_and_a_smaller_field_show_the_same_region() -> None:
    values = np.arange(96 * 96, dtype=np.float32).reshape(96, 96)
    whole = _coarse(values, [500 / 96, 500 / 96])
    assert np.allclose(whole, values.reshape(48, 2, 48, 2).mean(axis=(1, 3)))
    small = _coarse(values, [250 / 96, 250 / 96])
    assert (small[:12] == -1000).all()
    assert (small[12:36, 12:36] > -1000).all()


def test_the_slices_of_a_real_head_are_put_in_order() -> None:
    folder = SHARED_MR / "20180918GE"
    if not folder.is_dir():
        pytest.skip("shared/data/mr-nih is not here")
    for series in sorted(folder.iterdir()):
        # One volume of the time series: the files of one place are images of it at other times.
        files: dict[tuple[float, ...], Path] = {}
        for path in sorted(series.glob("*.dcm")):
            header = pydicom.dcmread(path, stop_before_pixels=True)
            files.setdefault(tuple(header.ImagePositionPatient), path)
        placed = placed_slices([path.read_bytes() for path in files.values()], ("MR",))
        scores = shipped_regressor().scores(placed.slices)
        assert len(scores) == 15
        assert spearmanr(scores, placed.depths).statistic > 0.9
