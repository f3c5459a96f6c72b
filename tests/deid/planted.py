# SPDX-License-Identifier: Apache-2.0
"""A CT stuffed with identifiers in every place that is known to leak, and with harmless values."""

from __future__ import annotations

import io
import itertools
import struct
from typing import NamedTuple

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY = "1.2.826.0.1.3680043.9.7777.20240229.101"
SERIES = "1.2.826.0.1.3680043.9.7777.20240229.202"
INSTANCE = "1.2.826.0.1.3680043.9.7777.20240229.303"
FRAME_OF_REFERENCE = "1.2.826.0.1.3680043.9.7777.20240229.404"

_TEXTS = (
    "PatientID IssuerOfPatientID AccessionNumber StudyID InstitutionName InstitutionAddress "
    "StationName InstitutionalDepartmentName PatientAddress PatientTelephoneNumbers Occupation "
    "ReferringPhysicianTelephoneNumbers ReferringPhysicianAddress MedicalRecordLocator "
    "MilitaryRank AdmissionID RequestedProcedureID ScheduledProcedureStepID DeviceSerialNumber "
    "PlacerOrderNumberImagingServiceRequest ClinicalTrialSubjectID ClinicalTrialSiteName "
    "CountryOfResidence RegionOfResidence EthnicGroup PatientReligiousPreference DetectorID "
    "PlateID CassetteID PerformedLocation ScheduledStudyLocation DeviceID"
)
_NAMES = (
    "ReferringPhysicianName PerformingPhysicianName OperatorsName NameOfPhysiciansReadingStudy "
    "PhysiciansOfRecord RequestingPhysician PatientBirthName PatientMotherBirthName "
    "OtherPatientNames ResponsiblePerson"
)
_DESCRIPTIONS = (
    "SeriesDescription ProtocolName PerformedProcedureStepDescription ImageComments "
    "RequestedProcedureDescription PatientComments StudyComments AdditionalPatientHistory "
    "DerivationDescription LUTExplanation ContentDescription ReasonForStudy PatientState "
    "CommentsOnRadiationDose AcquisitionDeviceProcessingDescription VisitComments "
    "ContrastBolusAgent CommentsOnThePerformedProcedureStep InterventionDescription"
)


class Planted(NamedTuple):
    """The file, what must not be found in its de-identified form, and what must."""

    content: bytes
    identifiers: dict[str, bytes]
    harmless: dict[str, object]


class _Identifiers:
    """Hands out distinct words that occur nowhere by chance."""

    def __init__(self) -> None:
        self.planted: dict[str, bytes] = {}
        self._numbers = itertools.count(11)

    def word(self, place: str) -> str:
        word = f"QZ{next(self._numbers)}XW"
        self.planted[place] = word.encode("ascii")
        return word

    def uid(self, place: str, uid: str) -> str:
        self.planted[place] = uid.encode("ascii")
        return uid


HARMLESS: dict[str, object] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "SOPClassUID": CTImageStorage,
    "Modality": "CT",
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "SOMATOM Definition AS+",
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL_CT",
    "SliceThickness": 1.5,
    "KVP": 120,
    "DataCollectionDiameter": 500,
    "SoftwareVersions": "syngo CT VA48A",
    "ReconstructionDiameter": 350,
    "DistanceSourceToDetector": 1085.6,
    "DistanceSourceToPatient": 595,
    "GantryDetectorTilt": 0,
    "TableHeight": 155,
    "RotationDirection": "CW",
    "ExposureTime": 500,
    "XRayTubeCurrent": 240,
    "Exposure": 120,
    "FilterType": "FLAT",
    "GeneratorPower": 29,
    "FocalSpots": 1.2,
    "ConvolutionKernel": "B30f",
    "PatientPosition": "HFS",
    "ExposureModulationType": "XYZ_EC",
    "CTDIvol": 8.1,
    "SpiralPitchFactor": 0.9,
    "SingleCollimationWidth": 0.6,
    "TotalCollimationWidth": 38.4,
    "TableSpeed": 46.0,
    "SeriesNumber": 3,
    "AcquisitionNumber": 1,
    "InstanceNumber": 42,
    "ImagePositionPatient": [-175.0, -175.0, 100.5],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "SliceLocation": 100.5,
    "PositionReferenceIndicator": "SN",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 8,
    "Columns": 8,
    "PixelSpacing": [0.7, 0.7],
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "WindowCenter": [40, -600],
    "WindowWidth": [400, 1200],
    "WindowCenterWidthExplanation": ["MEDIASTINUM", "LUNG"],
    "RescaleIntercept": -1024,
    "RescaleSlope": 1,
    "RescaleType": "HU",
    "LossyImageCompression": "00",
    "ContrastBolusRoute": "IV",
    "ContrastBolusVolume": 80,
}


def planted_ct() -> Planted:
    """Build the CT."""
    plant = _Identifiers()
    dataset = Dataset()
    for keyword, value in HARMLESS.items():
        setattr(dataset, keyword, value)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    _identify(dataset, plant)
    _describe(dataset, plant)
    _nest(dataset, plant)
    _hide(dataset, plant)
    # Overlay in an unused bit of the pixels, and bytes behind the last frame.
    pixels = b"\x55\x05" * 64 + plant.word("bytes behind the last frame").encode()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OW"
    padding = plant.word("Data Set Trailing Padding").encode()
    dataset[0xFFFCFFFC] = DataElement(0xFFFCFFFC, "OB", padding)
    un_sequence = _un_sequence(plant.word("UN sequence"))
    buffer = io.BytesIO()
    dataset.file_meta = _file_meta(plant)
    dataset.preamble = plant.word("preamble").encode().ljust(128, b"\0")
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=False)
    tail = b"\x10\x00\x10\x00PN" + plant.word("bytes behind the data set").encode()
    content = buffer.getvalue()
    # Where the data set begins: after the group length element and what it counts.
    start = 144 + int.from_bytes(content[140:144], "little")
    content = content[:start] + un_sequence + content[start:] + tail
    return Planted(content, plant.planted, HARMLESS)


def _un_sequence(word: str) -> bytes:
    """Referenced Series Sequence as UN, implicit VR inside (PS3.5 section 6.2.2)."""
    text = word.encode().ljust(8)
    element = struct.pack("<HHI", 0x0010, 0x4000, len(text)) + text
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(element)) + element
    return struct.pack("<HH2sHI", 0x0008, 0x1115, b"UN", 0, len(item)) + item


def _file_meta(plant: _Identifiers) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = INSTANCE
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = plant.uid("implementation class", "1.2.826.0.1.99887766")
    meta.ImplementationVersionName = plant.word("implementation version")
    meta.SourceApplicationEntityTitle = plant.word("source AE title")
    meta.SendingApplicationEntityTitle = plant.word("sending AE title")
    meta.PrivateInformationCreatorUID = plant.uid("private information creator", "1.2.99.887.6.7")
    meta.PrivateInformation = plant.word("private information").encode()
    return meta


def _identify(dataset: Dataset, plant: _Identifiers) -> None:
    name = plant.word("family name"), plant.word("given name")
    dataset.PatientName = "^".join(name)
    for keyword in _TEXTS.split():
        setattr(dataset, keyword, plant.word(keyword))
    dataset.OtherPatientIDs = [plant.word("other ID 1"), plant.word("other ID 2")]
    for keyword in _NAMES.split():
        setattr(dataset, keyword, plant.word(keyword) + "^" + plant.word(keyword + " given"))
    uids = {
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "SOPInstanceUID": INSTANCE,
        "FrameOfReferenceUID": FRAME_OF_REFERENCE,
        "InstanceCreatorUID": "1.2.826.0.1.3680043.9.7777.55",
        "IrradiationEventUID": "1.2.826.0.1.3680043.9.7777.66",
    }
    for keyword, uid in uids.items():
        setattr(dataset, keyword, plant.uid(keyword, uid))
    dates = "StudyDate SeriesDate AcquisitionDate ContentDate InstanceCreationDate PatientBirthDate"
    for day, keyword in enumerate(dates.split(), 11):
        setattr(dataset, keyword, f"193702{day}")
        plant.planted[keyword] = f"193702{day}".encode()
    dataset.AcquisitionDateTime = "19370217123456.789000+0100"
    plant.planted["AcquisitionDateTime"] = b"19370217"
    dataset.StudyTime = "101112"


def _describe(dataset: Dataset, plant: _Identifiers) -> None:
    family = plant.planted["family name"].decode()
    dataset.StudyDescription = f"CT Thorax {family} {plant.word('StudyDescription')}"
    for keyword in _DESCRIPTIONS.split():
        setattr(dataset, keyword, f"chest {plant.word(keyword)}")
    # A technical text that repeats the patient's name.
    dataset.SequenceName = f"se {family}"
    dataset.RetrieveURL = f"https://pacs/{plant.word('RetrieveURL')}"
    dataset.RetrieveAETitle = plant.word("RetrieveAETitle")
    dataset.ScheduledStationAETitle = plant.word("ScheduledStationAETitle")
    dataset.PatientBirthDateInAlternativeCalendar = plant.word("alternative calendar")
    dataset.ViewPosition = plant.word("a Code String")


def _nest(dataset: Dataset, plant: _Identifiers) -> None:
    code = Dataset()
    code.CodeValue = plant.word("local Code Value")
    code.CodingSchemeDesignator = plant.word("local scheme")
    code.CodeMeaning = plant.word("Code Meaning")
    known = Dataset()
    known.CodeValue, known.CodingSchemeDesignator = "51185008", "SCT"
    known.CodeMeaning = f"Chest {plant.word('meaning of a known code')}"
    dataset.ProcedureCodeSequence = Sequence([code, known])
    equipment = Dataset()
    equipment.Manufacturer = "SIEMENS"
    equipment.InstitutionName = plant.word("institution in an unlisted sequence")
    equipment.StationName = plant.word("station in an unlisted sequence")
    equipment.ContributionDescription = plant.word("contribution")
    dataset.ContributingEquipmentSequence = Sequence([equipment])
    _nest_hidden(dataset, plant)


def _nest_hidden(dataset: Dataset, plant: _Identifiers) -> None:
    icon = Dataset()
    icon.Rows = icon.Columns = 2
    icon.PixelData = plant.word("icon image").encode()
    icon["PixelData"].VR = "OB"
    dataset.IconImageSequence = Sequence([icon])
    original = Dataset()
    original.ModifiedAttributesSequence = Sequence([Dataset()])
    original.ModifiedAttributesSequence[0].PatientID = plant.word("original attribute")
    dataset.OriginalAttributesSequence = Sequence([original])
    deep = Dataset()
    deep.PatientComments = plant.word("four sequences deep")
    for keyword in (
        "ContributingSourcesSequence",
        "ReferencedSeriesSequence",
        "ProtocolContextSequence",
    ):
        outer = Dataset()
        setattr(outer, keyword, Sequence([deep]))
        deep = outer
    dataset.ScheduledProtocolCodeSequence = Sequence([deep])
    other = Dataset()
    other.PatientID = plant.word("other patient ID item")
    dataset.OtherPatientIDsSequence = Sequence([other])
    annotation = Dataset()
    annotation.UnformattedTextValue = plant.word("waveform annotation")
    dataset.WaveformAnnotationSequence = Sequence([annotation])
    signature = Dataset()
    signature.CertificateOfSigner = plant.word("signature").encode()
    dataset.DigitalSignaturesSequence = Sequence([signature])
    mac = Dataset()
    mac.MACAlgorithm = plant.word("MAC parameters")
    dataset.MACParametersSequence = Sequence([mac])


def _hide(dataset: Dataset, plant: _Identifiers) -> None:
    """Where only an allow-list helps."""
    word = plant.word
    block = dataset.private_block(0x0029, "SITE " + word("private creator"), create=True)
    block.add_new(0x10, "LO", word("private text"))
    inner = Dataset()
    inner.PatientName = word("name in a private sequence")
    block.add_new(0x11, "SQ", Sequence([inner]))
    unknown = {
        "unknown even element": (0x00189F99, "LO"),
        "unknown even group": (0x0A0A0010, "LO"),
        "retired group": (0x40000010, "LT"),
        "retired text": (0x40084000, "ST"),
        "curve label": (0x50002500, "LO"),
        "curve description": (0x50000022, "LO"),
        "overlay description": (0x60000022, "LO"),
        "overlay label": (0x60001500, "LO"),
        "overlay comments": (0x60004000, "LT"),
        "a number that is none": (0x00180095, "DS"),
        "a date that is none": (0x00080025, "DA"),
    }
    for place, (tag, vr) in unknown.items():
        element = DataElement(tag, "LO" if vr in ("DS", "DA") else vr, word(place))
        dataset[tag] = element
    dataset[0x60003000] = DataElement(0x60003000, "OB", word("overlay data").encode())
    dataset[0x50003000] = DataElement(0x50003000, "OB", word("curve data").encode())
    dataset[0x00189F98] = DataElement(0x00189F98, "UN", word("unknown VR").encode())
    dataset[0x00190010] = DataElement(0x00190010, "LO", word("orphaned private creator"))
    dataset[0x600E0102] = DataElement(0x600E0102, "US", 12)
    dataset[0x600E0100] = DataElement(0x600E0100, "US", 16)
