# SPDX-License-Identifier: AGPL-3.0-or-later
"""The forms in which Orthanc sends a rendered image."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from plugin.archive import ArchiveError
from plugin.web.rendered import read_rendered
from tests.plugin.web.small_site import Site

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7


def pam(pixels: np.ndarray, maximum: int = 255) -> bytes:
    """As Orthanc writes it."""
    depth = 1 if pixels.ndim == 2 else pixels.shape[2]
    kind = {1: "GRAYSCALE", 3: "RGB"}.get(depth, "RGB_ALPHA")
    header = (
        f"P7\nWIDTH {pixels.shape[1]}\nHEIGHT {pixels.shape[0]}\nDEPTH {depth}\n"
        f"MAXVAL {maximum}\nTUPLTYPE {kind}\nENDHDR\n"
    )
    return header.encode() + pixels.tobytes()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("write", [pam, png])
def test_every_form_gives_the_same_pixels(pixels: np.ndarray, write: object) -> None:
    assert (np.asarray(read_rendered(write(pixels))) == pixels).all()  # type: ignore[operator]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        pam(GREY)[:-1],
        pam(GREY, maximum=65535),
        pam(np.zeros((2, 2, 4), np.uint8)),
        b"P7\nWIDTH 4\nENDHDR\n",
        b"P7\nWIDTH",
        png(GREY)[:40],
    ],
)
def test_anything_else_is_orthancs_error(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        read_rendered(data)


def test_an_overlay_is_drawn_on_a_portable_map_too(site: Site) -> None:
    picture = np.asarray(Image.open(io.BytesIO(site.archive.pictures[site.chest])))
    path = f"/instances/{site.chest}/sidelight/heatmaps/nodule?overlay=true"
    expected = site.get(path).content
    site.archive.pictures[site.chest] = pam(picture)
    assert site.get(path).content == expected


def test_an_unreadable_rendered_image_is_502(site: Site) -> None:
    site.archive.pictures[site.chest] = b"no image"
    answer = site.get(f"/instances/{site.chest}/sidelight/heatmaps/nodule?overlay=true")
    assert (answer.status_code, answer.json()["code"]) == (502, "archive-error")
