# SPDX-License-Identifier: AGPL-3.0-or-later
"""What witnesses said of a scan's anatomy, and how their words became one answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.contract import AnatomyAnswer, AnatomyVote, Probability, RegionName
from plugin.anatomy.regions import body_part_of, codes_of, in_table_order

WitnessName = Literal["metadata", "pixels", "siblings", "priors", "worklist"]
Preferred = Literal["metadata", "pixels", "siblings"]
Taught = Literal["metadata", "pixels"]
"""Models that learn from a disagreement."""


class Witness(BaseModel):
    """What one witness says; without regions it was asked and can't tell."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: WitnessName
    regions: tuple[RegionName, ...] = ()
    confidence: Probability = 0.0
    application: str = Field(default="", description="that would be chosen by this; empty: none")
    reason: str = Field(default="", description="why it can't tell; without PHI")
    model: str = Field(default="", description="name and version of the model that spoke")

    @property
    def speaks(self) -> bool:
        """Whether it names a region."""
        return bool(self.regions)

    @property
    def shown(self) -> frozenset[RegionName]:
        """Its regions as a set."""
        return frozenset(self.regions)


class Agreement(BaseModel):
    """How the anatomy of a scan was settled.

    ``rules`` acted, in their order; ``decided_by`` is the one that preferred a witness, empty where
    none did and the tags were taken, or the pixels where the tags are silent.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    witnesses: tuple[Witness, ...]
    preferred: Preferred = "metadata"
    rules: tuple[str, ...] = ()
    decided_by: str = ""
    teaches: tuple[Taught, ...] = Field(default=(), description="models to be trained again")
    review: str = Field(default="", description="why a person should look; empty: no need")
    pending: bool = Field(default=False, description="pixels are asked when the series is whole")
    resource: str = Field(default="", description="Orthanc identifier of what was looked at")
    names_told: int = Field(default=0, description="names of other series of the study, told")
    names_heard: int = Field(
        default=0, description="the same where the tags were read with them; 0 where they spoke"
    )

    def witness(self, name: WitnessName) -> Witness | None:
        """What one witness said; None where it was not asked."""
        return next((one for one in self.witnesses if one.name == name), None)

    @property
    def of_tags_alone(self) -> bool:
        """Whether nothing but the tags was heard, and no rule had anything to say."""
        return len(self.witnesses) == 1 and not self.rules

    def in_words(self) -> str:
        """One line for a reader, without PHI; empty where only the tags were heard."""
        if self.of_tags_alone:
            return ""
        said = [_said(one) for one in self.witnesses]
        if self.names_heard:
            said.append(f"read with the names of {self.names_heard} other series of the study")
        if self.pending:
            said.append("pixels are asked when the series is complete")
        if self.decided_by:
            said.append(f"{self.preferred} preferred by rule {self.decided_by}")
        if self.review:
            said.append(f"for review: {self.review}")
        return "; ".join(said)


def settled(metadata: AnatomyAnswer, agreement: Agreement, confidence: float) -> AnatomyAnswer:
    """The one answer, with a vote of every witness but the tags, whose own votes it has."""
    chosen = agreement.witness(agreement.preferred)
    votes = tuple(
        AnatomyVote(attribute=one.name, regions=one.regions, weight=one.confidence)
        for one in agreement.witnesses
        if one.name != "metadata" and one.speaks
    )
    changed = {"confidence": confidence, "votes": (*metadata.votes, *votes)}
    if chosen is None or chosen.shown == frozenset(metadata.regions):
        return metadata.model_copy(update=changed)
    regions = in_table_order(chosen.regions)
    # View and side were read together with regions that are not the answer any more.
    changed |= {
        "regions": regions,
        "codes": codes_of(regions),
        "body_part_examined": body_part_of(regions),
        "view": None,
        "laterality": None,
        "model": chosen.model,
    }
    return metadata.model_copy(update=changed)


def _said(one: Witness) -> str:
    if not one.speaks:
        return f"{one.name} can't tell" + (f" ({one.reason})" if one.reason else "")
    return f"{one.name}: {', '.join(one.regions)} ({one.confidence:.2f})"


def flagged_first(before: Agreement | None, agreement: Agreement | None) -> Agreement | None:
    """The agreement to keep of a series; None where the tags alone were heard.

    Args:
        before: the one that is kept.
        agreement: that of the image, or images, that was looked at now.
    """
    now = None if agreement is None or agreement.of_tags_alone else agreement
    resource = agreement.resource if agreement else ""
    if before is None or not before.review or (now and now.review):
        return now
    return now if before.resource == resource else before
