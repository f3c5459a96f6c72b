# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether Orthanc's storage can be guarded in this configuration, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plugin.arrival.storage_folder import StorageFolder

_DEFAULT = "OrthancStorage"
_OPTION = "guardstorage"


class UnguardedError(RuntimeError):
    """The storage can't be guarded; says why and what to do."""


def storage_folder(whole: Mapping[str, Any], base: Path) -> StorageFolder:
    """Orthanc's own file system storage, as its configuration describes it.

    Args:
        whole: Orthanc's configuration.
        base: folder from which Orthanc reads relative paths.

    Raises:
        UnguardedError: instances are stored elsewhere, or not as arrival mode hands them back.
    """
    elsewhere = _another_storage(whole)
    if elsewhere:
        raise UnguardedError(f"{elsewhere} stores instances, not Orthanc's own storage")
    if whole.get("IngestTranscoding"):
        raise UnguardedError("IngestTranscoding changes instances behind the arrival mode")
    if whole.get("StoreDicom", True) is False:
        raise UnguardedError("StoreDicom is false: Orthanc keeps no instances")
    place = base / str(whole.get("StorageDirectory", _DEFAULT))
    return StorageFolder(place.resolve(), sync=whole.get("SyncStorageArea", True) is not False)


def guard_is_declined(section: object) -> bool:
    """Whether Sidelight's section says ``Arrival.GuardStorage: off``, as far as it can be read."""
    arrival = section.get("Arrival") if isinstance(section, Mapping) else None
    if not isinstance(arrival, Mapping):
        return False
    return any(str(key).lower() == _OPTION and value == "off" for key, value in arrival.items())


def _another_storage(whole: Mapping[str, Any]) -> str:
    """Name of the section by which a plugin takes the storage over; "" where none does.

    Databases have EnableStorage (PostgreSQL, MySQL, ODBC, MongoDB); object storages are there with
    their section (AwsS3Storage, AzureBlobStorage, GoogleCloudStorage); DelayedDeletion and
    AdvancedStorage have Enable, and so has Indexer, which shows the files of folders.
    """
    for name, section in whole.items():
        if not isinstance(section, Mapping):
            continue
        if section.get("EnableStorage") is True:
            return str(name)
        if name in ("DelayedDeletion", "Indexer") and section.get("Enable") is True:
            return str(name)
        if name.endswith("Storage") and section.get("Enable", True) is not False:
            return str(name)
    return ""
