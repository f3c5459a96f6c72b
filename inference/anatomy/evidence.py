# SPDX-License-Identifier: Apache-2.0
"""What each attribute of a header says of the anatomy, on its own.

Attributes are grouped by where their words come from, because that decides how far they can be
believed: the series description is closest to the images, the study description was ordered before
them, and Body Part Examined is often preset by the device or names the site of a disease.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Literal, NamedTuple

from inference.anatomy.header import Code, Header
from inference.anatomy.kinds import shown_by_image_type, shown_by_modality, shown_by_sop_class
from inference.anatomy.lexicon import Reading, lexicon
from inference.anatomy.regions import NOWHERE, BodyPart, Regions, body_part, body_part_of_code
from inference.anatomy.words import words_of

Source = Literal["series", "protocol", "study", "coded", "tag", "modality"]

_TEXTS: tuple[tuple[str, Source], ...] = (
    ("SeriesDescription", "series"),
    ("ProtocolName", "protocol"),
    ("AcquisitionProtocolName", "protocol"),
    ("StudyDescription", "study"),
    ("RequestedProcedureDescription", "study"),
    ("PerformedProcedureStepDescription", "study"),
)
_CODES: tuple[tuple[str, Source], ...] = (
    ("PerformedProtocolCodeSequence", "protocol"),
    ("ProcedureCodeSequence", "study"),
    ("RequestedProcedureCodeSequence", "study"),
    ("AnatomicRegionSequence", "coded"),
    ("PrimaryAnatomicStructureSequence", "coded"),
)
_REMEMBERED = 20_000
_AP: Regions = frozenset(("abdomen", "pelvis"))


class Evidence(NamedTuple):
    """What one attribute says.

    ``sounds`` are regions that it only sounds like. They decide nothing; the learned models see
    them among the hints, and know what they are worth.
    """

    attribute: str
    source: Source
    reading: Reading
    sounds: Regions = NOWHERE

    @property
    def heard(self) -> Evidence:
        """The same without what it only sounds like."""
        if not self.sounds:
            return self
        hinted = self.reading.hinted - self.sounds
        return self._replace(reading=replace(self.reading, hinted=hinted), sounds=NOWHERE)


def evidence(header: Header) -> list[Evidence]:
    """Read every attribute that can speak of the anatomy; silent ones are left out."""
    found = [*_from_texts(header), *_from_codes(header), *_from_tag(header), *_from_kind(header)]
    return [one for one in found if one.reading.speaks or one.reading.pet]


def _from_texts(header: Header) -> Iterator[Evidence]:
    for keyword, source in _TEXTS:
        if text := header.text(keyword):
            reading = read_description(text, header.modality)
            yield Evidence(keyword, source, reading, _sounds(text, source, reading, header))


def _sounds(text: str, source: Source, reading: Reading, header: Header) -> Regions:
    """In a sequence of MR "AP" is the direction of phase encoding: ``dMRI_AP``, ``EPI PE=AP``."""
    sequence = header.modality == "MR" and source in ("series", "protocol")
    return _AP if sequence and reading.hinted >= _AP and "ap" in words_of(text) else NOWHERE


@lru_cache(maxsize=_REMEMBERED)
def read_description(text: str, modality: str) -> Reading:
    """Read a description; of ``folder^protocol`` the protocol, where that names a region."""
    words = lexicon()
    whole = words.read(text, modality)
    if "^" in text:
        protocol = words.read(text.partition("^")[2], modality)
        if protocol.named:
            return protocol if not whole.pet else _of_pet(protocol)
    return whole


def _of_pet(reading: Reading) -> Reading:
    return Reading(reading.named, reading.hinted, reading.terms, reading.general, pet=True)


def _from_codes(header: Header) -> Iterator[Evidence]:
    for keyword, source in _CODES:
        items = header.codes.get(keyword, ())
        if items:
            yield Evidence(keyword, source, _union(_of_code(i, header.modality) for i in items))


def _of_code(code: Code, modality: str) -> Reading:
    part = body_part_of_code(code.scheme, code.value)
    return read_description(code.meaning, modality) if part is None else _of_part(part)


def _union(readings: Iterable[Reading]) -> Reading:
    united = Reading()
    for one in readings:
        united = Reading(
            united.named | one.named,
            united.hinted | one.hinted,
            united.terms + one.terms,
            united.general or one.general,
            united.pet or one.pet,
        )
    return united


def _of_part(part: BodyPart) -> Reading:
    return Reading(named=part.regions, terms=(part.term,) if part.regions else ())


def _from_tag(header: Header) -> Iterator[Evidence]:
    """Body Part Examined and Image Type, either of which a device presets.

    Nuclear medicine says by Image Type how the camera was moved, so that is believed first; in
    ultrasound it is the preset alone.
    """
    if header.modality == "NM":
        yield from _from_image_type(header)
    yield from _from_body_part(header)
    if header.modality == "US":
        yield from _from_image_type(header)


def _from_body_part(header: Header) -> Iterator[Evidence]:
    value = header.text("BodyPartExamined")
    if not value:
        return
    part = body_part(value)
    reading = read_description(value, header.modality) if part is None else _of_part(part)
    if not reading.named:
        reading = Reading(named=reading.hinted, terms=reading.terms)
    yield Evidence("BodyPartExamined", "tag", reading)


def _from_image_type(header: Header) -> Iterator[Evidence]:
    part = shown_by_image_type(header.modality, header.texts.get("ImageType", ()))
    if part is not None:
        yield Evidence("ImageType", "tag", _of_part(part))


def _from_kind(header: Header) -> Iterator[Evidence]:
    if by_class := shown_by_sop_class(header.text("SOPClassUID")):
        yield Evidence("SOPClassUID", "modality", Reading(named=by_class))
    if by_modality := shown_by_modality(header.modality):
        pet = header.modality == "PT"
        yield Evidence("Modality", "modality", Reading(named=by_modality, pet=pet))
