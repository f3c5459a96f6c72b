# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether an instance has pixels at all, by its header."""

from __future__ import annotations

from pydicom.dataset import Dataset

from plugin.results.header import integer, text
from plugin.worker.sop_classes import is_image, is_sized


def holds_no_image(header: Dataset) -> bool:
    """Whether there is nothing to look at: private records, hanging protocols.

    Rows and Columns are type 1 in every image (PS3.3 C.7.6.3). An image of a class that always has
    them, such as a radiograph, is a broken one without: somebody should hear of it. So is a header
    without a class, which is type 1 in all that is stored (C.12.1): it may have been an image.
    """
    sop_class = text(header, "SOPClassUID")
    if not sop_class or is_sized(sop_class):
        return False
    return not (is_image(sop_class) and integer(header, "Rows") and integer(header, "Columns"))
