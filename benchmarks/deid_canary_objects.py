# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identifiers planted where kinds of object and odd encodings have places of their own.

Structured reports, segmentations, presentation states, encapsulated documents, waveforms, nested UN
sequences, private blocks, UIDs made of record numbers and of dates, numbers that are none.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.deid.made_scans import ROOT, ct, file_of

Word = Callable[[str], str]
"""Makes the word to plant at a place, and notes it."""

_SR = "1.2.840.10008.5.1.4.1.1.88.33"
_SEG = "1.2.840.10008.5.1.4.1.1.66.4"
_PR = "1.2.840.10008.5.1.4.1.1.11.1"
_ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
_DOCUMENTS = {
    "PDF": ("1.2.840.10008.5.1.4.1.1.104.1", "application/pdf", b"%PDF-1.4 %s %%EOF"),
    "CDA": (
        "1.2.840.10008.5.1.4.1.1.104.2",
        "text/XML",
        b"<ClinicalDocument><patient><name>%s</name></patient></ClinicalDocument>",
    ),
    "STL": ("1.2.840.10008.5.1.4.1.1.104.3", "model/stl", b"solid %s\nendsolid"),
    "OBJ": ("1.2.840.10008.5.1.4.1.1.104.4", "model/obj", b"# made for %s\nv 0 0 0\n"),
    "MTL": ("1.2.840.10008.5.1.4.1.1.104.5", "model/mtl", b"newmtl %s\n"),
}
RECORD_NUMBER = "58204117"
BIRTH_DATE = "19370412"


def canary_objects() -> Iterator[tuple[str, Callable[[Word], bytes]]]:
    """What is planted, and the maker of the file."""
    makers = (_report, _segmentation, _presentation, _waveform, _names, _numbers, _bulk, _private)
    yield from ((maker.__name__.strip("_"), _filed(maker)) for maker in makers)
    yield "nested UN", _nested_unknown
    for name in _DOCUMENTS:
        yield f"encapsulated {name}", _filed(lambda word, name=name: _document(word, name))


def _filed(make: Callable[[Word], Dataset]) -> Callable[[Word], bytes]:
    return lambda word: file_of(make(word))


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _item(kind: str, concept: Dataset, **attributes: object) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = Sequence([concept])
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _report(word: Word) -> Dataset:
    """A measurement whose unit, name and qualifier say more than they should; text items."""
    measured = Dataset()
    measured.NumericValue = "12"
    unit = _code("mm", "UCUM", f"mm {word('meaning of a unit')}")
    measured.MeasurementUnitsCodeSequence = Sequence([unit])
    value = _code("114000", "DCM", word("meaning of a qualifier"))
    length = _code("410668003", "SCT", f"Length {word('meaning of a measurement')}")
    number = _item("NUM", length, MeasuredValueSequence=Sequence([measured]))
    number.NumericValueQualifierCodeSequence = Sequence([value])
    finding = _code("121071", "DCM", f"Finding {word('meaning of a finding')}")
    inner = _item("TEXT", finding, TextValue=f"seen by {word('text of a report')}")
    content = [
        number,
        _item("PNAME", finding, PersonName=f"{word('person of a report')}^A"),
        _item("UIDREF", finding, UID=f"{ROOT}.{RECORD_NUMBER}"),
        _item("DATE", finding, Date=BIRTH_DATE),
        _item("CONTAINER", finding, ContentSequence=Sequence([inner])),
    ]
    dataset = ct(SOPClassUID=_SR, Modality="SR", ContentSequence=Sequence(content))
    observer = Dataset()
    observer.VerifyingObserverName = f"{word('verifying observer')}^B"
    observer.VerifyingOrganization = word("verifying organization")
    dataset.VerifyingObserverSequence = Sequence([observer])
    return dataset


def _segmentation(word: Word) -> Dataset:
    segment = Dataset()
    segment.SegmentNumber = 1
    segment.SegmentLabel = f"lung {word('segment label')}"
    segment.SegmentDescription = word("segment description")
    family = word("family name, in the name of an algorithm")
    segment.SegmentAlgorithmName = f"net of {family}"
    segment.TrackingID = word("tracking ID")
    dataset = ct(SOPClassUID=_SEG, Modality="SEG", SegmentSequence=Sequence([segment]))
    dataset.PatientName = f"{family}^E"
    dataset.ContentCreatorName = f"{word('creator of a segmentation')}^C"
    dataset.ContentLabel, dataset.ContentDescription = "SEG", word("description of content")
    return dataset


def _presentation(word: Word) -> Dataset:
    text, layer, box, compound = Dataset(), Dataset(), Dataset(), Dataset()
    text.UnformattedTextValue = word("graphic annotation")
    layer.GraphicLayer, layer.GraphicLayerDescription = "A", word("graphic layer")
    box.UnformattedTextValue = word("structured display text")
    compound.CompoundGraphicInstanceID, compound.GraphicLayer = 1, word("name of a graphic layer")
    annotation = Dataset()
    annotation.TextObjectSequence = Sequence([text])
    annotation.CompoundGraphicSequence = Sequence([compound])
    dataset = ct(SOPClassUID=_PR, Modality="PR")
    dataset.GraphicAnnotationSequence = Sequence([annotation])
    dataset.GraphicLayerSequence = Sequence([layer])
    dataset.StructuredDisplayTextBoxSequence = Sequence([box])
    dataset.HangingProtocolName = word("hanging protocol")
    dataset.ContentCreatorName = f"{word('creator of a presentation')}^D"
    dataset.PresentationDisplayCollectionUID = f"{ROOT}.{RECORD_NUMBER}"
    return dataset


def _waveform(word: Word) -> Dataset:
    channel, group, annotation = Dataset(), Dataset(), Dataset()
    channel.ChannelLabel = word("channel label")
    channel.ChannelDerivationDescription = word("channel derivation")
    group.MultiplexGroupLabel = word("multiplex group")
    group.ChannelDefinitionSequence = Sequence([channel])
    group.WaveformData, group.WaveformBitsAllocated = b"\0\0", 8
    group["WaveformData"].VR = "OB"
    annotation.UnformattedTextValue = word("annotation of a waveform")
    dataset = ct(SOPClassUID=_ECG, Modality="ECG", WaveformSequence=Sequence([group]))
    dataset.WaveformAnnotationSequence = Sequence([annotation])
    return dataset


def _names(word: Word) -> Dataset:
    """Ideographic and phonetic groups, and UIDs made of the record number and of the birth date."""
    groups = [word(f"{kind} group of a name") for kind in ("alphabetic", "ideographic", "phonetic")]
    dataset = ct(PatientName="^A=".join(groups) + "^A", PatientID=RECORD_NUMBER)
    dataset.ReferringPhysicianName = f"={word('a name of ideographs alone')}"
    dataset.PatientBirthDate = BIRTH_DATE
    dataset.SOPInstanceUID = f"{ROOT}.{RECORD_NUMBER}.1"
    dataset.SeriesInstanceUID = f"{ROOT}.{BIRTH_DATE}.2"
    dataset.ConcatenationUID = f"{ROOT}.3.{RECORD_NUMBER}{BIRTH_DATE}"
    return dataset


def _numbers(word: Word) -> Dataset:
    """Text where numbers, tags and codes are due; the record number where a number may be."""
    dataset = ct(PatientID=RECORD_NUMBER)
    for tag, place in (
        (0x00180050, "Slice Thickness"), (0x00201208, "Number of Study Related Instances"),
        (0x00181152, "Exposure"), (0x00280030, "Pixel Spacing"), (0x00082111, "Derivation"),
        (0x0020000E, "Series Instance UID"), (0x00400275, "Request Attributes"),
    ):  # fmt: skip
        dataset[tag] = DataElement(tag, "LO", word(f"text in {place}"))
    dataset[0x00280009] = DataElement(0x00280009, "OB", word("text in an AT").encode())
    dataset.StudyComments = f"record {RECORD_NUMBER}"
    dataset.add_new(0x00280034, "IS", [RECORD_NUMBER, "1"])
    return dataset


def _bulk(word: Word) -> Dataset:
    """Bytes that hold a text: colour profile, tables, tracks, tables of offsets."""
    dataset = ct()
    for tag in (0x00282000, 0x00281201, 0x00283006, 0x00660129, 0x7FE00001, 0x00420011, 0x50003000,
                0x00189810, 0x56000020, 0x7FE00008, 0x00281408, 0x00143080):  # fmt: skip
        content = word(f"bytes of {tag:08X}").encode().ljust(8)
        dataset[tag] = DataElement(tag, "OB", content)
    return dataset


def _private(word: Word) -> Dataset:
    """One creator in two groups and in two blocks of a group, and one reserved twice."""
    dataset = ct()
    for group, base in ((0x0019, 0x10), (0x0029, 0x10), (0x0029, 0x11), (0x0051, 0x42)):
        dataset[group << 16 | base] = DataElement(group << 16 | base, "LO", "SIEMENS MED")
        tag = group << 16 | base << 8 | 0x60
        place = f"private element {tag:08X}"
        dataset[tag] = DataElement(tag, "LO", word(place))
        dataset[tag + 1] = DataElement(tag + 1, "UN", word(f"{place}, unknown").encode())
    return dataset


def _document(word: Word, name: str) -> Dataset:
    sop_class, mime_type, template = _DOCUMENTS[name]
    content = template.replace(b"%s", word(f"inside {name}").encode())
    dataset = ct(SOPClassUID=sop_class, Modality="DOC", MIMETypeOfEncapsulatedDocument=mime_type)
    dataset.DocumentTitle = word(f"title of {name}")
    dataset.EncapsulatedDocument = content + b" " * (len(content) % 2)
    dataset.SourceInstanceSequence = Sequence([Dataset()])
    dataset.SourceInstanceSequence[0].ReferencedSOPInstanceUID = f"{ROOT}.{RECORD_NUMBER}"
    return dataset


def _nested_unknown(word: Word) -> bytes:
    """UN of undefined length in UN, implicit VR inside (PS3.5 section 6.2.2)."""
    content = file_of(ct())
    inner = _sequence(0x00081115, _text(0x00104000, word("two UN sequences deep")))
    outer = _sequence(0x00081199, inner + _text(0x00081155, word("a UN sequence deep")))
    private = _sequence(0x00291099, _text(0x00100010, word("name in a private UN sequence")))
    start = 144 + int.from_bytes(content[140:144], "little")
    creator = struct.pack("<HH2sH", 0x0029, 0x0010, b"LO", 6) + b"NOBODY"
    tail = creator + struct.pack("<HH2sHI", 0x0029, 0x1099, b"UN", 0, 0xFFFFFFFF) + private[8:]
    head = struct.pack("<HH2sHI", 0x0008, 0x1199, b"UN", 0, 0xFFFFFFFF) + outer[8:]
    return content[:start] + head + content[start:] + tail


def _text(tag: int, text: str) -> bytes:
    value = text.encode() + b" " * (len(text) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def _sequence(tag: int, content: bytes) -> bytes:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content
    item += struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, 0xFFFFFFFF) + item + end
