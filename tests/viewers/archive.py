# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Orthanc that viewers read from: DICOMweb, and results that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugin.demo.server import OrthancServer
from tests.viewers.studies import Study

PLUGINS = ("libOrthancDicomWeb.so",)


class ViewerArchive(OrthancServer):
    """Orthanc with DICOMweb and no Sidelight: nothing but what a test stores is in it."""

    def __init__(self, folder: Path, plugins: tuple[str, ...] = PLUGINS) -> None:
        super().__init__(folder, with_sidelight=False)
        self._plugins = plugins

    def configuration(self) -> dict[str, Any]:
        """The shipped configuration, less Sidelight."""
        whole = super().configuration()
        whole["Plugins"] = [str(self.installation.plugins / name) for name in self._plugins]
        return whole

    def store(self, study: Study) -> None:
        """Store all of its files."""
        for content in study.files:
            self.client.post("/instances", content=content).raise_for_status()
