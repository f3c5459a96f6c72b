# SPDX-License-Identifier: Apache-2.0
"""The model for single radiographs: it names the region of phantoms and abstains for the rest."""

from __future__ import annotations

import numpy as np
import pytest

from inference.anatomy.pixels.series import recognize_slices
from inference.anatomy.pixels.single_image import shipped_single_image_model
from inference.phantoms.radiographs import SHOWN, no_radiograph, radiograph
from tests.inference.anatomy.body_files import body_files


def test_most_held_out_phantoms_are_named_and_few_wrongly() -> None:
    model = shipped_single_image_model()
    answers = [
        (r, model.recognize(radiograph(r, seed)).region) for r in SHOWN for seed in range(12)
    ]
    named = [(right, said) for right, said in answers if said is not None]
    assert len(named) >= 0.7 * len(answers)
    assert sum(right == said for right, said in named) >= 0.95 * len(named)


def test_what_is_no_radiograph_names_no_region() -> None:
    model = shipped_single_image_model()
    said = [model.recognize(no_radiograph(seed)) for seed in range(40)]
    assert sum(one.region is not None for one in said) <= 2
    assert all(one.reason for one in said if one.region is None)


def test_a_plain_image_is_not_judged() -> None:
    assert shipped_single_image_model().recognize(np.ones((80, 60), np.float32)).reason


@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_one_radiograph_is_answered_or_abstained_from_as_one_image(modality: str) -> None:
    picture = radiograph("upper limb", 3)
    pixels = np.rint(picture * 4000).astype("<u2").tobytes()
    (file,) = body_files("chest", Modality=modality, Rows=64, Columns=64, PixelData=pixels)[:1]
    answer = recognize_slices([file])
    assert answer.slices == 1
    assert answer.regions == ("upper limb",)


def test_an_ultrasound_is_not_taken_for_a_radiograph() -> None:
    assert recognize_slices(body_files("chest", Modality="US")[:1]).abstains
