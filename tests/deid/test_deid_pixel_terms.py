# SPDX-License-Identifier: Apache-2.0
"""What is written into an image is searched for in its header."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from deid import Deidentifier, Policy
from deid.errors import OptionConflictError
from deid.policy import FreeText, PixelText
from tests.deid.made_scans import KEY, PIPELINE, file_of
from tests.deid.test_deid_pixel_text import scan, written

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
LINES = written(((20, 20), "Dr. Marigold Fenwick"), ((20, 160), "MRN: 4471993"))


def cleaned(dataset: Dataset, syntax: str = ExplicitVRLittleEndian, *, terms: bool) -> Dataset:
    policy = Policy(pixel_text=PixelText.MASK, pixel_terms=terms, free_text=FreeText.DETECTED)
    made = Deidentifier(KEY, PIPELINE, policy).deidentify(file_of(dataset, syntax))
    return dcmread(BytesIO(made.to_bytes()))


def named() -> Dataset:
    return scan(LINES, SeriesDescription="liver fenwick", ImageComments="chest, see 4471993")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_names_and_numbers_that_only_the_pixels_tell_leave_the_header(syntax: str) -> None:
    made = cleaned(named(), syntax, terms=True)
    assert "fenwick" not in made.SeriesDescription.lower()
    assert "4471993" not in made.ImageComments
    assert "liver" in made.SeriesDescription
    assert "chest" in made.ImageComments


def test_an_image_without_text_reveals_nothing() -> None:
    empty = scan(np.full((240, 400), 12, np.uint8), SeriesDescription="liver fenwick")
    plain, read = (cleaned(empty, terms=terms).SeriesDescription for terms in (False, True))
    assert plain == read


def test_pixels_that_are_left_alone_are_not_read() -> None:
    with pytest.raises(OptionConflictError, match="pixel_terms"):
        Policy(pixel_terms=True)
    policy = Policy(pixel_text=PixelText.MASK, pixel_terms=True)
    assert not policy.without_pixels().pixel_terms
