# SPDX-License-Identifier: Apache-2.0
"""Text in pixels of every kind: palettes, single bits, other colour spaces, padding, extremes."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate_extended, generate_frames
from pydicom.pixels import apply_color_lut, convert_color_space
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

from deid import Deidentifier
from deid.errors import PixelsNotReadableError
from tests.deid.made_scans import KEY, PIPELINE, file_of
from tests.deid.test_deid_pixel_text import MASKING, NAMED, cleaned, scan

INK = NAMED > 100
FIRST_BYTES = np.arange(256)


def with_palette(values: NDArray[np.uint8], colours: NDArray[np.int_], first: int = 0) -> Dataset:
    """An image of places in a table of colours, ``(entries, 3)``, of 16 bits each."""
    dataset = scan(values, PhotometricInterpretation="PALETTE COLOR")
    for channel, name in enumerate(("Red", "Green", "Blue")):
        table = f"{name}PaletteColorLookupTable"
        setattr(dataset, f"{table}Descriptor", [len(colours), first, 16])
        dataset[f"{table}Descriptor"].VR = "US"
        setattr(dataset, f"{table}Data", (colours[:, channel] * 257).astype("<u2").tobytes())
        dataset[f"{table}Data"].VR = "OW"
    return dataset


def _neighbours() -> Dataset:
    """Background and ink are neighbours in a table whose first colour is red."""
    colours = np.zeros((256, 3), int)
    colours[0], colours[101] = (255, 0, 0), (255, 255, 255)
    return with_palette(np.where(INK, 101, 100).astype(np.uint8), colours)


def _shuffled() -> Dataset:
    order = np.random.default_rng(3).permutation(256)
    colours = np.repeat(FIRST_BYTES[:, np.newaxis], 3, axis=1)[order]
    return with_palette(np.argsort(order)[NAMED].astype(np.uint8), colours)


def _from_white_to_black() -> Dataset:
    colours = np.repeat(FIRST_BYTES[::-1, np.newaxis], 3, axis=1)
    return with_palette(255 - NAMED, colours)


@pytest.mark.parametrize("made", [_neighbours, _shuffled, _from_white_to_black])
def test_text_is_looked_for_in_the_colours_of_a_palette_and_masked_with_its_darkest(
    made: Callable[[], Dataset],
) -> None:
    before = made()
    after = cleaned(before)

    shown = apply_color_lut(after.pixel_array, after)
    assert (shown[INK] == 0).all()
    assert np.array_equal(after.pixel_array[60:190], before.pixel_array[60:190])
    assert after.PhotometricInterpretation == "PALETTE COLOR"
    assert after.RedPaletteColorLookupTableData == before.RedPaletteColorLookupTableData


def test_a_palette_that_starts_later_and_one_of_bytes_are_read() -> None:
    colours = np.repeat(FIRST_BYTES[:100, np.newaxis], 3, axis=1) * 2
    shifted = with_palette((NAMED // 4 + 120).astype(np.uint8), colours, first=120)
    assert (cleaned(shifted).pixel_array[INK] == 120).all()

    bytes_ = with_palette((NAMED // 4 + 120).astype(np.uint8), colours, first=120)
    for name in ("Red", "Green", "Blue"):
        data = f"{name}PaletteColorLookupTableData"
        setattr(bytes_, data, colours[:, 0].astype(np.uint8).tobytes())
        bytes_[data].VR = "OW"
    assert (cleaned(bytes_).pixel_array[INK] == 120).all()


def test_an_image_whose_palette_cannot_be_read_does_not_leave_unseen() -> None:
    dataset = _neighbours()
    dataset.RedPaletteColorLookupTableData = b"\0\0"
    with pytest.raises(PixelsNotReadableError):
        cleaned(dataset)


def _of_bits(ink: NDArray[np.bool_], frames: int, photometric: str) -> Dataset:
    dataset = scan(NAMED, PhotometricInterpretation=photometric)
    dataset.Rows, dataset.Columns = ink.shape
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.NumberOfFrames = frames
    bits = np.broadcast_to(ink, (frames, *ink.shape)).ravel()
    packed = np.packbits(bits, bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    return dataset


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_text_in_pixels_of_one_bit_is_masked(frames: int, photometric: str) -> None:
    # An odd size: frames begin within a byte (PS3.5 section 8.1.1).
    ink = np.pad(INK, ((0, 1), (0, 1)))
    black = photometric == "MONOCHROME1"
    dataset = _of_bits(ink ^ black, frames, photometric)
    made = cleaned(dataset)
    pixels = made.pixel_array.reshape(frames, *ink.shape)
    assert (pixels[:, ink] == black).all()
    assert (pixels[:, 60:190] == black).all()
    assert len(made.PixelData) == len(dataset.PixelData)


def test_pixels_of_one_bit_without_text_stay_as_they_are() -> None:
    body = np.hypot(*np.mgrid[-120:120, -200:200]) < 80
    dataset = _of_bits(body, 2, "MONOCHROME2")
    assert cleaned(dataset).PixelData == dataset.PixelData


def test_pixels_of_one_bit_in_big_endian_are_refused_where_they_have_text() -> None:
    dataset = _of_bits(INK, 1, "MONOCHROME2")
    # Words of 16 bits, turned round by the encoding.
    swapped = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.PixelData = swapped
    with pytest.raises(PixelsNotReadableError):
        cleaned(dataset, ExplicitVRBigEndian)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_text_in_few_of_eight_bits_is_seen(bits: int) -> None:
    values = (NAMED >> (8 - bits)).astype(np.uint8)
    made = cleaned(scan(values, BitsStored=bits, HighBit=bits - 1))
    assert (made.pixel_array[INK] == 0).all()
    assert np.array_equal(made.pixel_array[60:190], values[60:190])


@pytest.mark.parametrize("planar", [0, 1])
def test_luminance_and_chrominance_are_masked_black(planar: int) -> None:
    colour = np.stack([NAMED, NAMED // 2, NAMED], axis=-1)
    values = convert_color_space(colour, "RGB", "YBR_FULL")
    dataset = scan(values, PhotometricInterpretation="YBR_FULL", PlanarConfiguration=planar)
    stored = np.moveaxis(values, -1, 0) if planar else values
    dataset.PixelData = np.ascontiguousarray(stored).tobytes()

    made = cleaned(dataset)

    assert made.PhotometricInterpretation == "YBR_FULL"
    assert (made.pixel_array[INK] == 0).all()
    shape = (3, 240, 400) if planar else (240, 400, 3)
    after = np.frombuffer(made.PixelData, np.uint8).reshape(shape)
    after = np.moveaxis(after, 0, -1) if planar else after
    assert np.array_equal(after[60:190], values[60:190])


def test_padding_that_pixels_cannot_have_fills_no_mask() -> None:
    dataset = scan(NAMED, PixelPaddingValue=63536)
    dataset["PixelPaddingValue"].VR = "US"
    assert (cleaned(dataset).pixel_array[INK] == 0).all()
    colour = scan(np.stack([NAMED] * 3, axis=-1), PixelPaddingValue=200)
    colour["PixelPaddingValue"].VR = "US"
    assert (cleaned(colour).pixel_array[INK] == 0).all()


def test_smallest_and_largest_values_are_said_as_they_are_after_masking() -> None:
    values = (np.where(INK, 3000, 500) - 1000).astype(np.int16)
    values[100:140, 100:300] = 400
    dataset = scan(values, SmallestImagePixelValue=-500, LargestImagePixelValue=2000)
    dataset.SmallestPixelValueInSeries, dataset.LargestPixelValueInSeries = -600, 2500
    for keyword in (
        "SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries",
        "LargestPixelValueInSeries",
    ):  # fmt: skip
        dataset[keyword].VR = "SS"
    made = cleaned(dataset)
    pixels = made.pixel_array
    assert (made.SmallestImagePixelValue, made.LargestImagePixelValue) == (
        pixels.min(), pixels.max(),
    ) == (-32768, 400)  # fmt: skip
    assert made.SmallestPixelValueInSeries == -32768
    assert made.LargestPixelValueInSeries == 2500


def test_offsets_of_compressed_frames_that_are_written_anew_are_taken_out() -> None:
    frames = np.stack([np.roll(NAMED, 5 * at, axis=0) for at in range(3)])
    dataset = dcmread(BytesIO(file_of(scan(frames), ExplicitVRLittleEndian)))
    dataset.compress(RLELossless)
    coded = list(generate_frames(dataset.PixelData, number_of_frames=3))
    dataset.PixelData, offsets, lengths = encapsulate_extended(coded)
    dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    dataset["PixelData"].is_undefined_length = True
    buffer = BytesIO()
    dataset.save_as(buffer)

    made = Deidentifier(KEY, PIPELINE, MASKING).deidentify(buffer.getvalue())

    read = dcmread(BytesIO(made.to_bytes()))
    assert "ExtendedOffsetTable" not in read
    assert (read.pixel_array[0][INK] == 0).all()
