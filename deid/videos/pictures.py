# SPDX-License-Identifier: Apache-2.0
"""The pictures of a stream of video, one after the other: never all of them in memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.videos.errors import StreamError

Picture = NDArray[np.uint8]
"""``(rows, columns, 3)``, red, green, blue."""

_FEWEST, _MOST = 25, 40
"""Pictures that are looked at together at first, and how many such groups at most."""


class Seen(NamedTuple):
    """What a look through a video tells.

    Attributes
    ----------
    views:
        ``(n, rows, columns, 3)``: of each group of pictures the brightest and darkest values and
        one picture as it is. Groups have 25 pictures, in longer videos 50, 100, ... : there are 40
        at most.
    pictures:
        How many pictures the video has.
    digest:
        Of all its pictures: equal for two streams that show the same.
    """

    views: NDArray[np.uint8]
    pictures: int
    digest: bytes


def pictures_of(stream: bytes) -> Iterator[Picture]:
    """Decode a stream; nothing is written to a disk.

    Raises
    ------
    StreamError
        If it can't be decoded, or its pictures change their size.
    """
    import cv2  # noqa: PLC0415 - only videos need it

    source: Any = io.BytesIO(stream)
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [])
    try:
        shape: tuple[int, ...] | None = None
        while True:
            found, picture = capture.read()
            if not found:
                break
            if shape not in (None, picture.shape):
                raise StreamError("the pictures of the video differ in size")
            shape = picture.shape
            yield np.ascontiguousarray(picture[:, :, ::-1]).astype(np.uint8, copy=False)
        if shape is None:
            raise StreamError("the video can't be decoded")
    except cv2.error:
        raise StreamError("the video can't be decoded") from None
    finally:
        capture.release()


def digest_of(stream: bytes) -> bytes:
    """The digest of ``Seen`` alone."""
    digest = hashlib.sha256()
    for picture in pictures_of(stream):
        digest.update(picture.tobytes())
    return digest.digest()


def seen(stream: bytes) -> Seen:
    """Look through a video.

    Raises
    ------
    StreamError
        As ``pictures_of``.
    """
    digest, groups = hashlib.sha256(), _Groups()
    count = 0
    for picture in pictures_of(stream):
        digest.update(picture.tobytes())
        groups.add(picture, count)
        count += 1
    return Seen(groups.views(), count, digest.digest())


class _Groups:
    """Brightest, darkest and one picture of each group; groups are joined as they become many."""

    def __init__(self) -> None:
        self._size = _FEWEST
        self._groups: list[list[Picture]] = []

    def add(self, picture: Picture, number: int) -> None:
        if number // self._size == len(self._groups):
            self._groups.append([picture.copy(), picture.copy(), picture])
        else:
            brightest, darkest, _ = self._groups[-1]
            np.maximum(brightest, picture, out=brightest)
            np.minimum(darkest, picture, out=darkest)
            if number % self._size == self._size // 2:
                self._groups[-1][2] = picture
        if len(self._groups) > _MOST:
            self._join()

    def _join(self) -> None:
        """Two neighbours become one; the last of an odd number stays, half as long."""
        joined = []
        for at in range(0, len(self._groups), 2):
            pair = self._groups[at : at + 2]
            brightest = np.maximum(pair[0][0], pair[-1][0])
            darkest = np.minimum(pair[0][1], pair[-1][1])
            joined.append([brightest, darkest, pair[at // 2 % len(pair)][2]])
        self._groups, self._size = joined, 2 * self._size

    def views(self) -> NDArray[np.uint8]:
        return np.stack([view for group in self._groups for view in group])
