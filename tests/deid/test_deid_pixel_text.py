# SPDX-License-Identifier: Apache-2.0
"""Text that is burned into pixels: found, masked, looked for again."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

from deid import BurnedInAnnotationError, Deidentifier, Extensions, Policy
from deid.errors import PixelsNotReadableError, TextLeftInPixelsError
from deid.pixels import CleanPixelStage, Found, Hints, Keep, RapidText, find_text
from deid.pixels.barcodes import Barcodes
from deid.policy import PixelText
from deid.profile_files import load
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of

MASKING = Policy(pixel_text=PixelText.MASK)
FONT = ImageFont.load_default(20)


@pytest.fixture(scope="module")
def detector() -> RapidText:
    return RapidText()


def written(*lines: tuple[tuple[int, int], str], level: int = 12) -> NDArray[np.uint8]:
    """240 x 400 pixels with lines of text."""
    image = Image.new("L", (400, 240), level)
    for place, text in lines:
        ImageDraw.Draw(image).text(place, text, fill=240, font=FONT)
    return np.asarray(image)


NAMED = written(((20, 20), "DOE^JANE 1950"), ((230, 200), "ID 4471993"))


def scan(pixels: NDArray[np.generic], **attributes: object) -> Dataset:
    """A CT image of these pixels: frames, rows, columns, samples as they are there."""
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    dataset = ct()
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    if pixels.ndim > 2 + colour:
        dataset.NumberOfFrames = len(pixels)
    dataset.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def cleaned(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    made = Deidentifier(KEY, PIPELINE, MASKING).deidentify(file_of(dataset, syntax))
    return dcmread(BytesIO(made.to_bytes()))


def test_text_is_gone_and_all_else_is_as_it_was(detector: RapidText) -> None:
    made = cleaned(scan(NAMED))
    pixels = made.pixel_array
    assert not find_text(pixels[np.newaxis], detector).any()
    assert pixels[NAMED > 100].max() <= 12
    changed = pixels != NAMED
    assert changed.mean() < 0.13
    assert np.array_equal(pixels[60:190], NAMED[60:190])


def test_it_says_exactly_what_was_done() -> None:
    made = cleaned(scan(NAMED, BurnedInAnnotation="YES"))
    assert made.BurnedInAnnotation == "NO"
    codes = {item.CodeValue for item in made.DeidentificationMethodCodeSequence}
    assert "113101" in codes


def test_an_image_without_text_stays_bit_identical() -> None:
    noise = np.random.default_rng(1).integers(0, 60, (240, 400)).astype(np.uint8)
    made = cleaned(scan(noise))
    assert made.PixelData == noise.tobytes()
    assert made.BurnedInAnnotation == "NO"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("bit", [12, 15])
def test_text_in_unused_bits_that_nobody_declared_is_cleared(bit: int, syntax: str) -> None:
    values = np.random.default_rng(1).integers(0, 900, (240, 400)).astype(np.uint16)
    hidden = values | ((NAMED > 100).astype(np.uint16) << bit)

    kind = "<u2" if syntax == ExplicitVRLittleEndian else ">u2"
    made = cleaned(scan(hidden.astype(kind), BitsStored=12, HighBit=11), syntax)

    assert np.array_equal(np.frombuffer(made.PixelData, kind).reshape(values.shape), values)
    assert made.BurnedInAnnotation == "NO"


def test_text_below_the_lowest_bit_is_cleared() -> None:
    values = np.random.default_rng(1).integers(0, 900, (240, 400)).astype(np.uint16) << 4
    hidden = values | (NAMED > 100).astype(np.uint16)

    made = cleaned(scan(hidden, BitsStored=12, HighBit=15))

    assert np.array_equal(np.frombuffer(made.PixelData, "<u2").reshape(values.shape), values)


def test_text_in_unused_bits_of_compressed_frames_is_cleared() -> None:
    values = np.random.default_rng(1).integers(0, 900, (240, 400)).astype(np.uint16)
    hidden = values | ((NAMED > 100).astype(np.uint16) << 13)
    dataset = dcmread(BytesIO(file_of(scan(hidden, BitsStored=12, HighBit=11))))
    dataset.compress(RLELossless)
    buffer = BytesIO()
    dataset.save_as(buffer)

    made = Deidentifier(KEY, PIPELINE, MASKING).deidentify(buffer.getvalue())

    assert np.array_equal(dcmread(BytesIO(made.to_bytes())).pixel_array, values)


def test_values_beyond_the_stored_bits_and_signs_stay_bit_identical() -> None:
    rows, columns = np.mgrid[:240, :400]
    body = (9000 - 0.3 * ((rows - 120) ** 2 + (columns - 200) ** 2)).clip(-3000).astype(np.int16)

    made = cleaned(scan(body, BitsStored=12, HighBit=11))

    assert made.PixelData == body.tobytes()


def test_text_of_one_frame_is_masked_in_all() -> None:
    frames = np.full((30, 240, 400), 12, np.uint8)
    frames[17] = NAMED
    pixels = cleaned(scan(frames)).pixel_array
    assert pixels[17][NAMED > 100].max() <= 12
    assert np.array_equal(pixels[3] == 0, pixels[17] == 0)


@pytest.mark.parametrize("planar", [0, 1])
def test_colours_are_masked_in_either_order_of_samples(planar: int) -> None:
    colour = np.stack([NAMED, NAMED // 2, NAMED], axis=-1)
    dataset = scan(colour, PlanarConfiguration=planar)
    if planar:
        dataset.PixelData = np.ascontiguousarray(np.moveaxis(colour, -1, 0)).tobytes()
    pixels = cleaned(dataset).pixel_array
    assert pixels[NAMED > 100].max() <= 12


def test_big_endian_signed_16_bit_and_padding() -> None:
    values = NAMED.astype(">i2") * 10 - 1000
    dataset = scan(values, PixelPaddingValue=-2000)
    dataset["PixelPaddingValue"].VR = "SS"
    made = cleaned(dataset, ExplicitVRBigEndian)
    assert (made.pixel_array[NAMED > 100] == -2000).all()


def test_monochrome1_is_masked_with_its_black() -> None:
    pixels = cleaned(scan(255 - NAMED, PhotometricInterpretation="MONOCHROME1")).pixel_array
    assert (pixels[NAMED > 100] == 255).all()


def test_compressed_frames_are_compressed_without_loss_again() -> None:
    dataset = dcmread(BytesIO(file_of(scan(NAMED))))
    dataset.compress(RLELossless)
    buffer = BytesIO()
    dataset.save_as(buffer)
    made = Deidentifier(KEY, PIPELINE, MASKING).deidentify(buffer.getvalue())
    read = dcmread(BytesIO(made.to_bytes()))
    assert read.file_meta.TransferSyntaxUID == RLELossless
    assert np.array_equal(read.pixel_array[60:190], NAMED[60:190])
    assert (read.pixel_array[NAMED > 100] == 0).all()


def test_compressed_frames_without_text_stay_bit_identical() -> None:
    dataset = dcmread(BytesIO(file_of(scan(np.full((240, 400), 9, np.uint8)))))
    dataset.compress(RLELossless)
    buffer = BytesIO()
    dataset.save_as(buffer)
    made = Deidentifier(KEY, PIPELINE, MASKING).deidentify(buffer.getvalue())
    assert dcmread(BytesIO(made.to_bytes())).PixelData == dataset.PixelData


def test_side_and_scale_stay_where_the_site_keeps_them_and_names_never(
    detector: RapidText,
) -> None:
    image = written(((20, 20), "R CC"), ((20, 190), "7.5 MHz"), ((200, 100), "DOE^JANE"))
    kept = find_text(image[np.newaxis], detector, keep=Keep.TECHNICAL)
    assert not kept[:60, :150].any()
    assert not kept[180:, :150].any()
    assert kept[90:130, 200:].any()
    denied = find_text(
        image[np.newaxis], detector, keep=Keep.TECHNICAL, hints=Hints(denied=frozenset({"cc"}))
    )
    assert denied[:60, :150].any()


def test_lines_from_top_to_bottom_are_found(detector: RapidText) -> None:
    turned = np.ascontiguousarray(np.rot90(NAMED))
    both = find_text(turned[np.newaxis], detector, turned=True)
    assert both[turned > 100].mean() > 0.95


def _code_128(text: str, module: int = 2) -> NDArray[np.uint8]:
    """Bars of Code 128 B, of the letters that the tests use (ISO/IEC 15417)."""
    widths = {
        "start": "211214", "stop": "2331112", "P": "313121", "I": "231113", "D": "112313",
        "4": "221231", "7": "312131",
    }  # fmt: skip
    bars: list[int] = []
    for symbol in ("start", *text, "stop"):
        for at, width in enumerate(widths[symbol]):
            bars += [0 if at % 2 == 0 else 255] * int(width) * module
    return np.repeat(np.pad(np.array(bars, np.uint8), 20, constant_values=255)[np.newaxis], 50, 0)


@pytest.mark.parametrize("inverted", [False, True])
def test_bar_codes_and_qr_codes_are_masked(inverted: bool) -> None:
    pixels = np.full((400, 600), 235, np.uint8)
    bars = _code_128("PID4477")
    pixels[40:90, 30 : 30 + bars.shape[1]] = bars
    square = np.kron(cv2.QRCodeEncoder.create().encode("4471993"), np.ones((4, 4), np.uint8))
    pixels[200 : 200 + len(square), 350 : 350 + len(square)] = square
    if inverted:
        pixels = np.where(pixels > 128, 10, pixels + 10).astype(np.uint8)
    made = cleaned(scan(pixels)).pixel_array
    reader = cv2.QRCodeDetector()
    assert reader.detectAndDecode(pixels)[0] in ("4471993", "")
    assert reader.detectAndDecode(made)[0] == ""
    assert (made[55:75, 60:200] == made[55, 60]).all()
    assert (made[230:260, 380:410] == made[230, 380]).all()


@pytest.mark.parametrize("module", [2, 4])
@pytest.mark.parametrize("angle", [0, 30, 90])
@pytest.mark.parametrize("inverted", [False, True])
def test_small_and_turned_qr_codes_are_found(module: int, angle: int, inverted: bool) -> None:
    square = np.pad(cv2.QRCodeEncoder.create().encode("MRN4471993"), 12, constant_values=255)
    square = np.kron(square, np.ones((module, module), np.uint8))
    middle = ((len(square) - 1) / 2, (len(square) - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, angle, 1)
    square = cv2.warpAffine(square, turn, square.shape, borderValue=255)
    pixels = np.full((300, 400), 255, np.uint8)
    pixels[20 : 20 + len(square), 30 : 30 + len(square)] = square
    dark = pixels < 128
    pixels = 255 - pixels if inverted else pixels
    mask = find_text(pixels[np.newaxis], Barcodes())
    assert mask[dark].mean() > 0.97


@pytest.mark.parametrize("kind", ["DataMatrix", "PDF417", "Aztec"])
@pytest.mark.parametrize("turns", [0, 1])
@pytest.mark.parametrize("inverted", [False, True])
def test_codes_of_wristbands_and_licences_are_found(kind: str, turns: int, inverted: bool) -> None:
    code = zxingcpp.create_barcode("MRN4471993", getattr(zxingcpp.BarcodeFormat, kind))
    written = np.asarray(zxingcpp.write_barcode_to_image(code, scale=3))
    pixels = np.full((360, 560), 255, np.uint8)
    pixels[40 : 40 + len(written), 60 : 60 + written.shape[1]] = written
    pixels = np.rot90(pixels, turns)
    dark = pixels < 128
    pixels = 255 - pixels if inverted else pixels
    mask = find_text(np.ascontiguousarray(pixels)[np.newaxis], Barcodes())
    assert mask[dark].mean() > 0.97
    assert mask.mean() < 0.5


@pytest.mark.parametrize("seed", [0, 6, 7])
def test_noise_on_soft_edges_holds_no_codes(seed: int) -> None:
    chance = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(chance.normal(0, 1, (600, 800)), (0, 0), 25)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    noisy = np.clip(smooth * 180 + chance.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    assert not Barcodes().find(noisy)


class _Half:
    """Finds the middle of a line, lying or standing."""

    def __init__(self, corners: list[tuple[int, int]]) -> None:
        self._corners = np.array(corners, np.float32)

    def find(self, picture: NDArray[np.uint8], hints: Hints | None = None) -> list[Found]:
        return [Found(self._corners, "NAME")]


@pytest.mark.parametrize("standing", [False, True])
def test_a_mask_reaches_most_of_a_letter_beyond_both_ends_of_a_line(standing: bool) -> None:
    corners = [(100, 100), (160, 100), (160, 120), (100, 120)]
    corners = [(y, x) for x, y in corners] if standing else corners
    mask = find_text(np.zeros((1, 300, 300), np.uint8), _Half(corners))
    mask = mask.T if standing else mask
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    assert (columns[0], columns[-1]) == (82, 178)
    assert (rows[0], rows[-1]) == (98, 122)


def test_a_headline_over_much_of_the_image_is_found(detector: RapidText) -> None:
    image = Image.new("L", (800, 600), 10)
    ImageDraw.Draw(image).text((40, 200), "DOE JANE", fill=240, font=ImageFont.load_default(160))
    mask = find_text(np.asarray(image)[np.newaxis], detector)
    assert mask[np.asarray(image) > 100].mean() > 0.95


class _Blind:
    """Finds text everywhere, whatever is masked."""

    def find(self, picture: NDArray[np.uint8], hints: Hints | None = None) -> list[Found]:
        rows, columns = picture.shape[:2]
        at = np.random.default_rng(picture.size).uniform(0.0, 0.2)
        x, y = columns * at, rows * at
        self.calls = getattr(self, "calls", 0) + 1
        x += 20 * self.calls
        corners = [(x, y), (x + 14, y), (x + 14, y + 14), (x, y + 14)]
        return [Found(np.array(corners, np.float32), "NAME")]


def test_an_instance_in_which_text_is_still_found_does_not_leave() -> None:
    stage = CleanPixelStage(_Blind())
    deidentifier = Deidentifier(KEY, PIPELINE, extensions=Extensions(pixels=[stage]))
    with pytest.raises(TextLeftInPixelsError):
        deidentifier.deidentify(file_of(scan(NAMED)))


def test_pixels_that_cannot_be_decoded_do_not_leave_unseen() -> None:
    dataset = scan(NAMED)
    dataset.Rows = 1000
    with pytest.raises(PixelsNotReadableError):
        cleaned(dataset)


def test_without_the_policy_the_flag_is_believed() -> None:
    content = file_of(scan(NAMED, BurnedInAnnotation="YES"))
    with pytest.raises(BurnedInAnnotationError):
        Deidentifier(KEY, PIPELINE).deidentify(content)


def test_a_profile_file_chooses_it(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('pixel_text = "mask-identifying"\n', encoding="utf-8")
    assert load(str(path)).policy.pixel_text is PixelText.MASK_IDENTIFYING
