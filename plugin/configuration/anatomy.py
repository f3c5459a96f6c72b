# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of anatomy: by which rules tags, pixels and other witnesses come to one answer."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from plugin.configuration.anatomy_collecting import CollectingSection
from plugin.configuration.section import Section


class AnatomySection(Section):
    """Which part of the body a scan shows, where its tags leave doubt."""

    rules: str = Field(
        default="",
        pattern=r"^$|^/.+",
        description="TOML file with the rules for tags and pixels; empty: the shipped one",
    )
    worklists: str = Field(
        default="",
        pattern=r"^$|^/.+",
        description="folder of Modality Worklist files (.wl) that are heard as a witness, "
        "by accession number; empty: none",
    )
    collecting: CollectingSection = CollectingSection()

    @property
    def problem(self) -> str:
        """Why no order is heard though one is to be; empty while orders are, or none is to be."""
        if not self.worklists or _is_readable(Path(self.worklists)):
            return ""
        return "Anatomy.Worklists is no folder that can be read: no order is heard about anatomy"


def _is_readable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
