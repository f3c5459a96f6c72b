# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Orthanc tells and asks, as plain values: no module but ``host`` needs Orthanc itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class StoredInstance(NamedTuple):
    """What the hook needs to know of an instance that was just stored."""

    orthanc_id: str
    sop_class_uid: str


class Request(NamedTuple):
    """A REST request that Orthanc has already authenticated."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What a route answers. ``body`` of a status other than 200 must be ASCII."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Change(NamedTuple):
    """A notification of Orthanc's: started, stopped, or a series that has become stable."""

    kind: str
    resource: str
