# SPDX-License-Identifier: AGPL-3.0-or-later
"""The original's grayscale pipeline, repeated in the presentation state.

A presentation state replaces the pipeline of the image that it shows (PS3.4 section N.2.1): what it
doesn't repeat is gone, and a radiograph would open black.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from plugin.results import header as read
from plugin.results.source import SourceImage

_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_TABLE = ("LUTDescriptor", "LUTData")


def copy_pipeline(header: Dataset, source: SourceImage, target: Dataset) -> None:
    """Write the Modality, Softcopy VOI and Softcopy Presentation LUT modules."""
    _modality(header, source.frame_number, target)
    voi = _voi(header, source.frame_number)
    if voi is not None:
        target.SoftcopyVOILUTSequence = [voi]
    # The state ignores Photometric Interpretation (PS3.4 N.2.1.4 starts from stored values).
    target.PresentationLUTShape = "INVERSE" if source.inverted else "IDENTITY"


def _modality(header: Dataset, frame_number: int, target: Dataset) -> None:
    tables = _tables(header, "ModalityLUTSequence", "ModalityLUTType")
    if tables:
        target.ModalityLUTSequence = tables[:1]
        return
    group = read.functional_group(header, "PixelValueTransformationSequence", frame_number)
    place = group if "RescaleSlope" in group else header
    slope = read.numbers(place, "RescaleSlope")
    intercept = read.numbers(place, "RescaleIntercept")
    if not slope or not intercept or slope[0] == 0:
        return
    target.RescaleSlope = DSfloat(slope[0], auto_format=True)
    target.RescaleIntercept = DSfloat(intercept[0], auto_format=True)
    target.RescaleType = read.text(place, "RescaleType") or "US"


def _voi(header: Dataset, frame_number: int) -> Dataset | None:
    group = read.functional_group(header, "FrameVOILUTSequence", frame_number)
    place = group if "WindowWidth" in group else header
    function = read.text(place, "VOILUTFunction").upper()
    function = function if function in _FUNCTIONS else ""
    narrowest = 1.0 if function in ("", "LINEAR") else 1e-9
    pairs = zip(
        read.numbers(place, "WindowCenter"), read.numbers(place, "WindowWidth"), strict=False
    )
    usable = next(((centre, width) for centre, width in pairs if width >= narrowest), None)
    item = Dataset()
    if usable is not None:
        # Only one: a state says how to show the image, dcmpschk refuses a choice.
        item.WindowCenter, item.WindowWidth = (
            DSfloat(number, auto_format=True) for number in usable
        )
        if function:
            item.VOILUTFunction = function
        return item
    tables = _tables(header, "VOILUTSequence", "LUTExplanation")
    if not tables:
        return None
    item.VOILUTSequence = tables
    return item


def _tables(header: Dataset, sequence: str, label: str) -> list[Dataset]:
    """Lookup tables that have what a table needs (PS3.3 C.11.1 and C.11.2)."""
    found = []
    for table in read.items(header, sequence):
        if any(read.value(table, keyword) is None for keyword in _TABLE):
            continue
        copy = Dataset()
        for keyword in _TABLE:
            copy.add(table[keyword])
        name = read.text(table, label)
        if name or label == "ModalityLUTType":
            setattr(copy, label, name or "US")
        found.append(copy)
    return found
