# SPDX-License-Identifier: AGPL-3.0-or-later
"""In which region of the body a finding can be, by its key."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import cast

from plugin.heatmaps.masks import RegionName


@cache
def _table() -> dict[str, RegionName]:
    text = resources.files("plugin.heatmaps").joinpath("data/regions_by_finding.csv")
    rows = csv.DictReader(text.read_text(encoding="utf-8").splitlines())
    return {row["finding"]: cast("RegionName", row["region"]) for row in rows}


def region_of(finding: str, configured: Mapping[str, RegionName]) -> RegionName:
    """The region, by the site's configuration, then by the shipped table, else the whole body."""
    return configured.get(finding) or _table().get(finding, "body")


def shipped_findings() -> frozenset[str]:
    """Keys of the findings that the shipped table knows."""
    return frozenset(_table())
