# SPDX-License-Identifier: Apache-2.0
"""Applies the rules to a header, item by item, on raw elements."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydicom.uid import ExplicitVRBigEndian

from deid.ages import MOMENTS, capped, is_birth
from deid.codes import CODE_TAGS, clean_code
from deid.context import HeaderContext, TextCleaner, encodings_of
from deid.dummies import dummy_items, dummy_value
from deid.elements import Element, Encoding
from deid.errors import NestingTooDeepError
from deid.identifiers import denied_in, elements_of, patient_of
from deid.options import Option
from deid.parsing import DEEPEST, MalformedError, RawDataSet, RawElement
from deid.policy import Policy
from deid.private import CREATOR_REFERENCE, PRIVATE, PrivateRules
from deid.pseudonyms import Pseudonyms
from deid.reading import Original
from deid.report import Action, ElementRecord, recorded
from deid.revealed import denied_by
from deid.rules import Fallback, Rule, Rules, Setting
from deid.site_vocabulary import SiteVocabulary, SiteWords

_CHARACTER_SET = 0x00080005
# Referenced Series, and Studies Containing Other Referenced Instances Sequence.
_REFERENCE_LISTS = frozenset({0x00081115, 0x00081200})
_STRINGS = frozenset(
    {
        "AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI",
        "UR", "UT",
    }
)  # fmt: skip
_SAME_SIZE = (
    frozenset({"US", "SS", "OW"}),
    frozenset({"UL", "SL", "AT", "FL", "OF", "OL"}),
    frozenset({"FD", "SV", "UV", "OD", "OV"}),
    frozenset({"OB", "OW"}),
)
_CODED = "coded entry"
_OUTLIER = "site rule for outliers"
_BIRTH = "date of birth"
_AGE = "age above 89"
# Measurement Units Code Sequence, beside a number.
_UNITS = 0x004008EA


class CleanHeader(NamedTuple):
    """A header that may leave, with the record of what was done."""

    elements: list[Element]
    records: list[ElementRecord]


class HeaderCleaner:
    """Applies Table E.1-1 and the allow-list to headers; one per set of options.

    Parameters
    ----------
    pseudonyms:
        The site's keyed stand-ins.
    options:
        The options of the profile in force.
    policy:
        What the site decides.
    text:
        Cleans free text; the listed words alone stay without one.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        options: Set[Option],
        policy: Policy | None = None,
        text: TextCleaner | None = None,
    ) -> None:
        self.pseudonyms = pseudonyms
        self.policy = policy or Policy()
        self.text = text
        self.options = options
        path = self.policy.vocabulary
        self._vocabulary = SiteVocabulary(Path(path)) if path else None
        self._rules: dict[Setting, Rules] = {}

    def clean(self, original: Original, encoding: Encoding) -> CleanHeader:
        """Treat every element of the header but the pixel data.

        Parameters
        ----------
        original:
            The instance as it came.
        encoding:
            How the items of sequences are to be written.

        Raises
        ------
        NestingTooDeepError
            If sequences are nested more than 32 deep.
        SiteVocabularyError
            If the site's words can't be read.
        """
        context = self.context(original)
        walk = _Walk(self, original, encoding, context)
        elements = walk.treated(original.header, context, _Place(None, "", 0))
        return CleanHeader(elements, walk.records)

    def context(self, original: Original) -> HeaderContext:
        """Whose instance it is, and what stands for them."""
        header = original.header
        encodings = encodings_of(header.text(_CHARACTER_SET))
        patient = patient_of(header, encodings)
        given = denied_in(elements_of(header), encodings)
        return HeaderContext(
            pseudonyms=self.pseudonyms,
            patient=patient,
            days=self.pseudonyms.date_shift(patient),
            encodings=encodings,
            denied=given.words | denied_by(original.revealed),
            given=given,
            little_endian=original.transfer_syntax != ExplicitVRBigEndian,
            text=self.text,
            header=header,
            site=self._vocabulary.words() if self._vocabulary else SiteWords(),
            revealed=original.revealed,
        )

    def rules_for(self, setting: Setting) -> Rules:
        """The rules at top level of a SOP Class, or in the items of a sequence."""
        rules = self._rules.get(setting)
        if rules is None:
            rules = self._rules[setting] = Rules(setting, self.options)
        return rules


class _Place(NamedTuple):
    """Where a data set stands: in the items of a sequence, under a path, so deep."""

    parent: int | None
    path: str
    depth: int


class _Walk:
    """One pass over one header."""

    def __init__(
        self,
        cleaner: HeaderCleaner,
        original: Original,
        encoding: Encoding,
        context: HeaderContext,
    ) -> None:
        self.records: list[ElementRecord] = []
        self._cleaner = cleaner
        self._sop_class = original.sop_class
        self._has_references = any(tag in original.header for tag in _REFERENCE_LISTS)
        self._encoding = encoding
        listed = Option.SAFE_PRIVATE in cleaner.options
        self._private = PrivateRules(
            original.header, listed, cleaner.policy.private_elements, context.is_named
        )
        self._no_private = self._private.none_stays
        self._digests = cleaner.policy.record_digests
        self._outliers = {rule.tag: rule for rule in cleaner.policy.outliers}

    def treated(self, dataset: RawDataSet, context: HeaderContext, place: _Place) -> list[Element]:
        """The elements of a data set or item that may leave, in order."""
        if place.depth > DEEPEST:
            raise NestingTooDeepError(f"sequences are nested more than {DEEPEST} deep")
        rules = self._rules(place)
        codes = _codes(dataset, context) if place.parent is not None else {}
        kept = []
        for tag, element in dataset.items():
            at = len(self.records)
            if tag in codes:
                made: Element | None = self._coded(tag, codes[tag], place)
            elif tag & 0x10000 and self._no_private:
                self.records.append(recorded(place.path, tag, PRIVATE.name, Action.REMOVED))
                made = None
            else:
                rule = self._rule(dataset, tag, rules)
                made = self._treated(tag, element, rule, context, place)
            if made is not None and tag in self._outliers:
                made = self._bounded(made, at, context.little_endian)
            if self._digests:
                digest = context.pseudonyms.digest(context.patient, tag, element.value)
                self.records[at] = self.records[at]._replace(digest=digest)
            if made is not None:
                kept.append(made)
        kept.sort()
        return self._capped(dataset, kept, context, place) if _UNITS in dataset else kept

    def _rule(self, dataset: RawDataSet, tag: int, rules: Rules) -> Rule:
        if tag & 0x10000:
            return self._private.of(dataset, tag)
        if tag in MOMENTS and is_birth(dataset):
            return replace(rules[tag], name=_BIRTH, transform=None)
        if tag == CREATOR_REFERENCE:
            return self._private.of_reference(dataset) or rules[tag]
        return rules[tag]

    def _capped(
        self, item: RawDataSet, made: list[Element], context: HeaderContext, place: _Place
    ) -> list[Element]:
        """A time span of 90 years and more as 90 years, and said so in the record."""
        bounded = capped(item, made, context.little_endian)
        changed = {
            f"{place.path}{new.tag:08X}"
            for old, new in zip(made, bounded, strict=True)
            if new is not old
        }
        for at in range(len(self.records) - 1, -1, -1) if changed else ():
            if self.records[at].path in changed:
                self.records[at] = self.records[at]._replace(rule=_AGE, action=Action.CLEANED)
        return bounded

    def _bounded(self, element: Element, at: int, little_endian: bool) -> Element:
        made = self._outliers[element.tag].applied(element, little_endian)
        if made is not element:
            self.records[at] = self.records[at]._replace(rule=_OUTLIER, action=Action.CLEANED)
        return made

    def _rules(self, place: _Place) -> Rules:
        sop_class = self._sop_class if place.parent is None else ""
        return self._cleaner.rules_for(Setting(sop_class, place.parent, self._has_references))

    def _coded(self, tag: int, value: bytes, place: _Place) -> Element:
        self._record(tag, place, _CODED, Action.CLEANED)
        return Element(tag, self._rules(place)[tag].vr, value)

    def _treated(
        self, tag: int, element: RawElement, rule: Rule, context: HeaderContext, place: _Place
    ) -> Element | None:
        if rule.items:
            return self._sequence(tag, element, rule, context, place)
        if rule.transform is not None:
            vr = _vr(rule.vr, element)
            value = bytes(element.value)
            if vr is not None:
                if not value and rule.action is not Action.PSEUDONYM:
                    self._record(tag, place, rule.name, Action.KEPT)
                    return Element(tag, vr, b"")
                made = rule.transform(value, context)
                if made is not None:
                    unchanged = made == value or made == value.rstrip(b" \0")
                    done = Action.KEPT if unchanged else rule.action
                    self.records.append(recorded(place.path, tag, rule.name, done))
                    return Element(tag, vr, made)
        return self._fallen_back(tag, rule, context, place)

    def _fallen_back(
        self, tag: int, rule: Rule, context: HeaderContext, place: _Place
    ) -> Element | None:
        self._record(tag, place, rule.name, rule.fallback.value)
        if rule.fallback is Fallback.REMOVE:
            return None
        vr = rule.vr.split(" ", 1)[0]
        if rule.fallback is Fallback.EMPTY:
            return Element(tag, vr, b"")
        dummy_uid = context.pseudonyms.uid(f"dummy {tag:08X}")
        if vr == "SQ":
            return Element(tag, vr, dummy_items(tag, self._encoding, dummy_uid))
        return Element(tag, vr, dummy_value(tag, vr, dummy_uid, self._encoding))

    def _sequence(
        self, tag: int, element: RawElement, rule: Rule, context: HeaderContext, place: _Place
    ) -> Element | None:
        try:
            items = element.items if element.vr in ("SQ", "UN", None) else None
        except MalformedError:
            items = None
        if items is None:
            return self._fallen_back(tag, replace(rule, name="unreadable sequence"), context, place)
        at = len(self.records)
        treated = []
        for number, item in enumerate(items, 1):
            path = f"{place.path}{tag:08X}[{number}]."
            inner = _inner(item, context)
            treated.append(self.treated(item, inner, _Place(tag, path, place.depth + 1)))
        if items and not any(treated):
            inner_records = self.records[at:]
            del self.records[at:]
            made = self._fallen_back(tag, rule, context, place)
            # A sequence stands before what is in it.
            self.records += inner_records
            return made
        self.records.insert(at, ElementRecord(f"{place.path}{tag:08X}", rule.name, Action.ITEMS))
        return Element(tag, "SQ", self._encoding.items(treated))

    def _record(self, tag: int, place: _Place, rule: str, action: Action) -> None:
        self.records.append(recorded(place.path, tag, rule, action))


def _codes(item: RawDataSet, context: HeaderContext) -> dict[int, bytes]:
    return clean_code(item, context) if any(tag in item for tag in CODE_TAGS) else {}


def _inner(item: RawDataSet, context: HeaderContext) -> HeaderContext:
    """An item may have a character set of its own (PS3.3 section C.12.1.1.2)."""
    if _CHARACTER_SET not in item:
        return context
    return replace(context, encodings=encodings_of(item.text(_CHARACTER_SET)))


def _vr(wanted: str, element: RawElement) -> str | None:
    """The VR to write a value with; ``None`` where the file's VR can't be what it should be."""
    if element.encapsulated or element.has_items:
        return None
    return element.vr if element.vr == wanted else _written_vr(wanted, element.vr)


@lru_cache(maxsize=4096)
def _written_vr(wanted: str, found: str | None) -> str | None:
    if found is None:
        return wanted.split(" ", 1)[0]
    if found == "UN":
        return wanted if " " not in wanted else found
    if found in wanted.split(" or "):
        return str(found)
    if found in _STRINGS and wanted in _STRINGS:
        return wanted
    same = any(found in family and wanted[:2] in family for family in _SAME_SIZE)
    return wanted[:2] if same else None
