# SPDX-License-Identifier: Apache-2.0
"""Where text, pixel and face cleaning join the header's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deid.context import TextCleaner
from deid.stages import Stage


@dataclass(frozen=True)
class Extensions:
    """What a deidentifier does beside the header.

    Attributes
    ----------
    text:
        Cleans the free texts that the option 113105 lets stay; else only listed words stay.
    before:
        Stages ahead of the header's; those that refuse an instance belong here.
    pixels:
        Stages on the pixel data, after overlays and trailing bytes are gone. With one, an instance
        whose header says that text is burned in is its business and not refused.
    after:
        Stages on the finished instance, such as a verifying second pass.
    """

    text: TextCleaner | None = None
    before: Sequence[Stage] = ()
    pixels: Sequence[Stage] = ()
    after: Sequence[Stage] = ()
