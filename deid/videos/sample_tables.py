# SPDX-License-Identifier: Apache-2.0
"""Where the samples of an MP4 track lie in the file (ISO/IEC 14496-12, 8.7)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from deid.videos.errors import StreamError

_MOST_SAMPLES = 10_000_000


@dataclass(frozen=True)
class SampleTables:
    """The tables of one track.

    Attributes
    ----------
    sizes:
        Bytes of each sample.
    chunks:
        Where each chunk begins in the file.
    runs:
        First chunk (counted from 1) of runs of chunks that are alike, and samples in each.
    """

    sizes: tuple[int, ...]
    chunks: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, boxes: Mapping[bytes, bytes]) -> SampleTables:
        """From the bodies of the boxes ``stsz``, ``stsc``, and ``stco`` or ``co64``.

        Raises
        ------
        StreamError
            If one is missing or cut off.
        """
        try:
            fixed, count = struct.unpack_from(">II", boxes[b"stsz"], 4)
            if count > _MOST_SAMPLES:
                raise StreamError("the video has too many samples")
            sizes: tuple[int, ...] = (fixed,) * count
            if not fixed:
                sizes = struct.unpack_from(f">{count}I", boxes[b"stsz"], 12)
            places, letter = (boxes[b"stco"], "I") if b"stco" in boxes else (boxes[b"co64"], "Q")
            chunks = struct.unpack_from(f">{_count(places)}{letter}", places, 8)
            rows = struct.unpack_from(f">{3 * _count(boxes[b'stsc'])}I", boxes[b"stsc"], 8)
        except (KeyError, struct.error):
            raise StreamError("the tables of the video's samples can't be read") from None
        return cls(sizes, chunks, tuple(zip(rows[::3], rows[1::3], strict=True)))

    def places(self) -> list[tuple[int, int]]:
        """Where each sample begins and ends.

        Raises
        ------
        StreamError
            If the tables do not fit together.
        """
        found: list[tuple[int, int]] = []
        ends = [first for first, _ in self.runs[1:]] + [len(self.chunks) + 1]
        for (first, samples), after in zip(self.runs, ends, strict=True):
            for at in self.chunks[first - 1 : after - 1]:
                for size in self.sizes[len(found) : len(found) + samples]:
                    found.append((at, at + size))
                    at += size  # noqa: PLW2901 - the next one begins there
        if len(found) != len(self.sizes):
            raise StreamError("the tables of the video's samples do not fit together")
        return found


def _count(body: bytes) -> int:
    """How many entries a table has, never more than it has room for."""
    return min(int(struct.unpack_from(">I", body, 4)[0]), len(body))
