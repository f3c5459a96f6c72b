# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the routes use besides Orthanc, its queue and the models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plugin.anatomy.words import ReviewerWords
from plugin.configuration.hanging_table import HangingTable
from plugin.configuration.heat_maps import HeatMapSection
from plugin.quarantine import Quarantine
from plugin.routing.pull_report import PullReport
from plugin.web.anatomy_doubts import AnatomyDoubts
from plugin.web.backfills import BackfillDesk
from plugin.web.flagged_series import FlaggedSeries
from plugin.web.protocols import Deliveries, Reviewed
from plugin.web.reviews import Reviewing
from plugin.web.urgency import Urgency
from plugin.web.versions import VersionDesk

if TYPE_CHECKING:
    from plugin.web.deid_desk import GiveDesk
    from plugin.web.plan import Planner


@dataclass(frozen=True)
class Services:
    """Each may be missing; what needs it then says so.

    Attributes:
        urgency: how priorities follow from results; by the shipped table where none is given.
        planner: explains what would run; without one the plan is not available.
        routing: explains what is handed over of a study; None without a table of applications.
        copies: explains what is copied of a study; None without a table of copies.
        deliveries: this Orthanc's outbox, called from several threads; None where nothing is sent.
        backfills: takes orders to copy what is stored; None without a table of copies.
        pulls: tells of what is fetched from other archives; None where nothing is.
        hangings: the rules of the hanging; the shipped ones where none are given.
        heat_maps: how heat maps are drawn where a request does not say.
        reviewing: takes reviews; without one they can be read only.
        flagged: finds the series that a person should look at; without it all are looked through.
        reviewed: told of a reviewer's word; None where no header is made standard at arrival.
        doubts: counts the series of this node that a person should look at.
        words: keeps what reviewers say of anatomy beside Orthanc, too; None: in Orthanc alone.
        versions: versions of models, and who may decide about them.
        quarantine: this node's objects that failed validation.
        deid_review: gives what shows de-identified images to reviewers; None where nobody may
            review.
    """

    urgency: Urgency = field(default_factory=Urgency)
    planner: Planner | None = None
    routing: Callable[[str], list[dict[str, Any]]] | None = None
    copies: Callable[[str], list[dict[str, Any]]] | None = None
    deliveries: Deliveries | None = None
    backfills: BackfillDesk | None = None
    pulls: PullReport | None = None
    hangings: HangingTable | None = None
    heat_maps: HeatMapSection = field(default_factory=HeatMapSection)
    reviewing: Reviewing | None = None
    versions: VersionDesk | None = None
    quarantine: Quarantine | None = None
    flagged: FlaggedSeries | None = None
    reviewed: Reviewed | None = None
    doubts: AnatomyDoubts | None = None
    words: ReviewerWords | None = None
    deid_review: GiveDesk | None = None
