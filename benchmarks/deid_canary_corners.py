# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identifiers of a header in other guises, and in corners of an encoding.

Names run together, encoded or among bytes; record numbers and dates as numbers; texts of colour
profiles; bytes behind run lengths and in reserved markers; elements that occur twice; claims of
private blocks; labels of treatment plans.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
from PIL import ImageCms
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from deid.fragments import encapsulated
from tests.deid.made_scans import ct, file_of

Word = Callable[[str], str]
Corner = tuple[bytes, dict[str, bytes]]
"""A file, and what is planted beside the words."""

_NUMBER, _BIRTH, _STUDY, _TIME = 58204117, 19370412, 20250131, 143507
_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
_ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
_TECHNICAL = (
    "Manufacturer", "ManufacturerModelName", "SequenceName", "FilterType", "ConvolutionKernel",
    "ReceiveCoilName", "ProcessingFunction", "TransducerData", "DetectorDescription",
)  # fmt: skip
_PICTURE = {
    "Rows": 4, "Columns": 4, "SamplesPerPixel": 1, "BitsAllocated": 8, "BitsStored": 8,
    "HighBit": 7, "PixelRepresentation": 0, "PhotometricInterpretation": "MONOCHROME2",
}  # fmt: skip


def corner_objects() -> Iterator[tuple[str, Callable[[Word], Corner]]]:
    """What is planted, and the maker of the file."""
    makers = (_joined, _encoded, _among_bytes, _as_numbers, _profile, _plan, _claimed, _codes,
              _ages, _ideographs, _twice, _run_lengths, _tables)  # fmt: skip
    yield from ((maker.__name__.strip("_").replace("_", " "), maker) for maker in makers)


def _dated(**attributes: object) -> Dataset:
    return ct(
        **{"PatientID": str(_NUMBER), "PatientBirthDate": str(_BIRTH), "StudyDate": str(_STUDY),
           "StudyTime": str(_TIME)} | attributes
    )  # fmt: skip


def _joined(word: Word) -> Corner:
    """Names as parts of longer words of technical texts."""
    names = [word(f"run together in {place}") for place in _TECHNICAL]
    dataset = ct(OperatorsName=[f"{name}^A" for name in names])
    for at, (place, name) in enumerate(zip(_TECHNICAL, names, strict=True)):
        setattr(dataset, place, (f"J{name}", f"{name}2", f"x_{name}y")[at % 3])
    return file_of(dataset), {}


def _encoded(word: Word) -> Corner:
    """Names in base64 and hexadecimal, and the number with what people put between its digits."""
    first, second = word("the plain name, base64"), word("the plain name, hexadecimal")
    spelt = base64.b64encode(f"{first}^A".encode()), second.encode().hex().encode()
    dataset = _dated(PatientName=f"{first}^{second}")
    dataset.ManufacturerModelName, dataset.SequenceName = (one.decode() for one in spelt)
    dataset.SoftwareVersions = ["58-204-117", "1937-04-12", "12.04.1937"]
    told = {"base64 in a model name": spelt[0], "hexadecimal in a sequence name": spelt[1],
            "number with hyphens": b"58-204-117", "date with hyphens": b"1937-04-12",
            "date with points": b"12.04.1937"}  # fmt: skip
    return file_of(dataset), told


def _among_bytes(word: Word) -> Corner:
    """Names among the bytes of tables and samples, in ASCII and in UTF-16."""
    dataset, group, told = ct(SOPClassUID=_ECG, Modality="ECG"), Dataset(), {}
    names = {tag: word(f"among bytes of {tag:08X}") for tag in (0x00281201, 0x00281202, 0x54001010,
             0x5400100A, 0x54000110, 0x00700256)}  # fmt: skip
    dataset.OperatorsName = [f"{name}^A" for name in names.values()]
    for tag, name in names.items():
        wide = tag == 0x00281202
        spelt = name.encode("utf-16-le" if wide else "ascii")
        if wide:
            told["UTF-16 among bytes of 00281202"] = spelt
        value = b"\1\2\3" + spelt + b"\0\1\2\3"
        holder = group if tag >> 16 == 0x5400 else dataset
        holder[tag] = DataElement(tag, "OB", value + b"\0" * (len(value) % 2))
    dataset.WaveformSequence = Sequence([group])
    for tag in (0x00189073, 0x00189087):
        name = f"{word(f'eight bytes of {tag:08X}')} "
        dataset[tag] = DataElement(tag, "FD", struct.unpack("<d", name.encode())[0])
    return file_of(dataset), told


def _as_numbers(word: Word) -> Corner:  # noqa: ARG001
    """The record number, dates, a time and an age as decimals, integers and floats."""
    days = (date(2025, 1, 31) - date(1937, 4, 12)).days
    dataset = _dated(
        SliceThickness="20250131.0", KVP="1.9370412e7", TableHeight="58204117.5",
        GantryDetectorTilt="58204117.00", Exposure=str(_TIME), ExposureTime=str(days),
    )  # fmt: skip
    binary = {
        0x00189073: ("FD", struct.pack("<d", _BIRTH)),
        0x00189087: ("FD", struct.pack("<d", _NUMBER + 0.5)),
        0x0018605A: ("FL", struct.pack("<f", _STUDY)),
        0x00186018: ("UL", struct.pack("<I", _NUMBER)),
        0x0018601C: ("SL", struct.pack("<i", 12041937)),
    }
    for tag, (vr, value) in binary.items():
        kind = {"FD": "<d", "FL": "<f", "UL": "<I", "SL": "<i"}[vr]
        dataset[tag] = DataElement(tag, vr, struct.unpack(kind, value)[0])
    told = {f"number in {tag:08X}": value for tag, (_, value) in binary.items()}
    texts = ("20250131.0", "1.9370412e7", "58204117.5", "58204117.00", str(days))
    return file_of(dataset), told | {f"number {text}": text.encode() for text in texts}


def _profile(word: Word) -> Corner:
    """Texts of a colour profile, in UTF-16 as version 4 has them, and bytes behind its tags."""
    name, hidden = word("the plain name in a profile"), word("behind the tags of a profile")
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    text = f"made for {name}".encode("utf-16-be")
    written = b"mluc" + bytes(4) + struct.pack(">2I", 1, 12) + b"enUS"
    written += struct.pack(">2I", len(text), 28) + text
    for at in range(struct.unpack_from(">I", profile, 128)[0]):
        place = 132 + 12 * at
        if profile[place : place + 4] == b"desc":
            struct.pack_into(">2I", profile, place + 4, len(profile), len(written))
    profile += written + hidden.encode()
    struct.pack_into(">I", profile, 0, len(profile))
    # Not given as a name anywhere: nothing but the profile tells it.
    dataset = ct(StudyComments=name, ICCProfile=bytes(profile) + b"\0" * (len(profile) % 2))
    return file_of(dataset), {"description of a profile": name.encode("utf-16-be")}


def _plan(word: Word) -> Corner:
    """Labels, names and the approval of a treatment plan."""
    beam, setup = Dataset(), Dataset()
    beam.BeamName, beam.BeamDescription = word("beam name"), word("beam description")
    setup.PatientSetupLabel, setup.SetupTechniqueDescription = word("setup label"), word("setup")
    name = word("the machine's owner")
    beam.TreatmentMachineName = f"{name}LINAC"
    dataset = ct(SOPClassUID=_PLAN, Modality="RTPLAN", BeamSequence=Sequence([beam]))
    dataset.PatientName, dataset.PatientSetupSequence = f"{name}^A", Sequence([setup])
    dataset.RTPlanLabel, dataset.RTPlanName = word("plan label"), word("plan name")
    dataset.RTPlanDescription = word("plan description")
    dataset.ReviewerName = f"{word('reviewer of a plan')}^B"
    dataset.PrescriptionDescription = word("prescription")
    return file_of(dataset), {}


def _claimed(word: Word) -> Corner:
    """A block that the file calls safe, with what is not."""
    name, owner = word("the plain name in a claimed block"), word("creator of a claimed block")
    dataset = _dated(PatientName=f"{name}^{owner}", SpecificCharacterSet="ISO_IR 192")
    spelt = base64.b64encode(name.encode())
    values = [
        ("LO", name), ("UT", json.dumps({"patient": {"name": name}})), ("LT", f"<n>{name}</n>"),
        ("LO", spelt.decode()), ("DS", "58204117.0"), ("FL", float(_STUDY)), ("UL", _NUMBER),
        ("LO", "1937-04-12"), ("OW", b"\1\2\3" + name.encode() + b"\0"),
    ]  # fmt: skip
    claims = []
    for group, creator in ((0x0029, "ACME HEADER"), (0x0031, f"ACME {owner}")):
        block = dataset.private_block(group, creator, create=True)
        for at, (vr, value) in enumerate(values):
            block.add_new(at, vr, value)
        claim = Dataset()
        claim.PrivateGroupReference, claim.PrivateCreatorReference = group, creator
        claim.BlockIdentifyingInformationStatus = "SAFE"
        claims.append(claim)
    dataset.PrivateDataElementCharacteristicsSequence = Sequence(claims)
    told = {"base64 in a claimed block": spelt, "number in a claimed block": b"58204117.0",
            "float in a claimed block": struct.pack("<f", _STUDY),
            "integer in a claimed block": struct.pack("<I", _NUMBER)}  # fmt: skip
    return file_of(dataset), told


def _codes(word: Word) -> Corner:
    """Codes that are none: a word for a unit, dates and numbers with a letter before them."""
    entries = [("UCUM", word("code of a unit")), ("MSH", "D20250131"), ("SCT", str(_BIRTH)),
               ("RXNORM", str(_NUMBER))]  # fmt: skip
    codes = []
    for scheme, value in entries:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, "Thorax"
        codes.append(code)
    dataset = _dated(ProcedureCodeSequence=Sequence(codes))
    return file_of(dataset), {f"code of {s}": v.encode() for s, v in entries[1:]}


def _ages(word: Word) -> Corner:  # noqa: ARG001
    """Ages above 89 in units of a report, and the birth date under the names of a date of birth."""
    spans = (("a", "103.25"), ("mo", "1243"), ("wk", "5409"), ("d", "37931"))
    dataset = _dated(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR")
    dataset.ContentSequence = Sequence(
        [_measured("121033", "DCM", unit, span) for unit, span in spans]
        + [_born("121031", "DCM", "19210304"), _born("21112-8", "LN", "19210305")]
    )
    told = {f"age in {unit}": span.encode() for unit, span in spans}
    told |= {"birth date in a report": b"19210304", "birth date in a report, LOINC": b"19210305"}
    return file_of(dataset), told


def _named(value: str, scheme: str, kind: str) -> Dataset:
    """A content item with its concept, or the code alone."""
    code, item = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, "Age"
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = Sequence([code])
    return item if kind else code


def _born(code: str, scheme: str, day: str) -> Dataset:
    item = _named(code, scheme, "DATE")
    item.Date = day
    return item


def _measured(code: str, scheme: str, unit: str, number: str) -> Dataset:
    measured, item = Dataset(), _named(code, scheme, "NUM")
    measured.NumericValue = number
    measured.MeasurementUnitsCodeSequence = Sequence([_named(unit, "UCUM", "")])
    item.MeasuredValueSequence = Sequence([measured])
    return item


def _ideographs(word: Word) -> Corner:  # noqa: ARG001
    """A name without the separators of its groups, in ideographs and in Latin letters."""
    dataset = ct(SpecificCharacterSet="ISO_IR 192", PatientName="Wang^Xiao=王^小東=ワン^シャオ")
    dataset.SoftwareVersions, dataset.ManufacturerModelName = "王小東", "WangXiao"
    dataset.SequenceName, dataset.StudyDescription = "ワンシャオ", "chest 王小東"
    told = {"ideographs run together": "王小東", "Latin letters run together": "WangXiao",
            "kana run together": "ワンシャオ"}  # fmt: skip
    return file_of(dataset), {place: text.encode() for place, text in told.items()}


def _twice(word: Word) -> Corner:
    """A name that a second one of the same tag replaces, and that stands elsewhere too."""
    name = word("first of two names")
    content = file_of(ct(PatientName="X", SoftwareVersions=f"v{name}"))
    at = content.index(b"\x10\0\x10\0PN")
    value = name.encode() + b" " * (len(name) % 2)
    first = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", len(value)) + value
    return content[:at] + first + content[at:], {}


def _run_lengths(word: Word) -> Corner:
    """Bytes behind a frame of run lengths, and a table of offsets that is none."""
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    frame = RLELosslessEncoder.encode(
        pixels, rows=4, columns=4, samples_per_pixel=1, bits_allocated=8, bits_stored=8,
        pixel_representation=0, number_of_frames=1, photometric_interpretation="MONOCHROME2",
    )  # fmt: skip
    behind = frame + word("behind a frame of run lengths").encode()
    table = word("table of offsets").encode().ljust(8, b"\0")
    dataset = ct(**_PICTURE, PixelData=encapsulated([table, behind]))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset[0x7FE00001] = DataElement(0x7FE00001, "OB", word("extended offsets").encode() + b" ")
    return file_of(dataset, RLELossless), {}


def _tables(word: Word) -> Corner:
    """Elements of the group of pixels that no dictionary has, and bytes behind float pixels."""
    dataset = ct(**_PICTURE | {"BitsAllocated": 32})
    floats = np.linspace(0, 1, 16, dtype="<f4").tobytes()
    behind = floats + word("behind float pixels").encode().ljust(8)
    for tag, value in ((0x7FE00004, word("unknown, of group 7FE0").encode().ljust(8)),
                       (0x7FE00008, behind)):  # fmt: skip
        dataset[tag] = DataElement(tag, "OB", value)
    return file_of(dataset), {}
