# SPDX-License-Identifier: Apache-2.0
"""How often answers are right, measured on headers that people have read.

Every way of coming to an answer (``series confirmed``, ``tag alone`` ...) has its own share of
exact answers. Few were seen of some, and words of the lexicon were chosen with the same headers at
hand, so each share is drawn towards a prior that was set beforehand, as if :data:`PRIOR_WEIGHT`
more had been seen. The counts are data (``data/calibration.toml``); a site measures its own with
``sidelight anatomy calibrate``.

``[alone]`` counts, by modality, what Body Part Examined is worth without any description. Whole
collections are counted there, each by the share of its headers that is right: 19 public ones of CT
that the model learns from, with all descriptions taken away. They differ widely (0.66, but 0.45 in
the ten that image several anatomies). Where a site has no such header the shipped counts stay.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from inference.anatomy.decision import Decision, decide
from inference.anatomy.evidence import evidence
from inference.anatomy.header import Header
from inference.anatomy.regions import (
    REGIONS,
    AnatomyTableError,
    Regions,
    parse_letters,
    parse_regions,
)

PRIOR_WEIGHT = 20.0
_UNKNOWN_ATTRIBUTE = 0.7
_ALONE = "alone"
_DESCRIPTIONS = (
    "SeriesDescription",
    "AcquisitionDeviceProcessingDescription",
    "ProtocolName",
    "AcquisitionProtocolName",
    "StudyDescription",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
    "PerformedProtocolCodeSequence",
    "ProcedureCodeSequence",
    "RequestedProcedureCodeSequence",
)


class Tally(NamedTuple):
    """How many of the answers of one kind were exactly right."""

    right: int
    seen: int
    prior: float

    @property
    def share(self) -> float:
        """Share of right answers, drawn towards the prior."""
        return (self.right + PRIOR_WEIGHT * self.prior) / (self.seen + PRIOR_WEIGHT)


class LabelledHeader(NamedTuple):
    """A header and the answers that a reader takes for right."""

    header: Header
    right: frozenset[Regions]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence by way of deciding, weight by attribute, and what Body Part Examined is worth.

    ``alone`` is how often answers are right, by modality, where no description stands beside Body
    Part Examined; a modality that is missing is believed as the experts say.
    """

    patterns: Mapping[str, float]
    attributes: Mapping[str, float]
    alone: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Calibration:
        """Check a table and compute the shares.

        :raises AnatomyTableError: if it is not valid; the message names the entry.
        """
        # Tables that a site measured before there was the third section stay valid.
        alone = _shares(table, _ALONE) if _ALONE in table else _shares(shipped_table(), _ALONE)
        return cls(_shares(table, "patterns"), _shares(table, "attributes"), alone)

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a table that ``sidelight anatomy calibrate`` wrote.

        :raises AnatomyTableError: if it is not valid.
        """
        return cls.of(tomllib.loads(path.read_text(encoding="utf-8")))

    def confidence(self, pattern: str) -> float:
        """Share of right answers among those decided so; 0 where nothing was decided."""
        return self.patterns.get(pattern, 0.0)

    def most(self, header: Header, decision: Decision) -> float:
        """The confidence that an answer can have: 1, but where Body Part Examined stands alone.

        Lexicon and family then read the same word, so that both together know no more than one.
        """
        if decision.source != "tag" or is_described(header):
            return 1.0
        return self.alone.get(header.modality, 1.0)

    def weight(self, attribute: str) -> float:
        """Share of right answers if this attribute alone decided."""
        return self.attributes.get(attribute, _UNKNOWN_ATTRIBUTE)


def is_described(header: Header) -> bool:
    """Whether series, protocol or study are described in words or codes, whatever they say."""
    return any(name in header.texts or name in header.codes for name in _DESCRIPTIONS)


def _shares(table: Mapping[str, Any], section: str) -> dict[str, float]:
    try:
        tallies = {key: Tally(**value) for key, value in table[section].items()}
    except (KeyError, TypeError, AttributeError):
        raise AnatomyTableError(
            f"calibration: section {section} needs right, seen and prior for each entry"
        ) from None
    for key, tally in tallies.items():
        if not (0 <= tally.right <= tally.seen and 0.0 <= tally.prior <= 1.0):
            raise AnatomyTableError(f"calibration: {key} needs right <= seen and a prior of 0..1")
    return {key: tally.share for key, tally in tallies.items()}


@cache
def shipped_table() -> Mapping[str, Any]:
    """The table of this package."""
    path = files("inference.anatomy") / "data" / "calibration.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def shipped_calibration() -> Calibration:
    """The calibration of this package."""
    return Calibration.of(shipped_table())


def read_labels(text: str) -> frozenset[Regions]:
    """Read a label: letters (``CAP/A``) or names (``chest abdomen/abdomen``).

    ``/`` stands between answers that are equally right.

    An undecidable header (``?``, or nothing) has no right answer.

    :raises AnatomyTableError: for an unknown letter or name.
    """
    answers = [answer.strip() for answer in text.split("/")]
    return frozenset(_meant(answer) for answer in answers if answer and answer != "?")


def _meant(answer: str) -> Regions:
    """Names are read in any case; capitals that are no name are letters."""
    named = answer.casefold()
    for name in REGIONS:
        named = named.replace(name, name.replace(" ", "-"))
    try:
        return parse_regions(named)
    except AnatomyTableError:
        if answer.isupper() and answer.isalpha():
            with suppress(AnatomyTableError):
                return parse_letters(answer)
        raise


def measure(headers: Iterable[LabelledHeader]) -> dict[str, dict[str, dict[str, float]]]:
    """Count right answers by way of deciding and by attribute; priors are kept.

    Headers without a right answer are left out.
    """
    right: Counter[tuple[str, str]] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    for header, answers in headers:
        if not answers:
            continue
        found = evidence(header)
        decision = decide(found, header.modality)
        said = [("patterns", decision.pattern, decision.regions)]
        said += [("attributes", one.attribute, one.reading.named) for one in found]
        if decision.source == "tag" and not is_described(header):
            said.append((_ALONE, header.modality, decision.regions))
        for section, key, regions in said:
            seen[section, key] += 1
            right[section, key] += regions in answers
    return {
        section: {
            key: dict(tally)
            if section == _ALONE and not seen[section, key]
            else {
                "right": right[section, key],
                "seen": seen[section, key],
                "prior": tally["prior"],
            }
            for key, tally in entries.items()
        }
        for section, entries in shipped_table().items()
    }


def format_table(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Write a calibration table as TOML."""
    lines: list[str] = ["# SPDX-License-Identifier: Apache-2.0"]
    for section, entries in table.items():
        lines += ["", f"[{section}]"]
        for key, tally in entries.items():
            values = ", ".join(f"{name} = {value}" for name, value in tally.items())
            lines.append(f'"{key}" = {{ {values} }}')
    return "\n".join(lines) + "\n"
