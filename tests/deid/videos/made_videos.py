# SPDX-License-Identifier: Apache-2.0
"""Streams of video, and objects that hold them."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset
from pydicom.encaps import encapsulate

from deid.videos.pictures import pictures_of
from deid.videos.syntaxes import Codec
from tests.deid.made_scans import ct, file_of

DATA = Path(__file__).parent / "data"
STREAMS = {
    "h264.mp4": Codec.H_264, "h264.ts": Codec.H_264, "h264.h264": Codec.H_264,
    "hevc.mp4": Codec.HEVC, "hevc.hevc": Codec.HEVC,
    "mpeg2.ts": Codec.MPEG_2, "mpeg2.mpg": Codec.MPEG_2,
}  # fmt: skip
SYNTAXES = {
    Codec.H_264: "1.2.840.10008.1.2.4.102", Codec.HEVC: "1.2.840.10008.1.2.4.107",
    Codec.MPEG_2: "1.2.840.10008.1.2.4.100",
}  # fmt: skip


def stream(name: str) -> bytes:
    return (DATA / name).read_bytes()


def user_data(codec: Codec, text: bytes) -> bytes:
    """A unit of user data as encoders and recorders write it."""
    if codec is Codec.MPEG_2:
        return b"\0\0\1\xb2" + text
    head = b"\x06" if codec is Codec.H_264 else b"\x4e\x01"
    payload = bytes(range(1, 17)) + text
    return b"\0\0\1" + head + bytes((5, len(payload))) + payload + b"\x80"


def video(content: bytes, codec: Codec, **attributes: object) -> bytes:
    """A Part 10 file of an endoscopy."""
    count = sum(1 for _ in pictures_of(content))
    dataset = ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.1.1", Modality="ES", Rows=120,
        PatientName="Fenwick^Marigold", Columns=160, SamplesPerPixel=3, NumberOfFrames=count,
        FrameTime=100, PhotometricInterpretation="YBR_PARTIAL_420",
        PlanarConfiguration=0, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
        LossyImageCompression="01", **attributes,
    )  # fmt: skip
    put(dataset, content)
    return file_of(dataset, SYNTAXES[codec])


def put(dataset: Dataset, content: bytes, fragments: int = 1) -> None:
    """Make a stream the pixel data of a data set."""
    dataset.PixelData = encapsulate([content], fragments_per_frame=fragments, has_bot=False)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
