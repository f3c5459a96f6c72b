# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of anatomy rules: what is done where the tags leave doubt or witnesses disagree.

Every rule whose conditions all hold acts, in the order of the table; what a rule does not name is
not asked. A condition on a witness who has not spoken does not hold, and the table is gone through
again whenever another one has. Of several rules that prefer a witness the first one counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from plugin.configuration.dicom_terms import dicom_keyword
from plugin.configuration.table_file import read_table_file

SHIPPED = Path(__file__).with_name("anatomy_rules.toml")

Action = Literal[
    "ask-pixels",
    "consult-priors",
    "consult-siblings",
    "flag-for-review",
    "prefer-metadata",
    "prefer-pixels",
    "prefer-siblings",
    "retrain-metadata",
    "retrain-pixels",
]
Likeness = Literal["same", "different", "overlapping", "disjoint"]
OrderLikeness = Literal["same", "different", "overlapping", "disjoint", "covered", "pixels"]

_Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
_Keyword = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{2,63}$"), AfterValidator(dicom_keyword)]
_Modality = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]


class AnatomyRule(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="said on REST; unique")
    reason: str = Field(min_length=3, max_length=200, description="in words, for the reader")
    do: tuple[Action, ...] = Field(min_length=1)
    modalities: tuple[_Modality, ...] = ()
    except_modalities: tuple[_Modality, ...] = Field(
        default=(), description="modalities of which no scan meets the rule"
    )
    missing: tuple[_Keyword, ...] = Field(
        default=(), description="DICOM keywords that the original's header has no value for"
    )
    metadata: Literal["silent", "speak"] | None = None
    metadata_below: _Share | None = Field(default=None, description="confidence of the tags")
    metadata_at_least: _Share | None = None
    pixels: Literal["abstain", "speak"] | None = None
    pixels_below: _Share | None = Field(default=None, description="confidence of the pixels")
    pixels_at_least: _Share | None = None
    regions: Likeness | None = Field(default=None, description="of tags and pixels")
    application: Literal["same", "different"] | None = Field(
        default=None, description="that tags and pixels would choose; none is one, too"
    )
    priors: Literal["metadata", "pixels", "neither"] | None = Field(
        default=None, description="with whom the patient's earlier studies agree"
    )
    siblings: Literal["silent", "speak", "metadata", "pixels", "neither"] | None = Field(
        default=None, description="whether the study's other series speak; with whom they agree"
    )
    worklist: OrderLikeness | None = Field(
        default=None,
        description="regions of the order against those of the tags; covered: it names all of "
        "them, alone or with others; pixels: it sides with the pixels",
    )

    credit_of_tags: _Share | None = Field(
        default=None,
        description="how far the tags are believed beside others, where this rule holds",
    )

    @property
    def on_pixels(self) -> bool:
        """Whether a condition waits for what the pixels say."""
        asked = (self.pixels, self.pixels_below, self.pixels_at_least, self.regions)
        sided = self.siblings == "pixels" or self.worklist == "pixels"
        return sided or any(one is not None for one in (*asked, self.application, self.priors))

    @model_validator(mode="after")
    def _actions_make_sense(self) -> AnatomyRule:
        if len(set(self.do)) != len(self.do):
            raise ValueError("an action is named twice")
        if len({"prefer-metadata", "prefer-pixels", "prefer-siblings"} & set(self.do)) > 1:
            raise ValueError("a rule prefers metadata, pixels or siblings: one, not several")
        if "ask-pixels" in self.do and self.on_pixels:
            raise ValueError("a rule that asks the pixels can't wait for what they say")
        if "consult-priors" in self.do and (self.regions in (None, "same") or self.priors):
            raise ValueError("priors are consulted where regions differ, before they have spoken")
        if "consult-siblings" in self.do and self.siblings:
            raise ValueError("siblings are consulted before they have spoken")
        teaches = {"retrain-metadata", "retrain-pixels"} & set(self.do)
        if teaches and self.regions in (None, "same"):
            raise ValueError("a model is trained again where regions differ")
        return self

    @model_validator(mode="after")
    def _conditions_can_hold(self) -> AnatomyRule:
        _require_range("metadata", self.metadata_at_least, self.metadata_below)
        _require_range("pixels", self.pixels_at_least, self.pixels_below)
        if self.pixels == "abstain" and (self.regions or self.application or self.priors):
            raise ValueError("pixels that abstain agree or disagree with nothing")
        if self.metadata == "silent" and (self.regions or self.priors or self.worklist):
            raise ValueError("tags that are silent agree or disagree with nothing")
        _require_voice("metadata", self.metadata == "silent", self.metadata_at_least)
        _require_voice("pixels", self.pixels == "abstain", self.pixels_at_least)
        return self

    @model_validator(mode="after")
    def _modalities_are_clear(self) -> AnatomyRule:
        if self.modalities and self.except_modalities:
            raise ValueError("name modalities or except_modalities, not both")
        return self

    @model_validator(mode="after")
    def _others_can_side(self) -> AnatomyRule:
        if self.metadata == "silent" and self.siblings == "metadata":
            raise ValueError("with tags that are silent nobody agrees")
        if self.pixels == "abstain" and "pixels" in (self.siblings, self.worklist):
            raise ValueError("with pixels that abstain nobody agrees")
        if self.regions != "same":
            return self
        if self.priors:
            raise ValueError("priors are heard only where the regions of tags and pixels differ")
        if self.siblings in ("metadata", "pixels") or self.worklist == "pixels":
            raise ValueError("nobody sides with tags or pixels whose regions are the same")
        return self


class Credit(BaseModel):
    """How far each witness is believed; see ``plugin.anatomy.credence``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metadata: _Share = Field(
        default=0.85, description="1: as sure as they say; 0: as good as unheard"
    )
    pixels: _Share = Field(default=0.6, description="the same of the pixel model")
    siblings: _Share = Field(
        default=0.9, description="how often a series shows what most others of its study show"
    )
    priors: _Share = Field(default=0.55, description="how often an earlier study shows the same")
    worklist: _Share = Field(default=0.8, description="how often the order names what was scanned")


class AnatomyRules(BaseModel):
    """All rules, in the order in which they are tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credit: Credit = Credit()
    rules: tuple[AnatomyRule, ...] = Field(default=(), alias="rule")

    @model_validator(mode="after")
    def _names_are_unique(self) -> AnatomyRules:
        names = [rule.name for rule in self.rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules have the name {twice}")
        return self


def read_anatomy_rules(path: str = "") -> AnatomyRules:
    """Read and validate the table at ``path``; the shipped one where that is empty.

    Raises:
        TableError: no such file, no TOML, or a rule that is not allowed.
    """
    return read_table_file(Path(path) if path else SHIPPED, AnatomyRules)


def _require_voice(witness: str, silent: bool, lowest: float | None) -> None:
    if silent and lowest:
        raise ValueError(f"who says nothing has confidence 0, less than {witness}_at_least")


def _require_range(witness: str, lowest: float | None, below: float | None) -> None:
    if lowest is not None and below is not None and lowest >= below:
        raise ValueError(f"{witness}_at_least must be less than {witness}_below")
    if below == 0:
        raise ValueError(f"{witness}_below = 0 never holds: no confidence is less")
