# SPDX-License-Identifier: Apache-2.0
"""Reading ``multipart/related`` bodies of ``application/dicom`` parts while they arrive.

RFC 2387 and RFC 2046 section 5.1; the form that DICOMweb uses (PS3.18 section 8.6.1.2). Each byte
of a part is copied twice: into the buffer, and out of it when the part is complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from enum import Enum, auto

from inference.serving.errors import ServiceError

PART_TYPE = "application/dicom"
MOST_PARTS = 10_000
_MOST_HEADER_BYTES = 16_384
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_LINE_END = b"\r\n"


def boundary_of(content_type: str) -> str:
    """Take the boundary from a Content-Type header.

    :raises ServiceError: ``unsupported-media-type`` if it is not ``multipart/related`` of
        ``application/dicom``, ``malformed-multipart`` if it has no valid boundary.
    """
    header = Message()
    header["Content-Type"] = content_type
    kind = str(header.get_param("type", PART_TYPE)).lower()
    if header.get_content_type() != "multipart/related" or kind != PART_TYPE:
        raise ServiceError(
            415, "unsupported-media-type", f'send multipart/related; type="{PART_TYPE}"'
        )
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not _BOUNDARY.fullmatch(boundary):
        raise malformed("the Content-Type has no valid boundary")
    return boundary


def malformed(what: str) -> ServiceError:
    """The body is not what its Content-Type says."""
    return ServiceError(400, "malformed-multipart", f"{what}; send parts as RFC 2046 says")


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


class PartReader:
    """Takes the chunks of a body and gives its parts.

    :raises ServiceError: ``malformed-multipart`` or ``unsupported-media-type``, from any method.
    """

    def __init__(self, boundary: str) -> None:
        self._delimiter = _LINE_END + b"--" + boundary.encode("ascii")
        # A body may begin with the delimiter, without the line end before it.
        self._buffer = bytearray(_LINE_END)
        self._state = _State.PREAMBLE
        self._searched = 0
        self._parts = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes and yield each part that they complete."""
        if self._state is not _State.EPILOGUE:
            self._buffer += chunk
        steps = {
            _State.PREAMBLE: self._skip_preamble,
            _State.DELIMITER: self._read_delimiter,
            _State.HEADERS: self._read_headers,
        }
        while self._state is not _State.EPILOGUE:
            if self._state is _State.BODY:
                part = self._read_body()
                if part is None:
                    return
                yield part
            elif not steps[self._state]():
                return

    def close(self) -> None:
        """Tell that the body has ended."""
        if self._state is not _State.EPILOGUE:
            raise malformed("the body ends before its closing delimiter")
        if not self._parts:
            raise ServiceError(400, "no-instances", "the body has no part; send at least one")

    def _find_delimiter(self) -> int:
        """Offset of the next delimiter, or -1; what was searched is not searched again."""
        at = self._buffer.find(self._delimiter, self._searched)
        self._searched = max(0, len(self._buffer) - len(self._delimiter)) if at < 0 else at
        return at

    def _skip_preamble(self) -> bool:
        at = self._find_delimiter()
        if at < 0:
            if len(self._buffer) > _MOST_HEADER_BYTES:
                raise malformed("the boundary does not occur")
            return False
        del self._buffer[: at + len(self._delimiter)]
        self._state = _State.DELIMITER
        return True

    def _read_delimiter(self) -> bool:
        """Read what follows a delimiter: ``--`` after the last part, else the end of its line."""
        if self._buffer[:2] == b"--":
            self._state = _State.EPILOGUE
            self._buffer.clear()
            return True
        end = self._buffer.find(_LINE_END)
        if end < 0:
            self._check_header_size()
            return False
        if self._buffer[:end].strip(b" \t"):
            raise malformed("something follows a delimiter on its line")
        # The line end stays: it is the empty line of a part without headers.
        del self._buffer[:end]
        self._state = _State.HEADERS
        return True

    def _read_headers(self) -> bool:
        end = self._buffer.find(_LINE_END + _LINE_END)
        if end < 0:
            self._check_header_size()
            return False
        _check_part_type(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        self._searched = 0
        self._state = _State.BODY
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise malformed(f"the body has more than {MOST_PARTS} parts")
        return True

    def _check_header_size(self) -> None:
        if len(self._buffer) > _MOST_HEADER_BYTES:
            raise malformed("the headers of a part are too long")

    def _read_body(self) -> bytes | None:
        while (at := self._find_delimiter()) >= 0:
            end = at + len(self._delimiter)
            follows = bytes(self._buffer[end : end + 2])
            if len(follows) < 2:
                return None
            if follows in (b"--", _LINE_END) or follows[:1] in (b" ", b"\t"):
                part = bytes(memoryview(self._buffer)[:at])
                del self._buffer[:end]
                self._searched = 0
                self._state = _State.DELIMITER
                return part
            # The boundary as the beginning of something longer is content.
            self._searched = at + 1
        return None


def _check_part_type(headers: bytes) -> None:
    for line in headers.split(_LINE_END):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            if value.partition(b";")[0].strip().lower() != PART_TYPE.encode():
                raise ServiceError(415, "unsupported-media-type", f"every part must be {PART_TYPE}")
            return
    raise malformed("a part has no Content-Type")
