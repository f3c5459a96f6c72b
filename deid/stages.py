# SPDX-License-Identifier: Apache-2.0
"""The steps that an instance goes through on its way out.

A stage sees the instance as it came, and changes what is to leave: the elements of the header, the
pixel data. It records what it did, and adds its code of PS3.16 CID 7050 only when it did it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from deid.elements import Element, Encoding
from deid.errors import BurnedInAnnotationError
from deid.header import HeaderCleaner
from deid.options import BASIC_PROFILE_CODE, BASIC_PROFILE_MEANING
from deid.policy import Policy
from deid.reading import PIXELS, Original
from deid.report import ElementRecord

_BURNED_IN_ANNOTATION = 0x00280301


@dataclass
class Instance:
    """One instance on its way.

    Attributes
    ----------
    original:
        As it came, with identifiers. Stages read it and leave it alone.
    encoding:
        How the outgoing data set will be encoded.
    transfer_syntax:
        UID of the outgoing transfer syntax, which the encoding follows.
    elements:
        The outgoing header by tag.
    pixels:
        The outgoing elements of group 7FE0.
    admitted:
        Whether it was de-identified before, as its seal says, and leaves as it is.
    records:
        What was done so far.
    methods:
        Code and meaning (PS3.16 CID 7050) of what was done so far.
    notes:
        More of De-identification Method (0012,0063), at most 64 letters each.
    """

    original: Original
    encoding: Encoding
    transfer_syntax: str
    elements: dict[int, Element] = field(default_factory=dict)
    pixels: list[Element] = field(default_factory=list)
    admitted: bool = False
    records: list[ElementRecord] = field(default_factory=list)
    methods: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def image(self) -> Element | None:
        """The outgoing element that has the pixels, of integers or floats."""
        return next((one for one in self.pixels if one.tag in PIXELS), None)


class Stage(Protocol):
    """One step; it raises a ``DeidentificationError`` where the instance must not leave."""

    def apply(self, instance: Instance) -> None:
        """Do its part on the instance."""


class BurnedInAnnotationCheck:
    """Refuses what no stage here can clean: text in the pixels (0028,0301)."""

    def __init__(self, policy: Policy) -> None:
        self._allowed = policy.allow_burned_in_annotation

    def apply(self, instance: Instance) -> None:
        """Raise ``BurnedInAnnotationError`` where the header says YES and the policy says no."""
        flag = instance.original.header.text(_BURNED_IN_ANNOTATION).upper()
        if flag == "YES" and not self._allowed:
            raise BurnedInAnnotationError(
                "Burned In Annotation (0028,0301) is YES and the text can't be removed: allow such "
                "instances by policy only where their pixels may be seen"
            )


class HeaderStage:
    """Carries out the profile and its options on the header."""

    def __init__(self, cleaner: HeaderCleaner) -> None:
        self._cleaner = cleaner
        self._methods = {BASIC_PROFILE_CODE: BASIC_PROFILE_MEANING} | {
            option.value: option.meaning for option in sorted(cleaner.options)
        }

    def apply(self, instance: Instance) -> None:
        """Put the elements that may leave into the instance."""
        cleaned = self._cleaner.clean(instance.original, instance.encoding)
        instance.elements = {element.tag: element for element in cleaned.elements}
        instance.records.extend(cleaned.records)
        instance.methods.update(self._methods)
