# SPDX-License-Identifier: AGPL-3.0-or-later
"""Refuses what Orthanc by itself would refuse: an instance without one of its three UIDs.

De-identification writes a UID where an attribute of Type 1 is missing (PS3.5 section 7.4.1), so
Orthanc would file the instance under a study that nobody sent, and answer its sender with an error.
"""

from __future__ import annotations

from typing import Final

from deid import DeidentificationError
from deid.stages import Instance

_UIDS: Final = {
    0x0020000D: "Study Instance UID (0020,000D)",
    0x0020000E: "Series Instance UID (0020,000E)",
    0x00080018: "SOP Instance UID (0008,0018)",
}


class MissingUidError(DeidentificationError):
    """An instance can't be filed; says which UID it lacks."""


class IdentifiedStage:
    """A stage of ``deid`` ahead of the header's."""

    def apply(self, instance: Instance) -> None:
        """Look for the UIDs.

        Raises:
            MissingUidError: one is missing or empty.
        """
        for tag, name in _UIDS.items():
            if not instance.original.header.text(tag).strip():
                raise MissingUidError(f"no {name}: Orthanc can't file the instance")
