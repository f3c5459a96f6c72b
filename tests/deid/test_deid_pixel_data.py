# SPDX-License-Identifier: Apache-2.0
"""Pixel data passes as it is, without what is no image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from deid import BurnedInAnnotationError, Deidentifier, Policy
from tests.deid.made_scans import KEY, ct, file_of

GRAY = {
    "Rows": 4, "Columns": 4, "SamplesPerPixel": 1, "BitsAllocated": 16, "BitsStored": 12,
    "HighBit": 11, "PixelRepresentation": 0, "PhotometricInterpretation": "MONOCHROME2",
}  # fmt: skip


def jpeg(level: int) -> bytes:
    """A frame of one grey."""
    stream = io.BytesIO()
    Image.new("L", (4, 4), level).save(stream, "JPEG")
    return stream.getvalue()


def scans(value: bytes) -> bytes:
    """What of a codestream is coded pixels: from the first scan or tile on, without padding."""
    starts = [at for at in (value.find(b"\xff\xda"), value.find(b"\xff\x93")) if at >= 0]
    return value[min(starts) : value.rindex(b"\xff\xd9")]


def treated(content: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(Deidentifier(KEY).deidentify(content).to_bytes()))


def test_bytes_behind_the_last_frame_are_cut() -> None:
    pixels = bytes(range(32))

    output = treated(file_of(ct(**GRAY, NumberOfFrames=1, PixelData=pixels + b"Doe^Jane")))

    assert output.PixelData == pixels


def test_frames_are_counted_before_anything_is_cut() -> None:
    pixels = bytes(range(96))

    output = treated(file_of(ct(**GRAY, NumberOfFrames=3, PixelData=pixels)))

    assert output.PixelData == pixels


def test_subsampled_colour_is_not_cut_and_not_overlong() -> None:
    colour = GRAY | {
        "SamplesPerPixel": 3, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
        "PhotometricInterpretation": "YBR_FULL_422",
    }  # fmt: skip
    pixels = bytes(range(32))

    assert treated(file_of(ct(**colour, PixelData=pixels + b"Doe^Jane"))).PixelData == pixels


def test_an_overlay_in_an_unused_bit_of_the_pixels_is_cleared_and_the_image_kept() -> None:
    image = np.arange(16, dtype="<u2") * 255
    with_overlay = image | (1 << 12)
    dataset = ct(**GRAY, PixelData=with_overlay.tobytes())
    dataset[0x60000100] = DataElement(0x60000100, "US", 16)
    dataset[0x60000102] = DataElement(0x60000102, "US", 12)

    output = treated(file_of(dataset))

    assert output.PixelData == image.tobytes()
    assert not any(tag.group == 0x6000 for tag, _ in output.items())


def test_a_bit_of_the_image_is_never_cleared() -> None:
    image = np.full(16, 0x0FFF, dtype="<u2")
    dataset = ct(**GRAY, PixelData=image.tobytes())
    dataset[0x60000100] = DataElement(0x60000100, "US", 16)
    dataset[0x60000102] = DataElement(0x60000102, "US", 5)

    assert treated(file_of(dataset)).PixelData == image.tobytes()


def test_compressed_frames_stay_bit_identical() -> None:
    frames = [jpeg(level) for level in (40, 200)]
    dataset = ct(**GRAY, NumberOfFrames=2, PixelData=encapsulate(frames))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True

    output = treated(file_of(dataset, JPEGBaseline8Bit))

    assert output.PixelData == dataset.PixelData
    assert output.file_meta.TransferSyntaxUID == JPEGBaseline8Bit


@pytest.mark.parametrize(
    "name",
    [
        "JPEG2000.dcm", "MR_small_RLE.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm",
        "JPEG-lossy.dcm", "MR_small_implicit.dcm", "SC_rgb_jpeg.dcm",
    ],
)  # fmt: skip
def test_every_transfer_syntax_is_kept_with_its_pixels(name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom ships no {name}")
    before = pydicom.dcmread(path)

    after = treated(Path(path).read_bytes())

    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    for keyword in ("FloatPixelData", "Rows", "Columns", "BitsAllocated"):
        assert after.get(keyword) == before.get(keyword)
    if name.startswith(("JPEG", "SC_rgb_jpeg")):
        assert scans(after.PixelData) == scans(before.PixelData)
    else:
        assert after.PixelData == before.PixelData


def test_text_in_the_pixels_is_refused_unless_the_policy_lets_it_pass() -> None:
    content = file_of(ct(**GRAY, PixelData=bytes(32), BurnedInAnnotation="YES"))

    with pytest.raises(BurnedInAnnotationError):
        Deidentifier(KEY).deidentify(content)
    policy = Policy(allow_burned_in_annotation=True)
    scan = Deidentifier(KEY, policy=policy).deidentify(content)

    assert scan.dataset.BurnedInAnnotation == "YES"
    assert "113101" not in scan.report.methods


def test_flags_of_what_was_not_done_stay_as_they_were() -> None:
    scan = Deidentifier(KEY).deidentify(
        ct(BurnedInAnnotation="NO", RecognizableVisualFeatures="YES")
    )

    assert scan.dataset.BurnedInAnnotation == "NO"
    assert scan.dataset.RecognizableVisualFeatures == "YES"
    assert scan.dataset.PatientIdentityRemoved == "YES"
    assert scan.report.methods == ("113100",)


def test_offsets_of_frames_that_are_not_compressed_are_taken_out() -> None:
    source = ct(**GRAY, PixelData=bytes(range(32)))
    for tag, vr in ((0x7FE00001, "OV"), (0x7FE00003, "OB")):
        source[tag] = DataElement(tag, vr, b"Doe^Jane")

    output = Deidentifier(KEY).deidentify(file_of(source)).to_bytes()

    assert b"Doe^Jane" not in output
    assert bytes(range(32)) in output


def test_float_pixels_of_another_size_than_the_image_are_taken_out() -> None:
    source = ct(Rows=4, Columns=4, BitsAllocated=32, SamplesPerPixel=1)
    source[0x7FE00008] = DataElement(0x7FE00008, "OF", b"Doe^Jane")

    assert b"Doe^Jane" not in Deidentifier(KEY).deidentify(file_of(source)).to_bytes()


def test_float_pixels_of_the_size_of_the_image_stay() -> None:
    pixels = np.linspace(0, 1, 16, dtype="<f4").tobytes()
    source = ct(Rows=4, Columns=4, BitsAllocated=32, SamplesPerPixel=1)
    source[0x7FE00008] = DataElement(0x7FE00008, "OF", pixels)

    output = treated(file_of(source))

    assert output.FloatPixelData == pixels
