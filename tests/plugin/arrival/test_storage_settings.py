# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where Orthanc stores instances, and when that can't be guarded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugin.arrival.storage_settings import UnguardedError, guard_is_declined, storage_folder


def test_the_folder_is_the_one_that_orthanc_would_use(tmp_path: Path) -> None:
    assert storage_folder({}, tmp_path).root == tmp_path / "OrthancStorage"
    assert storage_folder({"StorageDirectory": "/var/db"}, tmp_path).root == Path("/var/db")
    assert storage_folder({"StorageDirectory": "db"}, tmp_path).root == tmp_path / "db"
    assert storage_folder({}, tmp_path).sync
    assert not storage_folder({"SyncStorageArea": False}, tmp_path).sync


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        ({"PostgreSQL": {"EnableIndex": True, "EnableStorage": True}}, "PostgreSQL"),
        ({"MySQL": {"EnableStorage": True}}, "MySQL"),
        ({"AwsS3Storage": {"BucketName": "x"}}, "AwsS3Storage"),
        ({"GoogleCloudStorage": {}}, "GoogleCloudStorage"),
        ({"AdvancedStorage": {"Enable": True}}, "AdvancedStorage"),
        ({"DelayedDeletion": {"Enable": True}}, "DelayedDeletion"),
        ({"Indexer": {"Enable": True}}, "Indexer"),
        ({"IngestTranscoding": "1.2.840.10008.1.2.4.80"}, "IngestTranscoding"),
        ({"StoreDicom": False}, "StoreDicom"),
    ],
)
def test_where_something_else_stores_instances_the_reason_is_named(
    tmp_path: Path, whole: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnguardedError, match=reason):
        storage_folder(whole, tmp_path)


@pytest.mark.parametrize(
    "whole",
    [
        {"PostgreSQL": {"EnableIndex": True, "EnableStorage": False}},
        {"AdvancedStorage": {"Enable": False}},
        {"DelayedDeletion": {"Enable": False}},
        {"DicomWeb": {"Enable": True}},
        {"IngestTranscoding": ""},
    ],
)
def test_a_plugin_that_does_not_store_instances_is_no_obstacle(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    assert storage_folder(whole, tmp_path).root == tmp_path / "OrthancStorage"


@pytest.mark.parametrize(
    ("section", "declined"),
    [
        ({"Arrival": {"Mode": "deidentify", "GuardStorage": "off"}}, True),
        ({"Arrival": {"GuardStorage": "auto"}}, False),
        ({"Arrival": {"GuardStorage": False}}, False),
        ({"Arrival": "deidentify"}, False),
        ({"Arival": {"GuardStorage": "off"}}, False),
        (None, False),
    ],
)
def test_only_the_word_off_declines_the_guard(section: object, declined: bool) -> None:
    assert guard_is_declined(section) is declined
