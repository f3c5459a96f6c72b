# SPDX-License-Identifier: Apache-2.0
"""Loads what reads videos with the first of them."""

from __future__ import annotations

from deid.policy import Policy
from deid.stages import Instance, Stage
from deid.videos.syntaxes import is_video


class LateVideoStage:
    """``deid.videos.stage.VideoStage``, made when it is first needed.

    Parameters
    ----------
    policy:
        What the site decides.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._made: Stage | None = None

    def apply(self, instance: Instance) -> None:
        """Clean a video; any other instance is left alone."""
        if not is_video(instance.original.transfer_syntax):
            return
        if self._made is None:
            from deid.pixels import clean_pixel_stage  # noqa: PLC0415
            from deid.videos.stage import VideoStage  # noqa: PLC0415

            self._made = VideoStage(self._policy, clean_pixel_stage(self._policy))
        self._made.apply(instance)
