# SPDX-License-Identifier: Apache-2.0
"""The shipped anatomy models in this process, for who collects headers to train with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inference.anatomy.recognizer import recognize
from inference.anatomy.serving.bundle import METADATA, PIXELS
from inference.anatomy.serving.served import shipped_version
from inference.contract import AnatomyAnswer, PixelAnatomyAnswer


class InProcessAnatomy:
    """Answers as the inference service does, and names the shipped models as it does."""

    def recognize_anatomy(self, header: Mapping[str, Any]) -> AnatomyAnswer:
        """The anatomy that a header shows, as DICOM JSON (PS3.18 F.2)."""
        name = f"{METADATA} {shipped_version(METADATA)}"
        return recognize(header).model_copy(update={"model": name})

    def recognize_pixels(self, instances: Sequence[bytes]) -> PixelAnatomyAnswer:
        """The anatomy that the pixels of DICOM files of one series show."""
        from inference.anatomy.pixels.series import recognize_slices  # noqa: PLC0415 - pydicom

        name = f"{PIXELS} {shipped_version(PIXELS)}"
        return recognize_slices(instances).model_copy(update={"model": name})
