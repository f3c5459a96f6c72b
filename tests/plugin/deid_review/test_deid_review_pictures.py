# SPDX-License-Identifier: AGPL-3.0-or-later
"""Original and result are drawn alike, whatever kind of image it is."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from plugin.deid_review.pictures import NoPictureError, picture, size_of, window_of
from tests.deid.made_scans import file_of
from tests.plugin.deid_review.reviewed import named_image


def drawn(content: bytes, frame: int = 1, longest: int = 1024) -> np.ndarray:
    png = picture(content, frame, window_of(content, frame), longest)
    return np.asarray(Image.open(BytesIO(png)))


def grey(values: np.ndarray, **attributes: object) -> bytes:
    dataset = named_image()
    dataset.Rows, dataset.Columns = values.shape[-2:]
    if values.ndim == 3:
        dataset.NumberOfFrames = len(values)
    bits = 8 * values.dtype.itemsize
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return file_of(dataset)


def test_the_window_of_the_header_is_in_rescaled_values() -> None:
    values = np.array([[-1024, -24, 16], [56, 976, 3000]], np.int16)
    content = grey(values, WindowCenter=40, WindowWidth=80, RescaleSlope=1, RescaleIntercept=-1000)
    assert drawn(content).tolist() == [[0, 0, 0], [0, 0, 255]]
    content = grey(values, WindowCenter=40, WindowWidth=80, RescaleSlope=1, RescaleIntercept=0)
    assert drawn(content).tolist() == [[0, 0, 51], [178, 255, 255]]


def test_a_negative_slope_and_monochrome1_each_turn_dark_into_bright() -> None:
    values = np.array([[0, 100]], np.uint8)
    about = {"WindowCenter": 50, "WindowWidth": 100, "RescaleIntercept": 0, "RescaleSlope": 1}
    assert drawn(grey(values, **about)).tolist() == [[0, 255]]
    turned = grey(values, **about, PhotometricInterpretation="MONOCHROME1")
    assert drawn(turned).tolist() == [[255, 0]]
    negative = grey(values, WindowCenter=-50, WindowWidth=100, RescaleIntercept=0, RescaleSlope=-1)
    assert drawn(negative).tolist() == [[255, 0]]


def test_without_a_window_all_but_the_outermost_values_are_told_apart() -> None:
    values = np.arange(40000, dtype=np.uint16).reshape(200, 200)
    shown = drawn(grey(values, WindowCenter=None, WindowWidth=None))
    assert shown.min() == 0
    assert shown.max() == 255
    assert len(np.unique(shown)) == 256


def test_every_frame_can_be_looked_at() -> None:
    values = np.stack([np.full((8, 8), 10 * frame, np.uint8) for frame in range(4)])
    content = grey(values, WindowCenter=128, WindowWidth=256)
    assert size_of(content) == (8, 8, 4)
    shown = [int(drawn(content, frame).max()) for frame in (1, 2, 3, 4)]
    assert shown == sorted(set(shown))


def test_a_large_image_is_drawn_small_without_losing_its_shape() -> None:
    content = grey(np.zeros((300, 200), np.uint8))
    assert drawn(content, longest=90).shape == (90, 60)


def test_pixels_that_can_not_be_decoded_are_said_to_be_so() -> None:
    dataset = named_image()
    dataset.PixelData = b"\0\0"
    with pytest.raises(NoPictureError, match="can't be decoded"):
        drawn(file_of(dataset))


def test_float_pixels_are_drawn_and_gaps_in_them_are_dark() -> None:
    values = np.array([[0.0, 0.5, np.nan], [1.0, np.inf, 0.25]], np.float32)
    dataset = named_image()
    del dataset.PixelData, dataset.WindowCenter, dataset.WindowWidth
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = 2, 3, 32
    dataset.FloatPixelData = values.tobytes()
    seen = drawn(file_of(dataset))
    assert seen[0, 0] == seen[0, 2] == seen[1, 1]
    assert seen[0, 0] < seen[1, 2] < seen[0, 1] < seen[1, 0]
