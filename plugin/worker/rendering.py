# SPDX-License-Identifier: AGPL-3.0-or-later
"""The originals of a scan as pictures: Orthanc draws them."""

from __future__ import annotations

import logging
from functools import lru_cache

from PIL import Image

from plugin.archive import Archive, ArchiveError, ArchiveUnavailableError, NotFoundError
from plugin.results import Rendering
from plugin.web.rendered import read_rendered
from plugin.worker.scan import Scan

LOGGER = logging.getLogger(__name__)
_KEPT = 12


def rendering_of(scan: Scan, archive: Archive) -> Rendering:
    """What draws the images of one scan, each once.

    It raises ``ArchiveUnavailableError`` and ``NotFoundError`` for the queue to deal with; an image
    that Orthanc can't decode is None.
    """
    places = {
        str(header.get("SOPInstanceUID", "")): scan.sources[uid]
        for uid, header in scan.headers.items()
        if uid in scan.sources
    }

    @lru_cache(_KEPT)
    def draw(sop_instance_uid: str, frame_number: int) -> Image.Image | None:
        instance = places.get(sop_instance_uid)
        if instance is None:
            return None
        try:
            return read_rendered(archive.rendered(instance, frame_number))
        except (ArchiveUnavailableError, NotFoundError):
            raise
        except ArchiveError:
            LOGGER.warning("Orthanc can't draw an image; its picture is black")
            return None

    return draw
