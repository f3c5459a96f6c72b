# SPDX-License-Identifier: Apache-2.0
"""Comments, EXIF, boxes and hidden bytes leave compressed images; the pixels stay as they are."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless

from deid import Deidentifier
from deid.codestreams import KNOWN, Frames, cleaned_fragments
from deid.errors import PixelsNotReadableError
from deid.fragments import encapsulated
from tests.deid.made_scans import KEY, ct, file_of

ONE = Frames(1, 0, 0)
SECRET = b"Okafor^Amara 1961-03-04"
FILES = (
    "SC_rgb_jpeg.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "JPEG-LL.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "MR_small_jp2klossless.dcm",
    "emri_small_jpeg_2k_lossless.dcm",
    "HTJ2K_08_RGB.dcm",
)


def picture(size: int = 32) -> Image.Image:
    values = np.random.default_rng(4).integers(0, 255, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(values)


def saved(form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture().save(stream, form, **options)
    return stream.getvalue()


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def items(*frames: bytes) -> bytes:
    return encapsulated([b"", *frames])


def only(cleaned: bytes | None) -> bytes:
    assert cleaned is not None
    (frame,) = generate_frames(cleaned, number_of_frames=1)
    return frame


def pixels(stream: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(stream)).convert("RGB"))


@pytest.mark.parametrize(
    "hidden",
    [
        segment(0xFE, SECRET),
        segment(0xE1, b"Exif\0\0" + SECRET),
        segment(0xED, b"Photoshop 3.0\0" + SECRET),
        segment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\1\1" + b"abc" + SECRET),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + SECRET),
    ],
)
def test_a_jpeg_loses_what_is_hidden_in_its_header(hidden: bytes) -> None:
    whole = saved("JPEG", quality=90)
    frame = only(cleaned_fragments(items(whole[:2] + hidden + whole[2:]), JPEGBaseline8Bit, ONE))
    assert SECRET not in frame
    assert np.array_equal(pixels(frame), pixels(whole))


def test_a_jpeg_loses_comments_between_scans_and_bytes_behind_its_end() -> None:
    whole = saved("JPEG", quality=90, progressive=True)
    second = whole.index(b"\xff\xda", whole.index(b"\xff\xda") + 2)
    # Tables of the next scan stand before it: the comment goes before the first of them.
    before = whole.rindex(b"\xff\xc4", 0, second)
    hidden = whole[:before] + segment(0xFE, SECRET) + whole[before:] + SECRET
    frame = only(cleaned_fragments(items(hidden), JPEGBaseline8Bit, ONE))
    assert SECRET not in frame
    assert np.array_equal(pixels(frame), pixels(whole))


def test_what_a_decoder_needs_stays() -> None:
    whole = saved("JPEG", quality=90)
    adobe = segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
    assert b"JFIF" in whole
    assert cleaned_fragments(items(whole[:2] + adobe + whole[2:]), JPEGBaseline8Bit, ONE) is None


@pytest.mark.parametrize("syntax", [JPEG2000, JPEG2000Lossless])
def test_jpeg_2000_loses_comments_and_its_boxes(syntax: str) -> None:
    file = saved("JPEG2000", irreversible=syntax == JPEG2000, comment=SECRET, no_jp2=True)
    assert SECRET in file
    assert SECRET not in only(cleaned_fragments(items(file), syntax, ONE))
    boxed = saved("JPEG2000", irreversible=syntax == JPEG2000)
    uuid = struct.pack(">I4s", 24 + len(SECRET), b"uuid") + bytes(16) + SECRET
    frame = only(cleaned_fragments(items(boxed + uuid), syntax, ONE))
    assert frame.startswith(b"\xff\x4f\xff\x51")
    assert SECRET not in frame
    assert np.array_equal(pixels(frame), pixels(boxed))


def test_a_comment_in_a_tile_part_leaves_and_its_length_follows() -> None:
    file = saved("JPEG2000", irreversible=False, no_jp2=True)
    at = file.index(b"\xff\x90")
    comment = b"\xff\x64" + struct.pack(">HH", len(SECRET) + 4, 1) + SECRET
    length = struct.unpack_from(">I", file, at + 6)[0]
    part = bytearray(file[at : at + 12])
    struct.pack_into(">I", part, 6, length + len(comment))
    hidden = file[:at] + bytes(part) + comment + file[at + 12 :]
    assert np.array_equal(pixels(hidden), pixels(file))
    frame = only(cleaned_fragments(items(hidden), JPEG2000Lossless, ONE))
    assert SECRET not in frame
    assert np.array_equal(pixels(frame), pixels(file))


@pytest.mark.parametrize("name", FILES)
def test_real_files_keep_every_pixel(name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not here")
    original = pydicom.dcmread(path)
    syntax = original.file_meta.TransferSyntaxUID
    assert syntax in KNOWN
    frames = int(original.get("NumberOfFrames") or 1)
    value = original.PixelData.removesuffix(b"\xfe\xff\xdd\xe0\0\0\0\0")
    cleaned = cleaned_fragments(value, syntax, Frames(frames, 0, 0))
    if cleaned is None:
        return
    assert cleaned_fragments(cleaned, syntax, Frames(frames, 0, 0)) is None
    again = pydicom.dcmread(path)
    again.PixelData = cleaned + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert np.array_equal(again.pixel_array, original.pixel_array)


def test_frames_spread_over_fragments_are_put_together() -> None:
    frames = [saved("JPEG", quality=q)[:2] + segment(0xFE, SECRET) + saved("JPEG", quality=q)[2:]
              for q in (70, 95)]  # fmt: skip
    spread = encapsulate(frames, fragments_per_frame=3, has_bot=False)
    cleaned = cleaned_fragments(spread, JPEGBaseline8Bit, Frames(2, 0, 0))
    assert cleaned is not None
    for frame, quality in zip(generate_frames(cleaned, number_of_frames=2), (70, 95), strict=True):
        assert np.array_equal(pixels(frame), pixels(saved("JPEG", quality=quality)))


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\xff\xd8",
        b"no image at all.",
        b"\xff\xd8\xff\xfe\xff\xff" + SECRET,
        b"\xff\xd8\xff\xda",
    ],
)
@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLSLossless, JPEG2000])
def test_what_cant_be_read_does_not_leave(stream: bytes, syntax: str) -> None:
    with pytest.raises(PixelsNotReadableError) as raised:
        cleaned_fragments(items(stream), syntax, ONE)
    assert "Okafor" not in str(raised.value)


def test_the_deidentifier_takes_comments_out_and_says_so() -> None:
    whole = saved("JPEG", quality=90)
    dataset = ct(
        Rows=32, Columns=32, SamplesPerPixel=3, BitsAllocated=8, BitsStored=8, HighBit=7,
        PixelRepresentation=0, PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0,
        PixelData=encapsulate([whole[:2] + segment(0xFE, SECRET) + whole[2:]]),
    )  # fmt: skip
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    scan = Deidentifier(KEY).deidentify(file_of(dataset, JPEGBaseline8Bit))
    made = scan.to_bytes()
    assert SECRET not in made
    (frame,) = generate_frames(pydicom.dcmread(io.BytesIO(made)).PixelData, number_of_frames=1)
    assert np.array_equal(pixels(frame), pixels(whole))
    assert {str(r.action) for r in scan.report.elements if r.path == "7FE00010"} == {"cleaned"}


def test_a_container_of_jpeg_xl_loses_every_box_but_its_codestream() -> None:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    start = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    coded = box(b"jxlc", b"\xff\x0a" + bytes(30))
    syntax = "1.2.840.10008.1.2.4.110"
    hidden = start + box(b"Exif", SECRET) + coded + box(b"xml ", SECRET) + box(b"jbrd", SECRET)

    assert only(cleaned_fragments(items(hidden), syntax, ONE)).rstrip(b"\0") == (
        start + coded
    ).rstrip(b"\0")
    assert cleaned_fragments(items(start + coded), syntax, ONE) is None
    assert cleaned_fragments(items(b"\xff\x0a" + bytes(20)), syntax, ONE) is None
    with pytest.raises(PixelsNotReadableError):
        cleaned_fragments(items(SECRET), syntax, ONE)
