# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a worker keeps of doubts: flags for review, and rows to train with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deid import Deidentifier
from plugin.anatomy import Agreement, RecognizedAnatomy, SeriesAnatomy, Witness
from plugin.anatomy.ledger import AnatomyLedger
from plugin.anatomy.records import AnatomyOverride, OverrideLog
from plugin.queue import Job
from plugin.worker.doubts import Doubts
from plugin.worker.scan import Scan
from tests.deid.made_scans import KEY, ct, file_of
from tests.plugin.web.fake_archive import HEAD


@pytest.fixture
def ledger(tmp_path: Path) -> AnatomyLedger:
    return AnatomyLedger(tmp_path / "anatomy.sqlite")


def settle(ledger: AnatomyLedger, *words: AnatomyOverride, **parts: Any) -> None:
    """A worker has settled the anatomy of series s."""
    tags = Witness(name="metadata", regions=("head",), confidence=0.6)
    pixels = Witness(name="pixels", regions=("neck",), confidence=0.9)
    agreement = Agreement(witnesses=(tags, pixels), **parts)
    scan = Scan(Job(1, "series", "s", "", "s", "study", 1, "w", 0.0), ["i"], agreement=agreement)
    scan.passes = Deidentifier(KEY).deidentify_header(file_of(ct()))
    log = OverrideLog(overrides=words)
    known = SeriesAnatomy(RecognizedAnatomy(**dict(HEAD), agreement=agreement), log)
    Doubts(ledger).keep(scan, known)


def test_a_series_in_doubt_is_listed_until_the_doubt_is_gone(ledger: AnatomyLedger) -> None:
    settle(ledger, review="they differ")
    assert ledger.flagged(10) == ["s"]
    settle(ledger)
    assert ledger.flagged(10) == []


def test_a_row_is_kept_as_long_as_the_rules_want_it(ledger: AnatomyLedger) -> None:
    settle(ledger, teaches=("metadata",))
    assert [row["regions"] for row in ledger.lessons("metadata")] == ["neck"]
    settle(ledger, teaches=("pixels",))
    assert ledger.lesson_counts() == {"metadata": 0, "pixels": 1}


def test_a_first_look_forgets_nothing(ledger: AnatomyLedger) -> None:
    settle(ledger, teaches=("metadata",))
    settle(ledger, pending=True)
    assert ledger.lesson_counts()["metadata"] == 1


def test_a_row_of_a_series_that_a_reviewer_named_has_the_reviewers_label(
    ledger: AnatomyLedger,
) -> None:
    said = AnatomyOverride(regions=("pelvis",), by="r", reason="seen", at="2026-01-01T00:00:00Z")
    settle(ledger, said, teaches=("metadata",))
    (row,) = ledger.lessons("metadata")
    assert (row["regions"], row["label_source"], row["weight"]) == ("pelvis", "reviewer", "1.0")
