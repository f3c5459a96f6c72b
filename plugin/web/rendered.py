# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading the rendered image that Orthanc sends.

Orthanc takes half a second to compress a radiograph as PNG and hardly any time to send it as a
portable arbitrary map (netpbm, "pam"), which Pillow does not read.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from plugin.archive import ArchiveError

_MAGIC = b"P7\n"
_END = b"ENDHDR\n"


def read_rendered(data: bytes) -> Image.Image:
    """An 8 bit grey or RGB image from a PAM, PNG or JPEG.

    Raises:
        ArchiveError: it is none of them, or cut short.
    """
    try:
        return _read_pam(data) if data.startswith(_MAGIC) else _read_compressed(data)
    except (ValueError, KeyError, OSError, UnidentifiedImageError) as error:
        raise ArchiveError("Orthanc's rendered image can't be read") from error


def _read_compressed(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
    picture.load()
    return picture


def _read_pam(data: bytes) -> Image.Image:
    header, found, pixels = data.partition(_END)
    fields: dict[str, Any] = dict(
        line.split(" ", maxsplit=1) for line in header.decode("ascii").splitlines()[1:]
    )
    height, width, depth = (int(fields[name]) for name in ("HEIGHT", "WIDTH", "DEPTH"))
    if not found or depth not in (1, 3) or fields["MAXVAL"] != "255":
        raise ValueError("not an 8 bit grey or RGB map")
    values = np.frombuffer(pixels, np.uint8, count=height * width * depth)
    return Image.fromarray(
        values.reshape((height, width, depth) if depth == 3 else (height, width))
    )
