# SPDX-License-Identifier: Apache-2.0
"""Text in codings that pydicom leaves to others is found and masked, too."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import gdcm
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
)

from deid import Deidentifier
from deid.errors import PixelsNotReadableError
from tests.deid.made_scans import KEY, PIPELINE, file_of
from tests.deid.test_deid_pixel_text import MASKING, NAMED, scan

DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
SPECTRAL, PROGRESSIVE = "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"
WRITTEN = NAMED > 100


def deflated(frame: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeeze.compress(frame) + squeeze.flush()


def run_length_coded(frame: bytes) -> bytes:
    """One segment of literal runs (PS3.5 section G.3)."""
    runs = [frame[at : at + 128] for at in range(0, len(frame), 128)]
    coded = b"".join(bytes([len(run) - 1]) + run for run in runs)
    return (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + coded


def coded(dataset: Dataset, frames: list[bytes], syntax: str) -> Dataset:
    """What the de-identification makes of these frames."""
    even = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    dataset.PixelData = encapsulate(even)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    # pydicom knows few of these syntaxes; where a file says which, others fit as well.
    content = file_of(dataset, JPEGBaseline8Bit)
    held = JPEGBaseline8Bit.encode().ljust(22, b"\0")
    content = content.replace(held, syntax.encode().ljust(22, b"\0"))
    made = Deidentifier(KEY, PIPELINE, MASKING).deidentify(content)
    return dcmread(BytesIO(made.to_bytes()))


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize(("syntax", "code"), [
    (RLELossless, run_length_coded), (DEFLATED_FRAMES, deflated),
])  # fmt: skip
def test_bits(syntax: str, code: object, odd: bool) -> None:
    """Frames that don't end with a byte: coded ones are padded, native ones follow at once."""
    frames = np.stack([np.zeros_like(WRITTEN), WRITTEN])[:, :, : 399 if odd else 400]
    frames = frames[:, :239] if odd else frames
    dataset = scan(frames.astype(np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0)
    packed = [np.packbits(frame, bitorder="little").tobytes() for frame in frames]

    made = coded(dataset, [code(frame) for frame in packed], syntax)  # type: ignore[operator]

    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (made.BitsAllocated, made.BurnedInAnnotation) == (1, "NO")
    assert made.pixel_array.shape == frames.shape
    assert not made.pixel_array.any()


def test_bits_without_text_stay_as_they_are_coded() -> None:
    frame = np.zeros((240, 400), np.uint8)
    frame[60:180, 100:300] = 1
    dataset = scan(frame, BitsAllocated=1, BitsStored=1, HighBit=0)
    content = deflated(np.packbits(frame, bitorder="little").tobytes())

    made = coded(dataset, [content], DEFLATED_FRAMES)

    assert made.file_meta.TransferSyntaxUID == DEFLATED_FRAMES
    assert content in made.PixelData


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_deflated_words(kind: str) -> None:
    pixels = NAMED.astype(kind)
    made = coded(scan(pixels), [deflated(pixels.tobytes())], DEFLATED_FRAMES)
    assert made.file_meta.TransferSyntaxUID == RLELossless
    assert made.pixel_array[WRITTEN].max() <= 12
    assert np.array_equal(made.pixel_array[60:190], pixels[60:190])


def test_a_stream_that_is_not_deflated_does_not_leave() -> None:
    with pytest.raises(PixelsNotReadableError):
        coded(scan(NAMED), [b"\xff" * 40], DEFLATED_FRAMES)


def test_a_frame_that_inflates_to_more_than_the_image_costs_no_memory() -> None:
    pixels = NAMED.tobytes() + bytes(1 << 26)
    made = coded(scan(NAMED), [deflated(pixels)], DEFLATED_FRAMES)
    assert made.pixel_array[WRITTEN].max() <= 12


def test_a_deflated_frame_that_is_too_short_does_not_leave() -> None:
    with pytest.raises(PixelsNotReadableError):
        coded(scan(NAMED), [deflated(NAMED.tobytes()[:-9])], DEFLATED_FRAMES)


def of_twelve_bits(pixels: NDArray[np.uint16], folder: Path) -> bytes:
    """A frame of JPEG with twelve bits, as GDCM writes it."""
    source, made = folder / "source.dcm", folder / "made.dcm"
    source.write_bytes(file_of(scan(pixels, BitsStored=12, HighBit=11)))
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(
        gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(JPEGExtended12Bit)))
    )
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(made))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    value = dcmread(made).PixelData
    return bytes(value[value.index(b"\xff\xd8\xff") :])


@pytest.mark.parametrize("syntax", [JPEGExtended12Bit, SPECTRAL, PROGRESSIVE])
@pytest.mark.parametrize("frames", [1, 2])
def test_jpeg_of_twelve_bits(syntax: str, frames: int, tmp_path: Path) -> None:
    pixels = NAMED.astype(np.uint16) * 16
    stream = of_twelve_bits(pixels, tmp_path)
    dataset = scan(np.stack([pixels] * frames), BitsStored=12, HighBit=11)

    made = coded(dataset, [stream] * frames, syntax)

    assert made.file_meta.TransferSyntaxUID == RLELossless
    assert made.pixel_array.reshape(-1, 240, 400)[:, WRITTEN].max() <= 12 * 16 + 40
    assert made.pixel_array.max() <= 12 * 16 + 40


def test_progressive_jpeg_of_eight_bits(tmp_path: Path) -> None:
    path = tmp_path / "frame.jpg"
    Image.fromarray(NAMED).save(path, progressive=True, quality=95)
    made = coded(scan(NAMED), [path.read_bytes()], PROGRESSIVE)
    assert made.pixel_array[WRITTEN].max() <= 40


def test_colours_of_twelve_bits_do_not_leave(tmp_path: Path) -> None:
    stream = of_twelve_bits(NAMED.astype(np.uint16) * 16, tmp_path)
    colours = np.stack([NAMED.astype(np.uint16)] * 3, axis=-1)
    with pytest.raises(PixelsNotReadableError):
        coded(scan(colours, BitsStored=12, HighBit=11), [stream], PROGRESSIVE)
