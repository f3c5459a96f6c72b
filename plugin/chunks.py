# SPDX-License-Identifier: AGPL-3.0-or-later
"""Large bodies of requests, handed to the HTTP client piece by piece.

The client copies what is left of a buffer after each piece that the network takes: a body of
hundreds of megabytes in one buffer would be copied hundreds of times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Chunks:
    """The bytes of some parts, one after the other; may be sent more than once.

    Attributes:
        parts: in order; none is copied together with another.
    """

    parts: Sequence[bytes] = field(repr=False)

    @property
    def length(self) -> int:
        """Bytes of all parts, for Content-Length."""
        return sum(map(len, self.parts))

    @property
    def headers(self) -> dict[str, str]:
        """Without this header the client would leave the length open."""
        return {"Content-Length": str(self.length)}

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of 1 MiB at most."""
        for part in self.parts:
            for start in range(0, len(part), CHUNK_BYTES):
                yield part[start : start + CHUNK_BYTES]
