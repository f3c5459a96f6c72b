# SPDX-License-Identifier: Apache-2.0
"""Videos go by a policy of their own: for review by default, masked where the site asks for it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_fragments
from typer.testing import CliRunner

from deid import (
    Deidentifier,
    DocumentDroppedError,
    DocumentForReviewError,
    Policy,
)
from deid.checking_contents import PixelCheck
from deid.commands import app
from deid.errors import PixelsNotReadableError
from deid.policy import Documents, PixelText
from deid.profile_files import load
from deid.videos.pictures import digest_of
from deid.videos.syntaxes import Codec
from tests.deid.made_scans import KEY, PIPELINE, file_of
from tests.deid.videos.made_videos import STREAMS, SYNTAXES, put, stream, video

USUAL = load("basic").policy


def made(content: bytes, videos: Documents = Documents.MASK, **policy: object) -> Dataset:
    scan = Deidentifier(KEY, PIPELINE, replace(USUAL, videos=videos, **policy)).deidentify(content)
    return dcmread(BytesIO(scan.to_bytes()))


def left(dataset: Dataset) -> bytes:
    return b"".join(generate_fragments(dataset.PixelData))


@pytest.mark.parametrize("policy", [USUAL, Policy()], ids=["profile", "library"])
def test_a_video_waits_for_a_person_unless_the_policy_says_otherwise(policy: Policy) -> None:
    content = video(stream("h264.mp4"), Codec.H_264)
    with pytest.raises(DocumentForReviewError, match="video"):
        Deidentifier(KEY, PIPELINE, policy).deidentify(content)


def test_a_site_may_drop_them() -> None:
    with pytest.raises(DocumentDroppedError, match="video"):
        made(video(stream("mpeg2.ts"), Codec.MPEG_2), Documents.DROP)


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.hevc", "mpeg2.ts"])
def test_a_video_without_text_keeps_its_coded_pictures(name: str) -> None:
    codec = STREAMS[name]
    one = made(video(stream(name), codec))
    assert one.file_meta.TransferSyntaxUID == SYNTAXES[codec]
    assert digest_of(left(one)) == digest_of(stream(name))
    assert one.BurnedInAnnotation == "NO"
    assert "113101" in [code.CodeValue for code in one.DeidentificationMethodCodeSequence]
    assert [w for w in (b"Fenwick", b"Oduya", b"Lavc") if w in file_of(one, SYNTAXES[codec])] == []


def test_text_that_shows_in_a_few_pictures_is_masked_in_all_of_them() -> None:
    one = made(video(stream("h264_text.mp4"), Codec.H_264))
    assert one.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert one.NumberOfFrames == 24
    pictures = one.pixel_array
    assert pictures.shape == (24, 120, 160, 3)
    assert pictures[:, 12:24, 12:100].max() < 40
    assert np.mean(pictures[:, 60:]) > 40
    assert list(one.LossyImageCompressionMethod) == ["ISO_14496_10", "ISO_10918_1"]
    assert len(one.LossyImageCompressionRatio) == 2
    assert one.BurnedInAnnotation == "NO"


def test_as_others_cleans_the_stream_and_looks_at_no_picture_by_itself() -> None:
    content = video(stream("h264_text.mp4"), Codec.H_264)
    one = made(content, Documents.AS_OTHERS, pixel_text=PixelText.LEAVE)
    assert digest_of(left(one)) == digest_of(stream("h264_text.mp4"))
    assert "BurnedInAnnotation" not in one
    assert b"Fenwick" not in left(one)
    masked = made(content, Documents.AS_OTHERS)
    assert masked.pixel_array[:, 12:24, 12:100].max() < 40


def test_fragments_stay_as_long_as_they_were() -> None:
    dataset = dcmread(BytesIO(video(stream("h264.mp4"), Codec.H_264)))
    put(dataset, stream("h264.mp4"), fragments=3)
    one = made(file_of(dataset, f"{SYNTAXES[Codec.H_264]}.1"))
    sizes = [[len(part) for part in generate_fragments(d.PixelData)] for d in (dataset, one)]
    assert sizes[0] == sizes[1]
    # The offset table, and three fragments.
    assert len(sizes[0]) == 4


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4"])
def test_what_can_not_be_read_to_its_end_keeps_the_instance_back(name: str) -> None:
    content = stream(name)
    dataset = dcmread(BytesIO(video(content, STREAMS[name])))
    put(dataset, content[: len(content) // 2 - 7] + b"\x11")
    with pytest.raises(PixelsNotReadableError):
        made(file_of(dataset, SYNTAXES[STREAMS[name]]))


def test_the_command_sets_a_video_aside_for_a_person(tmp_path: Path) -> None:
    source, aside = tmp_path / "in", tmp_path / "aside"
    source.mkdir()
    (source / "one.dcm").write_bytes(video(stream("h264_text.mp4"), Codec.H_264))
    broken = dcmread(BytesIO(video(stream("h264.mp4"), Codec.H_264)))
    put(broken, b"no video")
    (source / "two.dcm").write_bytes(file_of(broken, SYNTAXES[Codec.H_264]))
    arguments = [
        str(source), "--out", str(tmp_path / "out"), "--key-file", str(tmp_path / "key"),
        "--set-aside", str(aside), "--jobs", "1",
    ]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "2 for review: video" in done.output
    (copy,) = aside.rglob("*.dcm")
    one = dcmread(copy)
    assert one.BurnedInAnnotation == "YES"
    assert b"Fenwick" not in copy.read_bytes()


@pytest.mark.parametrize(("name", "found"), [("h264.mp4", 0), ("h264_text.mp4", 1)])
def test_a_check_looks_through_videos(name: str, found: int) -> None:
    findings = list(PixelCheck().of(video(stream(name), Codec.H_264)))
    assert [finding.what for finding in findings] == ["text in the pixels"] * found


def test_the_command_masks_where_it_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "one.dcm"
    file.write_bytes(video(stream("h264_text.mp4"), Codec.H_264))
    arguments = [
        str(file), "--out", str(tmp_path / "out"), "--key-file", str(tmp_path / "key"),
        "--videos", "mask", "--jobs", "1",
    ]  # fmt: skip
    assert CliRunner().invoke(app, arguments).exit_code == 0
    (written,) = (tmp_path / "out").rglob("*.dcm")
    assert dcmread(written).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize("name", ["h264.mp4", "h264_text.mp4"])
def test_cleaning_adds_no_error_of_dciodvfy(name: str, tmp_path: Path) -> None:
    def errors(content: bytes) -> set[str]:
        file = tmp_path / "video.dcm"
        file.write_bytes(content)
        done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        return {line for line in done.stderr.splitlines() if line.startswith("Error")}

    content = video(stream(name), Codec.H_264)
    scan = Deidentifier(KEY, PIPELINE, replace(USUAL, videos=Documents.MASK)).deidentify(content)
    assert errors(scan.to_bytes()) - errors(content) == set()
