# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels that say how the analysis of a study, series or instance ended.

Orthanc has labels since 1.12.0. Which of them Sidelight has set is noted as metadata beside them:
what is not noted there is somebody else's and never touched, whatever its name. An older Orthanc
has the metadata alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from plugin.archive import Archive, ArchiveError, ArchiveUnavailableError, NotFoundError
from plugin.configuration.worklist import LabelLevel, LabelSection
from plugin.states import Metadata, Status

LOGGER = logging.getLogger(__name__)

_LABELS = {
    Status.FINDINGS: "positive",
    Status.NO_FINDINGS: "negative",
    Status.ABSTAINED: "abstained",
    # As in the report's summary: no algorithm succeeded (111245, DCM).
    Status.REFUSED: "failed",
    Status.FAILED: "failed",
}


def labels_of(statuses: Iterable[Status]) -> set[str]:
    """The labels of a resource whose scans ended so; one finding makes it positive as a whole."""
    labels = {_LABELS[status] for status in statuses if status in _LABELS}
    return labels - {"negative"} if "positive" in labels else labels


@dataclass(frozen=True)
class Labels:
    """Sets, replaces and removes Sidelight's labels.

    Args:
        archive: Orthanc.
        section: prefix, and the levels that get labels.
    """

    archive: Archive
    section: LabelSection

    def show(self, level: LabelLevel, identifier: str, statuses: Iterable[Status]) -> None:
        """Make the labels of one resource say how its scans ended.

        An Orthanc that refuses is a line in the log: the result itself is stored already.

        Raises:
            ArchiveUnavailableError: Orthanc can't be reached.
            NotFoundError: the resource was deleted meanwhile.
        """
        if level not in self.section.levels:
            return
        wanted = {self.section.prefix + label for label in labels_of(statuses)}
        try:
            self._replace(level, identifier, wanted)
        except (ArchiveUnavailableError, NotFoundError):
            raise
        except ArchiveError as error:
            LOGGER.warning("labels of a %s not set: %s", level, error)

    def shows(self, level: LabelLevel, identifier: str, status: Status) -> bool:
        """Whether nothing is to be added to the labels of a resource for a scan that ended so.

        Raises:
            ArchiveUnavailableError: Orthanc can't be reached.
        """
        wanted = {self.section.prefix + label for label in labels_of([status])}
        if level not in self.section.levels:
            return True
        try:
            if self.archive.has_labels():
                return wanted <= set(self.archive.labels(level, identifier))
            noted = self.archive.metadata(level, identifier, Metadata.LABELS) or ""
            return wanted <= set(noted.split(","))
        except ArchiveUnavailableError:
            raise
        except ArchiveError:
            return True  # what is told of where it is set

    def _replace(self, level: LabelLevel, identifier: str, wanted: set[str]) -> None:
        text = self.archive.metadata(level, identifier, Metadata.LABELS) or ""
        noted = {label for label in text.split(",") if label}
        ours = self._set(level, identifier, noted, wanted) if self.archive.has_labels() else wanted
        if ours == noted:
            return
        if ours:
            note = ",".join(sorted(ours))
            self.archive.put_metadata(level, identifier, Metadata.LABELS, note)
        else:
            self.archive.delete_metadata(level, identifier, Metadata.LABELS)

    def _set(
        self, level: LabelLevel, identifier: str, noted: set[str], wanted: set[str]
    ) -> set[str]:
        """Change Orthanc's labels; which of them are ours now."""
        present = set(self.archive.labels(level, identifier))
        for label in (noted - wanted) & present:
            self.archive.delete_label(level, identifier, label)
        ours = wanted - (present - noted)
        for label in ours - present:
            self.archive.put_label(level, identifier, label)
        return ours
