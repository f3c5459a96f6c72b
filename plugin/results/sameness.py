# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether an object says the same as one that is stored already.

Objects of the same run have the same UIDs, but the time at which they were made. A stored one that
says the same stays as it is, so that a repeated analysis leaves no trace in the archive.
"""

from __future__ import annotations

from plugin.same_object import same_object

_OF_THE_MAKING = (
    "InstanceCreationDate",
    "InstanceCreationTime",
    "ContentDate",
    "ContentTime",
    "PresentationCreationDate",
    "PresentationCreationTime",
    # Known only once, at the first run of a new model.
    "PredecessorDocumentsSequence",
)


def says_the_same(stored: bytes, made: bytes) -> bool:
    """Whether two PS3.10 files differ in nothing but when they were made, and how encoded.

    Pixel data that Orthanc has compressed can't be told to be the same: they are stored again.
    """
    return same_object(stored, made, but=_OF_THE_MAKING)
