# SPDX-License-Identifier: Apache-2.0
"""A stream of video loses all but its pictures, and those stay as they are."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from deid.videos.errors import StreamError
from deid.videos.pictures import digest_of, pictures_of, seen
from deid.videos.streams import cleaned
from deid.videos.syntaxes import Codec, codec_of, is_video
from deid.videos.units import clean_start_codes, filler
from tests.deid.videos.made_videos import STREAMS, stream, user_data

PLANTED = (
    b"Fenwick",
    b"Oduya",
    b"QX12",
    b"x264",
    b"x265",
    b"Lavc",
    b"Lavf",
    b"FFmpeg",
    b"VideoHandler",
)


@pytest.mark.parametrize("name", STREAMS)
def test_pictures_are_the_same_and_names_gone(name: str) -> None:
    clean = cleaned(stream(name), STREAMS[name])
    assert len(clean) == len(stream(name))
    assert digest_of(clean) == digest_of(stream(name))
    assert [word for word in PLANTED if word in clean] == []


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_clean_stays_as_it_is(name: str) -> None:
    clean = cleaned(stream(name), STREAMS[name])
    assert cleaned(clean, STREAMS[name]) == clean


def test_what_was_planted_was_there() -> None:
    everything = b"".join(map(stream, STREAMS))
    assert [word for word in PLANTED[:6] if word not in everything] == []


@pytest.mark.parametrize("name", ["h264.h264", "hevc.hevc"])
def test_user_data_between_pictures_goes(name: str) -> None:
    content, codec = stream(name), STREAMS[name]
    second = content.index(b"\0\0\1", len(content) // 2)
    planted = content[:second] + user_data(codec, b"FENWICK 1948-03-12") + content[second:]
    clean = cleaned(planted, codec)
    assert b"FENWICK" not in clean
    assert digest_of(clean) == digest_of(content)


def test_user_data_and_the_time_of_day_of_mpeg_2_go() -> None:
    from deid.videos.elementary import gathered
    from deid.videos.transport import clean_transport

    packets = bytearray(stream("mpeg2.ts"))
    video = gathered(packets, clean_transport(packets, Codec.MPEG_2))
    group = video.index(b"\0\0\1\xb8")
    video[group + 4 : group + 8] = bytes((0x2A, 0xDC, 0x5A, 0x40))
    picture = video.index(b"\0\0\1\0")
    video[picture:picture] = user_data(Codec.MPEG_2, b"FENWICK")
    before = digest_of(bytes(video))
    assert clean_start_codes(video, Codec.MPEG_2)
    assert b"FENWICK" not in video
    assert video[group + 4 : group + 7] == bytes((0x00, 0x08, 0x00))
    assert digest_of(bytes(video)) == before


def test_sound_leaves_no_byte() -> None:
    before, clean = stream("h264.mp4"), cleaned(stream("h264.mp4"), Codec.H_264)
    assert b"mp4a" in before
    assert b"mp4a" not in clean
    packets = cleaned(stream("h264.ts"), Codec.H_264)
    numbers = {
        struct.unpack_from(">H", packets, at + 1)[0] & 0x1FFF for at in range(0, len(packets), 188)
    }
    # The two tables, one video, and null packets.
    assert len(numbers) == 4
    assert {0, 0x1FFF} < numbers
    program = cleaned(stream("mpeg2.mpg"), Codec.MPEG_2)
    assert b"\0\0\1\xc0" in stream("mpeg2.mpg")
    assert b"\0\0\1\xc0" not in program


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_of_another_codec_is_refused_or_shows_nothing_any_more(name: str) -> None:
    for other in set(Codec) - {STREAMS[name]}:
        with pytest.raises(StreamError):
            digest_of(cleaned(stream(name), other))


@pytest.mark.parametrize(
    "content",
    [b"", b"no video, but a name", b"\0\0\1", b"\0\0\0\x18ftypisom" + bytes(12), bytes(400)],
)
def test_what_is_no_video_is_refused(content: bytes) -> None:
    with pytest.raises(StreamError):
        cleaned(content, Codec.H_264)


def test_bytes_before_the_first_picture_of_a_bare_stream_are_refused() -> None:
    with pytest.raises(StreamError, match="before the first"):
        cleaned(b"Fenwick" + stream("h264.h264"), Codec.H_264)


def test_a_fragmented_file_is_refused() -> None:
    fragment = struct.pack(">I4s", 16, b"moof") + bytes(8)
    with pytest.raises(StreamError, match="fragmented"):
        cleaned(stream("h264.mp4") + fragment, Codec.H_264)


@pytest.mark.parametrize("name", STREAMS)
def test_damage_is_refused_by_type_or_does_no_harm(name: str) -> None:
    chance = random.Random(name)  # noqa: S311
    content = stream(name)
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 4))):
            damaged[chance.randrange(min(len(damaged), 2000))] = chance.randrange(256)
        try:
            clean = cleaned(
                bytes(damaged[: chance.choice((None, len(content) // 2))]), STREAMS[name]
            )
        except StreamError:
            continue
        assert len(clean) <= len(content)


@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_filler_has_the_length_asked_for(length: int) -> None:
    assert len(filler(Codec.HEVC, length)) == len(filler(Codec.H_264, length)) == length


def test_a_look_sees_text_that_shows_in_few_pictures() -> None:
    look = seen(stream("h264_text.mp4"))
    assert look.pictures == 24
    white = look.views[0][10:26, 10:60].min(axis=2) > 200
    assert white.any()
    assert look.views.shape == (3, 120, 160, 3)


def test_what_can_not_be_decoded_is_refused() -> None:
    with pytest.raises(StreamError, match="decoded"):
        list(pictures_of(b"no video"))


def test_pictures_are_red_green_blue() -> None:
    first = next(iter(pictures_of(stream("h264.mp4"))))
    assert np.mean(first[:, :, 0]) > np.mean(first[:, :, 2]) + 20


def test_the_transfer_syntaxes_of_video_are_known() -> None:
    assert codec_of("1.2.840.10008.1.2.4.100") is Codec.MPEG_2
    assert codec_of("1.2.840.10008.1.2.4.102.1") is Codec.H_264
    assert codec_of("1.2.840.10008.1.2.4.108") is Codec.HEVC
    assert codec_of("1.2.840.10008.1.2.4.50") is None
    assert is_video("1.2.840.10008.1.2.7.1")
    assert not is_video("1.2.840.10008.1.2.4.201")
