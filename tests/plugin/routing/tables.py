# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables and archives for the tests of routing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference.contract import AnatomyAnswer
from plugin.anatomy import AnatomyBook
from plugin.configuration.application_table import ApplicationTable
from plugin.states import Metadata
from tests.plugin.web.fake_archive import CHEST, FakeArchive

CT_CHEST = CHEST.model_copy(update={"modality": "CT", "view": None})
AXIAL = "1\\0\\0\\0\\1\\0"
SCAN = {"modalities": ["CT"], "regions": ["chest"], "minimum_slices": 3}


def application(name: str = "lung", **changes: Any) -> dict[str, Any]:
    """One application of the table, for a node unless a destination is given."""
    kept = {"kind": "node", "modality": "AI"}
    return {"name": name, "scan": SCAN, "destination": kept, **changes}


def table(*applications: dict[str, Any], **more: Any) -> ApplicationTable:
    """A table as TOML would give it."""
    return ApplicationTable.model_validate({"application": list(applications), **more})


class Archive(FakeArchive):
    """An archive with studies of one patient, whose series have tags and recognized anatomy."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, dict[str, Any]] = {}
        self.read_files: dict[str, bytes] = {}
        self.change_list: list[dict[str, Any]] = []

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        return self.tags.get(instance, {})

    def file(self, instance: str, /) -> bytes:
        return self.read_files[instance]

    def ct(
        self,
        name: str,
        day: str = "20261103",
        slices: int = 4,
        anatomy: AnatomyAnswer = CT_CHEST,
        **tags: str,
    ) -> tuple[str, str]:
        """A study with one series; its Orthanc identifiers."""
        study = self.add_study(name, StudyDate=day)
        self.studies[study]["PatientMainDicomTags"]["PatientID"] = "PID-1"
        return study, self.series_of(study, slices, anatomy, **tags)

    def series_of(
        self, study: str, slices: int = 4, anatomy: AnatomyAnswer = CT_CHEST, **tags: str
    ) -> str:
        """One more series of a study."""
        series = self.add_series(study, anatomy.modality)
        shown = {"ImageOrientationPatient": AXIAL, "ImageType": "ORIGINAL\\PRIMARY\\AXIAL", **tags}
        for _ in range(slices):
            self.image_of(series, **shown)
        self.set_anatomy(series, anatomy)
        AnatomyBook(self).sum_up(study)
        return series

    def image_of(self, series: str, **tags: Any) -> str:
        """One more image of a series; its Orthanc identifier."""
        instance = self.add_instance(series)
        self.tags[instance] = tags
        # As Orthanc keeps them in its database.
        main = ("ImageOrientationPatient", "InstanceNumber", "NumberOfFrames")
        self.instances[instance]["MainDicomTags"] |= {n: tags[n] for n in main if n in tags}
        return instance

    def changes(self, since: int, limit: int = 1000, /) -> dict[str, Any]:
        last = len(self.change_list)
        return {"Changes": self.change_list[since:], "Last": last, "Done": True}

    def last_change(self) -> int:
        return len(self.change_list)

    def becomes_stable(self, study: str) -> None:
        self.change_list.append({"ChangeType": "StableStudy", "ID": study})

    def kept_routing(self, study: str) -> str | None:
        return self.metadatas.get(("study", study, int(Metadata.ROUTING)))


def written(folder: Path, text: str) -> str:
    """A table as a file."""
    path = folder / "applications.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)
