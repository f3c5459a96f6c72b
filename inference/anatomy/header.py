# SPDX-License-Identifier: Apache-2.0
"""The attributes of a header that can say something of the anatomy, from whatever form it has.

Tolerant: headers come from many devices and from tables, so a value of the wrong type counts as
missing. Nothing else of the header is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from inference.anatomy.code_cells import codes_in
from inference.contract import frames_read

# Keyword and tag as DICOM JSON has it (PS3.18 F.2), of PS3.6.
TEXTS = {
    "SOPClassUID": "00080016",
    "ImageType": "00080008",
    "Modality": "00080060",
    "StudyDescription": "00081030",
    "SeriesDescription": "0008103E",
    "BodyPartExamined": "00180015",
    "ProtocolName": "00181030",
    "AcquisitionProtocolName": "00189423",
    "ViewPosition": "00185101",
    "Laterality": "00200060",
    "ImageLaterality": "00200062",
    "FrameLaterality": "00209072",
    "RequestedProcedureDescription": "00321060",
    "PerformedProcedureStepDescription": "00400254",
    "AcquisitionDeviceProcessingDescription": "00181400",
    "Manufacturer": "00080070",
    "ManufacturerModelName": "00081090",
    "StationName": "00081010",
    "ContrastBolusAgent": "00180010",
    "ScanOptions": "00180022",
    "ConvolutionKernel": "00181210",
    "ScanningSequence": "00180020",
    "SequenceName": "00180024",
    "PatientPosition": "00185100",
}
NUMBERS = {
    "NumberOfFrames": "00280008",
    "ImagesInAcquisition": "00201002",
    "NumberOfSeriesRelatedInstances": "00201209",
    "SliceThickness": "00180050",
    "SpacingBetweenSlices": "00180088",
    "ReconstructionDiameter": "00181100",
    "PixelSpacing": "00280030",
    "KVP": "00180060",
    "EchoTime": "00180081",
    "RepetitionTime": "00180080",
    "InversionTime": "00180082",
    "MagneticFieldStrength": "00180087",
    "PatientSize": "00101020",
    "PatientWeight": "00101030",
}
ORIENTATION = {"ImageOrientationPatient": "00200037"}
(_OF_PLANE,) = ORIENTATION.items()
_PLANES = ("sagittal", "coronal", "axial")
# Cosine of the largest angle between a plane's normal and the body axis that it is named after.
_STEEPEST = 0.8
CODES = {
    "AnatomicRegionSequence": "00082218",
    "PrimaryAnatomicStructureSequence": "00082228",
    "ProcedureCodeSequence": "00081032",
    "RequestedProcedureCodeSequence": "00321064",
    "PerformedProtocolCodeSequence": "00400260",
    "ViewCodeSequence": "00540220",
}
# Where enhanced multi-frame objects keep the same (PS3.3 C.7.6.16.2.8, Frame Anatomy Macro).
_NESTED = {"SharedFunctionalGroupsSequence": "52009229", "FrameAnatomySequence": "00209071"}
_OF_A_FRAME = ("FrameAnatomySequence", "00209071")
# The same for each frame, and of slides for each specimen (PS3.3 C.7.6.22).
_PER_FRAME = ("PerFrameFunctionalGroupsSequence", "52009230")
_SPECIMENS = ("SpecimenDescriptionSequence", "00400560")
_MOST_SPECIMENS = 64
_MOST_CODES = 32
_SIDED = ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence")
_FRAME_SIDE = ("FrameLaterality", TEXTS["FrameLaterality"])
MODIFIERS = "AnatomicRegionModifierSequence"
"""Key of the codes that modify a region or structure (PS3.3 Tables 10-5 and 10-8)."""
_MODIFIERS = {MODIFIERS: "00082220", "PrimaryAnatomicStructureModifierSequence": "00082230"}
_CODE_PARTS = {
    "CodeValue": "00080100",
    "CodingSchemeDesignator": "00080102",
    "CodeMeaning": "00080104",
}
_DEEPEST = 3
# Of all values of an attribute together. No VR of a description has more than ST (PS3.5 section
# 6.2), and reading takes time by the square of the length.
_LONGEST_TEXT = 1_024

_ValueOf = Callable[[str, str], Sequence[Any]]


class Code(NamedTuple):
    """One item of a code sequence (PS3.3 section 8.8)."""

    value: str
    scheme: str
    meaning: str


@runtime_checkable
class Dataset(Protocol):
    """What is used of a pydicom data set, so that pydicom need not be imported."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of an attribute by keyword."""

    def to_json_dict(self) -> dict[str, Any]:
        """Return DICOM JSON; tells a data set from a mapping."""


@dataclass(frozen=True, slots=True)
class Header:
    """The attributes of one series or instance that can speak of its anatomy."""

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    codes: Mapping[str, tuple[Code, ...]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    plane: str = ""
    """``axial``, ``coronal``, ``sagittal`` or ``oblique``; empty where no orientation is said."""

    @classmethod
    def of(cls, source: Mapping[str, Any] | Dataset) -> Header:
        """Read a header.

        :param source: DICOM JSON (keys are tags), a pydicom data set, or a mapping of DICOM
            keywords to values, as a row of a table is.
        """
        texts: dict[str, tuple[str, ...]] = {}
        codes: dict[str, tuple[Code, ...]] = {}
        numbers: dict[str, float] = {}
        plane = ""
        for value_of in _levels(source, _DEEPEST):
            for keyword, tag in TEXTS.items():
                if values := tuple(_texts(value_of(keyword, tag))):
                    texts.setdefault(keyword, values)
            for keyword, tag in CODES.items():
                if items := tuple(_codes(value_of(keyword, tag))):
                    codes.setdefault(keyword, items)
            for keyword, tag in NUMBERS.items():
                for value in value_of(keyword, tag)[:1]:
                    if (number := _number(value)) is not None:
                        numbers.setdefault(keyword, number)
            plane = plane or _plane(value_of(*_OF_PLANE))
            if codes:
                _add_modifiers(value_of, codes)
        _add_parts(_parts(_reader(source)), texts, codes)
        return cls(texts, codes, numbers, plane)

    def number(self, keyword: str) -> float | None:
        """A number in the unit of its attribute, or ``None``."""
        return self.numbers.get(keyword)

    def text(self, keyword: str) -> str:
        """All values of an attribute in one text, or an empty one."""
        values = self.texts.get(keyword)
        return "" if values is None else values[0] if len(values) == 1 else " ".join(values)

    @property
    def modality(self) -> str:
        """Modality in capitals, or an empty text."""
        return self.text("Modality").upper()


def _levels(source: Any, deepest: int) -> Iterator[_ValueOf]:
    """Yield a way to read the attributes of the source, then of the nested items below it."""
    value_of = _reader(source)
    yield value_of
    if deepest:
        for keyword, tag in _NESTED.items():
            for item in value_of(keyword, tag):
                if _is_item(item):
                    yield from _levels(item, deepest - 1)


def _parts(value_of: _ValueOf) -> list[_ValueOf]:
    """Ways to read the anatomy of frames, spread over all of them, and of specimens."""
    groups, specimens = value_of(*_PER_FRAME), value_of(*_SPECIMENS)
    found: list[Any] = []
    for group in (groups[at] for at in frames_read(len(groups))) if groups else ():
        if _is_item(group):
            found += _reader(group)(*_OF_A_FRAME)
    found += specimens[:_MOST_SPECIMENS]
    return [_reader(one) for one in found if _is_item(one)]


def _add_parts(
    parts: Sequence[_ValueOf],
    texts: dict[str, tuple[str, ...]],
    codes: dict[str, tuple[Code, ...]],
) -> None:
    """Add what all parts of an image say together, where the image says nothing as a whole.

    De-identification puts a meaning without value, and a side that is none, where it has to remove.
    """
    if not parts:
        return
    for keyword in _SIDED:
        tag = CODES[keyword]
        found = dict.fromkeys(code for one in parts for code in _codes(one(keyword, tag)))
        if found and not any(code.value for code in codes.get(keyword, ())):
            codes[keyword] = tuple(found)[:_MOST_CODES]
    sides = {side for one in parts for side in _texts(one(*_FRAME_SIDE))}
    if sides >= {"L", "R"}:
        sides = {"B"}
    if len(sides) == 1 and texts.get("FrameLaterality", ("",))[0] not in ("L", "R", "B", "U"):
        texts["FrameLaterality"] = (sides.pop(),)
    for one in parts:
        _add_modifiers(one, codes)


def _add_modifiers(value_of: _ValueOf, codes: dict[str, tuple[Code, ...]]) -> None:
    """Add the codes that say of a region or structure which of several it is."""
    for keyword in _SIDED:
        for item in value_of(keyword, CODES[keyword]):
            if _is_item(item):
                read = _reader(item)
                found = [code for pair in _MODIFIERS.items() for code in _codes(read(*pair))]
                if found:
                    known = dict.fromkeys((*codes.get(MODIFIERS, ()), *found))
                    codes[MODIFIERS] = tuple(known)[:_MOST_CODES]


def _is_item(value: Any) -> bool:
    return isinstance(value, Mapping | Dataset)


def _reader(source: Any) -> _ValueOf:
    if not isinstance(source, Mapping):
        return lambda keyword, _: _listed(source.get(keyword))

    def value_of(keyword: str, tag: str) -> Sequence[Any]:
        element = source.get(tag)
        if isinstance(element, Mapping):
            return _listed(element.get("Value"))
        return _listed(source.get(keyword))

    return value_of


def _listed(value: Any) -> Sequence[Any]:
    if value is None or value == "":
        return ()
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, str | bytes) or _is_item(value) or not isinstance(value, Iterable):
        return (value,)
    return tuple(value)


def _texts(values: Iterable[Any]) -> Iterator[str]:
    left = _LONGEST_TEXT
    for value in values:
        if isinstance(value, str) and left > 0 and (text := value.strip()[:left]):
            left -= len(text)
            yield text


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        # Cells of tables hold all values of an attribute: the first counts.
        value = next(iter(value.replace("\\", " ").split()), "")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _plane(cosines: Sequence[Any]) -> str:
    """Which way slices lie, by Image Orientation (Patient) (PS3.3 section C.7.6.2.1.1)."""
    if len(cosines) == 1 and isinstance(cosines[0], str):
        cosines = cosines[0].replace("\\", " ").split()
    numbers = [_number(one) for one in cosines]
    if len(numbers) != 6 or None in numbers:
        return ""
    rx, ry, rz, cx, cy, cz = (one or 0.0 for one in numbers)
    normal = (abs(ry * cz - rz * cy), abs(rz * cx - rx * cz), abs(rx * cy - ry * cx))
    steepest = max(normal)
    return _PLANES[normal.index(steepest)] if steepest >= _STEEPEST else "oblique"


def _codes(items: Iterable[Any]) -> Iterator[Code]:
    for item in items:
        if _is_item(item):
            value_of = _reader(item)
            parts = [
                next(_texts(value_of(keyword, tag)), "") for keyword, tag in _CODE_PARTS.items()
            ]
            yield Code(*parts)
        elif isinstance(item, str) and item.strip():
            yield from _of_cell(item)


def _of_cell(cell: str) -> Iterator[Code]:
    for one in codes_in(cell):
        if isinstance(one, tuple):
            yield Code(*(part[:_LONGEST_TEXT] for part in one))
        else:
            yield from _codes([one])
