# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a stream of video."""

from __future__ import annotations


class StreamError(ValueError):
    """A stream can't be read to its end, or has what is not known to be safe."""
