# SPDX-License-Identifier: Apache-2.0
"""Pixel data passes as it is, without what is no image."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.uid import JPEGBaseline8Bit, RLELossless

from deid import BurnedInAnnotationError, Deidentifier, Policy
from deid.errors import AmbiguousPixelDataError, PixelsNotReadableError
from deid.fragments import encapsulated
from deid.policy import PixelText
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


def test_what_lies_behind_float_pixels_is_cut() -> None:
    pixels = np.linspace(0, 1, 16, dtype="<f4").tobytes()
    source = ct(Rows=4, Columns=4, BitsAllocated=32, SamplesPerPixel=1)
    source[0x7FE00008] = DataElement(0x7FE00008, "OF", pixels + b"Doe^Jane")

    assert treated(file_of(source)).FloatPixelData == pixels


@pytest.mark.parametrize("rows", [4, None])
def test_fewer_float_pixels_than_the_image_has_never_leave(rows: int | None) -> None:
    source = ct(Rows=rows, Columns=4, BitsAllocated=32, SamplesPerPixel=1)
    source[0x7FE00008] = DataElement(0x7FE00008, "OF", b"Doe^Jane")

    if rows:
        with pytest.raises(PixelsNotReadableError, match="fewer"):
            treated(file_of(source))
    else:
        assert "FloatPixelData" not in treated(file_of(source))


def test_pixels_that_spell_a_text_and_are_no_image_never_leave() -> None:
    with pytest.raises(PixelsNotReadableError, match="spell a text"):
        treated(file_of(ct(PixelData=b"Doe^Jane")))


def two_kinds(sop_class: str, *kinds: int) -> bytes:
    """An object with pixels of several kinds."""
    values = {0x7FE00008: ("OF", "<f4"), 0x7FE00009: ("OD", "<f8"), 0x7FE00010: ("OW", "<u2")}
    source = ct(SOPClassUID=sop_class, **GRAY)
    for tag in kinds:
        vr, kind = values[tag]
        source[tag] = DataElement(tag, vr, np.arange(16, dtype=kind).tobytes())
    return file_of(source)


@pytest.mark.parametrize("other", [0x7FE00008, 0x7FE00009])
def test_of_two_kinds_of_pixels_the_one_stays_that_the_iod_has_and_the_report_says_so(
    other: int,
) -> None:
    content = two_kinds("1.2.840.10008.5.1.4.1.1.2", other, 0x7FE00010)

    scan = Deidentifier(KEY).deidentify(content)

    made = pydicom.dcmread(io.BytesIO(scan.to_bytes()))
    assert made.PixelData == np.arange(16, dtype="<u2").tobytes()
    assert other not in made
    (record,) = [one for one in scan.report.elements if one.path == f"{other:08X}"]
    assert (record.rule, record.action) == ("pixel data that the IOD does not have", "removed")


@pytest.mark.parametrize(
    "kinds", [(0x7FE00008, 0x7FE00010), (0x7FE00009, 0x7FE00010), (0x7FE00008, 0x7FE00009)]
)
@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.30", "1.2.276.0.7230010.3.1.0.1"])
def test_two_kinds_of_pixels_of_which_either_may_be_the_image_are_refused(
    kinds: tuple[int, int], sop_class: str
) -> None:
    with pytest.raises(AmbiguousPixelDataError):
        Deidentifier(KEY).deidentify(two_kinds(sop_class, *kinds))


@pytest.mark.parametrize("kind", [0x7FE00008, 0x7FE00009, 0x7FE00010])
def test_pixels_of_any_one_kind_stay_as_they_are(kind: int) -> None:
    made = treated(two_kinds("1.2.840.10008.5.1.4.1.1.30", kind))

    assert [tag for tag in (0x7FE00008, 0x7FE00009, 0x7FE00010) if tag in made] == [kind]


@pytest.mark.parametrize(
    ("tag", "vr", "kind"), [(0x7FE00008, "OF", "<f4"), (0x7FE00009, "OD", "<f8")]
)
def test_text_in_float_pixels_is_masked_and_every_other_bit_stays(
    tag: int, vr: str, kind: str
) -> None:
    picture = PIL.Image.new("L", (400, 120), 12)
    font = PIL.ImageFont.load_default(24)
    PIL.ImageDraw.Draw(picture).text((20, 20), "DOE^JANE 1950", fill=240, font=font)
    values = np.asarray(picture).astype(kind) / 100
    values[100, 300] = np.nan
    values[110, 300] = 1e30
    source = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.30", BurnedInAnnotation="YES")
    source.Rows, source.Columns, source.SamplesPerPixel = 120, 400, 1
    source.BitsAllocated, source.PhotometricInterpretation = 8 * values.itemsize, "MONOCHROME2"
    source[tag] = DataElement(tag, vr, values.tobytes())

    scan = Deidentifier(KEY, policy=Policy(pixel_text=PixelText.MASK)).deidentify(file_of(source))

    made = pydicom.dcmread(io.BytesIO(scan.to_bytes()))
    after = np.frombuffer(made[tag].value, kind).reshape(values.shape)
    assert made.BurnedInAnnotation == "NO"
    assert after[:60].max() < 0.2
    assert np.array_equal(after[70:], values[70:], equal_nan=True)


def test_an_unknown_element_of_the_pixel_group_never_leaves() -> None:
    source = ct()
    for number in (0x0004, 0x0020, 0x0FFE):
        source[0x7FE00000 | number] = DataElement(0x7FE00000 | number, "OW", b"Doe^Jane")

    assert b"Doe^Jane" not in Deidentifier(KEY).deidentify(file_of(source)).to_bytes()


def rle_of(dataset: pydicom.Dataset) -> list[bytes]:
    frames = np.frombuffer(dataset.PixelData, "<u2").reshape(-1, 4, 4)
    options = {
        "rows": 4, "columns": 4, "samples_per_pixel": 1, "bits_allocated": 16, "bits_stored": 12,
        "pixel_representation": 0, "number_of_frames": 1,
        "photometric_interpretation": "MONOCHROME2",
    }  # fmt: skip
    return [RLELosslessEncoder.encode(np.ascontiguousarray(one), **options) for one in frames]


def compressed(syntax: str, frames: list[bytes], table: bytes = b"", **more: object) -> bytes:
    dataset = ct(**GRAY | more, NumberOfFrames=len(frames), PixelData=b"")
    dataset.PixelData = encapsulated([table, *frames])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return file_of(dataset, syntax)


NATIVE = ct(**GRAY, NumberOfFrames=2, PixelData=np.arange(32, dtype="<u2").tobytes())


@pytest.mark.parametrize("place", ["behind", "between", "in the header"])
def test_bytes_hidden_in_a_frame_of_run_lengths_are_taken_out(place: str) -> None:
    clean = rle_of(NATIVE)
    frames = list(clean)
    count, first, second = struct.unpack_from("<3I", frames[1])
    if place == "behind":
        frames[1] += b"Doe^Jane"
    elif place == "between":
        head = struct.pack("<3I", count, first, second + 8) + frames[1][12:64]
        frames[1] = head + frames[1][64:second] + b"Doe^Jane" + frames[1][second:]
    else:
        frames[1] = frames[1][:40] + b"Doe^Jane" + frames[1][48:]

    output = Deidentifier(KEY).deidentify(compressed(RLELossless, frames)).to_bytes()

    assert b"Doe^Jane" not in output
    made = pydicom.dcmread(io.BytesIO(output))
    assert made.pixel_array.tobytes() == NATIVE.PixelData
    untouched = compressed(RLELossless, clean)
    same = pydicom.dcmread(io.BytesIO(Deidentifier(KEY).deidentify(untouched).to_bytes()))
    assert same.PixelData == pydicom.dcmread(io.BytesIO(untouched)).PixelData


def test_a_table_of_offsets_that_says_something_else_is_emptied() -> None:
    frames = rle_of(NATIVE)
    starts = struct.pack("<2I", 0, len(frames[0]) + 8)

    true = treated(compressed(RLELossless, frames, starts))
    false = treated(compressed(RLELossless, frames, b"Doe^Jane"))

    assert starts in true.PixelData
    assert b"Doe^Jane" not in false.PixelData
    assert false.pixel_array.tobytes() == NATIVE.PixelData


@pytest.mark.parametrize("tag", [0x7FE00001, 0x7FE00002, 0x7FE00003])
def test_an_extended_table_stays_only_where_it_is_true(tag: int) -> None:
    frames = rle_of(NATIVE)
    true = {
        0x7FE00001: struct.pack("<2Q", 0, len(frames[0]) + 8),
        0x7FE00002: struct.pack("<2Q", *map(len, frames)),
        0x7FE00003: struct.pack("<Q", sum(map(len, frames))),
    }[tag]
    for value, stays in ((true, True), (b"Doe^Jane" * (len(true) // 8), False)):
        dataset = pydicom.dcmread(io.BytesIO(compressed(RLELossless, frames)))
        dataset[tag] = DataElement(tag, "OV" if tag != 0x7FE00003 else "OB", value)
        if tag == 0x7FE00003:
            dataset[tag] = DataElement(tag, "UV", int.from_bytes(value, "little"))
        assert (tag in treated(file_of(dataset, RLELossless))) is stays


def test_what_follows_a_deflated_or_an_uncompressed_frame_is_cut() -> None:
    raw = np.arange(16, dtype="<u2").tobytes()
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = squeeze.compress(raw) + squeeze.flush()
    for syntax, frame in (("1.2.840.10008.1.2.8.1", deflated), ("1.2.840.10008.1.2.1.98", raw)):
        content = compressed(JPEGBaseline8Bit, [frame + b"Doe^Jane"])
        content = content.replace(JPEGBaseline8Bit.encode(), syntax.encode().ljust(22, b"\0"))
        output = Deidentifier(KEY).deidentify(content).to_bytes()
        assert b"Doe^Jane" not in output
        assert frame in output


def test_float_pixels_of_the_size_of_the_image_stay() -> None:
    pixels = np.linspace(0, 1, 16, dtype="<f4").tobytes()
    source = ct(Rows=4, Columns=4, BitsAllocated=32, SamplesPerPixel=1)
    source[0x7FE00008] = DataElement(0x7FE00008, "OF", pixels)

    output = treated(file_of(source))

    assert output.FloatPixelData == pixels
