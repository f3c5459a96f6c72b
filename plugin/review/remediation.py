# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a class has so many errors that its model must be mended.

A remediation of a class of one version of a model is open while, among the images reviewed within
``RemediationDays`` and since a person last closed it, at least ``RemediationErrors`` images were
wrong and they are at least ``RemediationShare`` of those reviewed. A new version starts at zero.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from plugin.configuration.review import ReviewSection
from plugin.review.ledger import Closing, Count, Ledger


@dataclass(frozen=True)
class Remediation:
    """How a class of a model does, by the configured rule."""

    model: str
    version: str
    finding: str
    state: str
    reviewed: int
    wrong: int
    errors_to_open: int
    share_to_open: float
    last_wrong: str
    closed: Closing | None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Rule:
    """The rule over the counts of a ledger."""

    ledger: Ledger
    section: ReviewSection

    def state(self, now: datetime | None = None) -> list[Remediation]:
        """Every class that was ever reviewed within the days that count."""
        moment = now or datetime.now(UTC)
        since = timestamp(moment - timedelta(days=self.section.remediation_days))
        return [self._of(count) for count in self.ledger.counts(since)]

    def open(self) -> list[Remediation]:
        """Those that are open."""
        return [one for one in self.state() if one.state == "open"]

    def close(self, model: str, version: str, finding: str, by: str, reason: str) -> None:
        """A person says that the errors up to now are dealt with."""
        self.ledger.close(
            model, version, finding, Closing(timestamp(datetime.now(UTC)), by, reason)
        )

    def _of(self, count: Count) -> Remediation:
        closing = self.ledger.last_closing(count.model, count.version, count.finding)
        reviewed, wrong = count.reviewed, count.wrong
        if closing is not None:
            key = (count.model, count.version, count.finding)
            reviewed, wrong = self.ledger.count_since(*key, closing.at)
        section = self.section
        enough = wrong >= section.remediation_errors
        enough = enough and wrong >= section.remediation_share * reviewed
        return Remediation(
            model=count.model,
            version=count.version,
            finding=count.finding,
            state="open" if enough else "closed" if closing else "watching",
            reviewed=reviewed,
            wrong=wrong,
            errors_to_open=section.remediation_errors,
            share_to_open=section.remediation_share,
            last_wrong=count.last_wrong,
            closed=closing,
        )


def timestamp(moment: datetime) -> str:
    """UTC, ISO 8601 with milliseconds: text that sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
