# SPDX-License-Identifier: Apache-2.0
"""Native pixels are seen where they lie, and as a decoder sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.pixels.utils import pixel_array

from deid import Deidentifier
from deid.elements import Encoding
from deid.header import HeaderCleaner
from deid.key import DeidentificationKey
from deid.pixel_data import PixelDataStage
from deid.pixels.frames import dataset_of
from deid.pixels.native_frames import native_frames
from deid.policy import PixelText, Policy
from deid.pseudonyms import Pseudonyms
from deid.reading import read
from deid.stages import HeaderStage, Instance
from tests.deid.made_scans import KEY, ct, file_of


def instance(**changes: Any) -> Instance:
    original = read(file_of(ct(**changes)))
    made = Instance(original, Encoding(False, True), original.transfer_syntax)
    HeaderStage(HeaderCleaner(Pseudonyms(KEY, (-10, -1)), frozenset())).apply(made)
    PixelDataStage().apply(made)
    return made


def image(bits: int, photometric: str = "MONOCHROME2", **changes: Any) -> dict[str, Any]:
    samples = 3 if photometric == "RGB" else 1
    size = 3 * 5 * samples * 2 * bits // 8
    return {
        "Rows": 3, "Columns": 5, "NumberOfFrames": 2, "SamplesPerPixel": samples,
        "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 0,
        "PlanarConfiguration": 0, "PhotometricInterpretation": photometric,
        "PixelData": bytes(np.random.default_rng(3).integers(0, 256, size, np.uint8)),
    } | changes  # fmt: skip


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2", "RGB"])
@pytest.mark.parametrize("signed", [0, 1])
def test_plain_frames_are_what_a_decoder_makes_of_them(
    bits: int, photometric: str, signed: int
) -> None:
    one = instance(**image(bits, photometric, PixelRepresentation=signed))

    seen, decoded = native_frames(one), pixel_array(dataset_of(one))

    assert seen is not None
    assert seen.dtype == decoded.dtype
    assert np.array_equal(seen, decoded)


@pytest.mark.parametrize(
    "changes",
    [
        {"BitsStored": 12, "HighBit": 11},
        {"HighBit": 14},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"PixelRepresentation": 2},
    ],
)
def test_what_is_not_plain_is_left_to_a_decoder(changes: dict[str, Any]) -> None:
    assert native_frames(instance(**image(16, **changes))) is None


def test_fewer_pixels_than_the_header_says_are_left_to_a_decoder() -> None:
    assert native_frames(counted(3)) is None


def counted(frames: int) -> Instance:
    """An image whose header has more frames than there are."""
    one = instance(**image(16))
    tag = 0x00280008
    one.elements[tag] = one.elements[tag]._replace(value=str(frames).encode())
    return one


def test_planes_of_colours_are_left_to_a_decoder() -> None:
    assert native_frames(instance(**image(8, "RGB", PlanarConfiguration=1))) is None


def test_an_odd_number_of_bytes_is_padded_and_seen() -> None:
    one = instance(**image(8, NumberOfFrames=1, PixelData=bytes(range(15)) + b"\0"))

    seen = native_frames(one)

    assert seen is not None
    assert seen.tobytes() == bytes(range(15))


def test_looking_at_pixels_changes_none() -> None:
    pixels = bytes(64 * 64)
    content = file_of(ct(**image(8, Rows=64, Columns=64, NumberOfFrames=1, PixelData=pixels)))
    cleaning = Deidentifier(DeidentificationKey(bytes(32)), (), Policy(pixel_text=PixelText.MASK))

    assert cleaning.deidentify(content).to_bytes().endswith(pixels)
