# SPDX-License-Identifier: Apache-2.0
"""How compressed pixels are written after some of them were masked."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from deid import Deidentifier, Policy
from deid.policy import PixelText, Recompression
from deid.profile_files import load
from tests.deid.made_scans import KEY, PIPELINE, file_of
from tests.deid.test_deid_pixel_text import NAMED, scan
from tests.deid.test_deid_real_files import dciodvfy_errors, needs_dciodvfy

LOSSLESS = {
    Recompression.RLE: RLELossless,
    Recompression.JPEG_LS: JPEGLSLossless,
    Recompression.JPEG_2000: JPEG2000Lossless,
    Recompression.NATIVE: ExplicitVRLittleEndian,
}
COLOUR = np.stack([NAMED, NAMED, np.full_like(NAMED, 30)], axis=-1)
DEEP = (NAMED.astype(np.int16) * 40) - 2000
IMAGES = {"grey": NAMED, "colour": COLOUR, "signed 16 bits": DEEP, "loop": np.stack([NAMED] * 3)}


def compressed(pixels: NDArray[np.generic]) -> bytes:
    dataset = dcmread(BytesIO(file_of(scan(pixels))))
    dataset.compress(RLELossless)
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def masked(content: bytes, how: Recompression) -> Dataset:
    policy = Policy(pixel_text=PixelText.MASK, recompression=how)
    return dcmread(BytesIO(Deidentifier(KEY, PIPELINE, policy).deidentify(content).to_bytes()))


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("how", LOSSLESS)
def test_pixels_outside_of_the_masks_lose_nothing(how: Recompression, name: str) -> None:
    made = masked(compressed(IMAGES[name]), how)
    assert made.file_meta.TransferSyntaxUID == LOSSLESS[how]
    before, after = IMAGES[name], made.pixel_array
    text = NAMED > 100
    text = text[..., np.newaxis] if name == "colour" else text
    assert after.shape == before.shape
    assert not (after == before)[np.broadcast_to(text, before.shape)].all()
    empty = np.zeros(NAMED.shape, np.bool_)
    empty[80:190] = True
    empty = empty[..., np.newaxis] if name == "colour" else empty
    assert (after == before)[np.broadcast_to(empty, before.shape)].all()
    assert "LossyImageCompression" not in made


@pytest.mark.parametrize("name", ["grey", "colour", "loop"])
def test_loss_is_said_where_it_is_asked_for(name: str) -> None:
    made = masked(compressed(IMAGES[name]), Recompression.JPEG)
    assert made.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert made.LossyImageCompression == "01"
    assert made.LossyImageCompressionMethod == "ISO_10918_1"
    assert float(made.LossyImageCompressionRatio) > 1.0
    if name == "colour":
        assert made.PhotometricInterpretation == "YBR_FULL_422"
    difference = made.pixel_array.astype(int) - IMAGES[name]
    assert (
        np.abs(
            difference[..., 100:180, :, 0] if name == "colour" else difference[..., 100:180, :]
        ).max()
        < 10
    )


def test_earlier_loss_is_not_forgotten() -> None:
    dataset = dcmread(BytesIO(compressed(NAMED)))
    dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", "8.5"
    dataset.LossyImageCompressionMethod = "ISO_15444_1"
    buffer = BytesIO()
    dataset.save_as(buffer)
    made = masked(buffer.getvalue(), Recompression.JPEG)
    assert list(made.LossyImageCompressionMethod) == ["ISO_15444_1", "ISO_10918_1"]
    assert made.LossyImageCompressionRatio[0] == 8.5


def test_what_jpeg_cannot_hold_stays_without_loss() -> None:
    made = masked(compressed(DEEP), Recompression.JPEG)
    assert made.file_meta.TransferSyntaxUID == RLELossless
    assert "LossyImageCompression" not in made


@pytest.mark.parametrize("how", Recompression)
def test_native_pixels_and_those_without_text_stay_as_they_are(how: Recompression) -> None:
    empty = compressed(np.full((240, 400), 12, np.uint8))
    assert masked(empty, how).PixelData == dcmread(BytesIO(empty)).PixelData
    assert masked(file_of(scan(NAMED)), how).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@needs_dciodvfy
@pytest.mark.parametrize("how", Recompression)
def test_what_is_written_is_valid_dicom(how: Recompression, tmp_path: Path) -> None:
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    masked(compressed(NAMED), Recompression.RLE).save_as(before)
    masked(compressed(NAMED), how).save_as(after)
    assert not dciodvfy_errors(after) - dciodvfy_errors(before)


def test_a_profile_file_chooses_it(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('recompression = "jpeg-ls"\n', encoding="utf-8")
    assert load(str(path)).policy.recompression is Recompression.JPEG_LS
