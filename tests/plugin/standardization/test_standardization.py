# SPDX-License-Identifier: AGPL-3.0-or-later
"""Standard headers: what they say, and the copy that says it without touching the original."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from inference.contract import AnatomyAnswer
from plugin.archive import NotFoundError, StoreError
from plugin.configuration import ConfigurationError
from plugin.configuration.standard_entries import read_standard_entries
from plugin.configuration.standardization import StandardizationSection
from plugin.results import is_own_object
from plugin.standardization import (
    StandardHeader,
    Standardizer,
    modified_copy,
    standard_header,
)
from plugin.standardization.copies import CopyError, copy_uids
from plugin.states import Metadata, ScanState, Status
from tests.plugin.web.fake_archive import CHEST, HEAD
from tests.shipped_files import shipped_files

CHANGES = {"BodyPartExamined": "HEAD", "SeriesDescription": "CT HEAD"}


def sample(name: str = "CT_small.dcm", **values: Any) -> bytes:
    dataset = pydicom.dcmread(str(get_testdata_file(name)))
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def entries(anatomy: AnatomyAnswer, **header: str) -> dict[str, str]:
    dataset = Dataset()
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    found = standard_header(dataset, anatomy, read_standard_entries())
    assert found is not None
    return {entry.keyword: entry.standard for entry in found.entries}


def test_a_radiograph_has_its_view_in_its_series_description() -> None:
    assert entries(CHEST.model_copy(update={"laterality": "U"})) == {
        "BodyPartExamined": "CHEST",
        "SeriesDescription": "CR CHEST PA",
        "StudyDescription": "CR CHEST",
    }


def test_a_side_is_named_and_an_unpaired_part_has_none() -> None:
    knee = CHEST.model_copy(update={"body_part_examined": "KNEE", "laterality": "L", "view": None})
    assert entries(knee)["SeriesDescription"] == "CR KNEE L"


def test_slices_keep_the_description_that_names_their_sequence() -> None:
    assert "SeriesDescription" not in entries(HEAD)


@pytest.mark.parametrize("modality", ["XA", "US", "OP", "IO", "PX", "RF", "ES", "XC"])
def test_only_radiographs_and_mammograms_get_another_description(modality: str) -> None:
    eye = CHEST.model_copy(update={"modality": modality, "body_part_examined": "EYE"})
    told = entries(eye, SeriesDescription="Fundus macula centred")
    assert told["BodyPartExamined"] == "EYE"
    assert "SeriesDescription" not in told


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "MG"])
def test_a_projection_is_named_after_what_it_shows(modality: str) -> None:
    seen = CHEST.model_copy(update={"modality": modality})
    assert entries(seen)["SeriesDescription"] == f"{modality} CHEST PA"


def test_a_composite_has_its_own_rule() -> None:
    trunk = HEAD.model_copy(update={"regions": ("abdomen", "pelvis", "chest")})
    assert entries(trunk)["StudyDescription"] == "CT CHEST ABDOMEN PELVIS"


def test_a_spelling_is_made_standard_where_the_anatomy_is_unsure() -> None:
    header = Dataset()
    header.BodyPartExamined, header.SeriesDescription = "C-Spine", "as it was"
    found = standard_header(header, None, read_standard_entries())
    assert found is not None
    assert [(e.keyword, e.standard, e.differs) for e in found.entries] == [
        ("BodyPartExamined", "CSPINE", True)
    ]
    assert found.rule == ""
    header.BodyPartExamined = "CSPINE"
    assert standard_header(header, None, read_standard_entries()) is None


def test_the_anatomy_counts_more_than_a_spelling() -> None:
    assert entries(HEAD, BodyPartExamined="THORAX")["BodyPartExamined"] == "HEAD"


def test_what_stands_there_already_does_not_differ() -> None:
    header = Dataset()
    header.BodyPartExamined = "CHEST"
    found = standard_header(header, CHEST, read_standard_entries())
    assert found is not None
    assert {e.keyword: e.differs for e in found.entries}["BodyPartExamined"] is False
    assert {e.keyword: e.differs for e in found.entries}["StudyDescription"] is True


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('series_description = "{patient}"', ["no placeholder {patient}", "view"]),
        ('series_description = "Sch\u00e4del"', ["ASCII"]),
        ('body_part_examined = "head"', ["body_part_examined"]),
        ('regions = ["knee"]', ["regions"]),
        ('series_description = "{modality:5d} X"', ["no format", "{modality}"]),
        ('series_description = "{modality!r} X"', ["no conversion"]),
        ('series_description = "{view:{laterality}}"', ["no format"]),
        ('study_description = "   "', ["blank"]),
        ('body_part_examined = "NOTAPART"', ["body_part_examined", "no such term"]),
        ('body_part_examined = "CERVICLSPINE"', ["near:"]),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, rule: str, words: list[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'[[rule]]\nname = "a"\n{rule}\n', encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_standard_entries(str(path))
    for word in ("mine.toml: rule a", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("spelling", "words"),
    [
        ('keyword = "StudyDescription"\nfound = ["  "]\nstandard = "X"', ["found", "blank"]),
        ('keyword = "StudyDescription"\nfound = ["X"]\nstandard = "   "', ["standard", "blank"]),
        ('keyword = "BodyPartExamined"\nfound = ["X"]\nstandard = "CHESST"', ["near: CHEST"]),
    ],
)
def test_a_spelling_that_would_blank_or_invent_something_is_refused(
    tmp_path: Path, spelling: str, words: list[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"[[spelling]]\n{spelling}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_standard_entries(str(path))
    for word in ("mine.toml: spelling number 1", *words):
        assert word in str(caught.value)


# -- the copy -------------------------------------------------------------------------------------


def test_the_copy_says_what_stood_there_before() -> None:
    original = sample(SeriesDescription="neuro", BodyPartExamined="SKULL")
    copy = read(modified_copy(original, CHANGES))
    (item,) = copy.OriginalAttributesSequence
    (before,) = item.ModifiedAttributesSequence
    assert (before.SeriesDescription, before.BodyPartExamined) == ("neuro", "SKULL")
    assert before.SOPInstanceUID == read(original).SOPInstanceUID
    assert before.SeriesInstanceUID == read(original).SeriesInstanceUID
    assert item.ReasonForTheAttributeModification == "COERCE"
    assert item.ModifyingSystem.startswith("Sidelight")
    assert item.SourceOfPreviousValues == ""


def test_an_attribute_that_is_new_has_no_original_value() -> None:
    original = sample()
    copy = read(modified_copy(original, CHANGES))
    before = copy.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert "BodyPartExamined" not in read(original)
    assert "BodyPartExamined" not in before


def test_a_value_that_breaks_its_vr_is_kept_as_bytes() -> None:
    dataset = read(sample())
    dataset.add_new(0x00180015, "LO", "Sch\u00e4del")
    dataset[0x00180015].VR = "CS"
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    item = read(modified_copy(buffer.getvalue(), CHANGES)).OriginalAttributesSequence[0]
    (kept,) = item.NonconformingModifiedAttributesSequence
    assert kept.SelectorAttribute == 0x00180015
    assert b"Sch" in kept.NonconformingDataElementValue
    assert len(kept.NonconformingDataElementValue) % 2 == 0


def test_earlier_changes_stay_on_record() -> None:
    first = modified_copy(sample(), {"SeriesDescription": "one"})
    second = read(modified_copy(first, {"SeriesDescription": "two"}))
    assert len(second.OriginalAttributesSequence) == 2
    last = second.OriginalAttributesSequence[1].ModifiedAttributesSequence[0]
    assert last.SeriesDescription == "one"


def test_a_signature_that_no_longer_holds_goes_on_record_too() -> None:
    signature = Dataset()
    signature.MACIDNumber = 1
    copy = read(modified_copy(sample(DigitalSignaturesSequence=[signature]), CHANGES))
    assert "DigitalSignaturesSequence" not in copy
    before = copy.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert before.DigitalSignaturesSequence[0].MACIDNumber == 1


def test_the_copy_is_ours_and_says_who_changed_it() -> None:
    copy = read(modified_copy(sample(), CHANGES))
    assert is_own_object(copy)
    equipment = copy.ContributingEquipmentSequence[-1]
    purpose = equipment.PurposeOfReferenceCodeSequence[0]
    assert purpose.CodeValue == codes.DCM.ModifyingEquipment.value == "109103"
    assert equipment.Manufacturer == "Sidelight"


def test_uids_follow_from_original_and_changes() -> None:
    original = sample()
    copy = read(modified_copy(original, CHANGES))
    assert copy_uids(original, CHANGES) == (copy.SOPInstanceUID, copy.SeriesInstanceUID)
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID
    assert copy_uids(original, {"SeriesDescription": "other"}) != copy_uids(original, CHANGES)


SAMPLES = [
    "CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm",
    "image_dfl.dcm", "color3d_jpeg_baseline.dcm", "examples_rgb_color.dcm",
    "SC_rgb_jpeg_lossy_gdcm.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_pixels_transfer_syntax_and_all_else_stay_as_they_are(name: str) -> None:
    found = shipped_files(name)
    if not found:
        pytest.skip("not installed")
    path = str(found[0])
    original = pydicom.dcmread(path)
    copy = read(modified_copy(Path(path).read_bytes(), CHANGES))
    assert copy.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    changed = {
        "BodyPartExamined", "SeriesDescription", "SOPInstanceUID", "SeriesInstanceUID",
        "OriginalAttributesSequence", "ContributingEquipmentSequence",
    }  # fmt: skip
    for element in original:
        if element.keyword not in changed:
            assert copy[element.tag].value == element.value, element.tag


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"])
def test_the_copy_has_no_fault_that_the_original_has_not(name: str, tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")

    def faults(content: bytes) -> set[str]:
        path = tmp_path / "one.dcm"
        path.write_bytes(content)
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        return {line for line in done.stderr.splitlines() if line.startswith("Error")}

    archive = FakeArchive({"a": sample(name)})
    apply(archive, head(), mode="copy")
    (copy,) = (content for name, content in archive.files.items() if name != "a")
    assert faults(copy) <= faults(archive.files["a"])


def test_an_empty_side_goes_where_the_part_has_none_and_stays_on_record() -> None:
    archive = FakeArchive({"a": sample(Laterality="")})
    apply(archive, head(), mode="copy")
    (copy,) = (read(content) for name, content in archive.files.items() if name != "a")
    assert "Laterality" not in copy
    item = copy.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert not item.Laterality
    knee = HEAD.model_copy(update={"body_part_examined": "KNEE", "regions": ("lower limb",)})
    apply(archive, head(anatomy=knee), mode="copy")
    (copy,) = (read(content) for name, content in archive.files.items() if name != "a")
    assert "Laterality" in copy


@pytest.mark.parametrize("content", [b"", b"no DICOM", b"\0" * 128 + b"DICM" + b"\1" * 40])
def test_what_is_no_dicom_is_not_copied(content: bytes) -> None:
    with pytest.raises(CopyError):
        modified_copy(content, CHANGES)


# -- in Orthanc -----------------------------------------------------------------------------------


@dataclass
class FakeArchive:
    """Files by Orthanc identifier, and metadata."""

    files: dict[str, bytes]
    metadatas: dict[tuple[str, str, int], str] = field(default_factory=dict)
    refuses: bool = False
    questions: int = 0
    fetched: list[str] = field(default_factory=list)

    def file(self, instance: str) -> bytes:
        self.fetched.append(instance)
        if instance not in self.files:
            raise NotFoundError("gone")
        return self.files[instance]

    def tags_below(self, _series: str) -> dict[str, dict[str, str]]:
        self.questions += 1
        return {
            name: {
                f"{element.tag.group:04x},{element.tag.element:04x}": str(element.value)
                for element in read(content)
                if element.VR in ("CS", "LO")
            }
            for name, content in self.files.items()
        }

    def store(self, dicom: bytes) -> str:
        if self.refuses:
            raise StoreError("Orthanc accepted the object but does not have it")
        identifier = f"copy of {read(dicom).SOPInstanceUID}"
        self.files[identifier] = dicom
        return identifier

    def find(self, level: str, query: dict[str, str], *, expand: bool) -> list[str]:
        wanted = query["SOPInstanceUID"]
        return [i for i, c in self.files.items() if read(c).SOPInstanceUID == wanted]

    def delete_instance(self, identifier: str) -> None:
        self.files.pop(identifier, None)

    def metadata(self, level: str, identifier: str, name: Metadata) -> str | None:
        return self.metadatas.get((level, identifier, name))

    def put_metadata(self, level: str, identifier: str, name: Metadata, value: str) -> None:
        self.metadatas[level, identifier, name] = value

    def delete_metadata(self, level: str, identifier: str, name: Metadata) -> None:
        self.metadatas.pop((level, identifier, name), None)


def apply(archive: FakeArchive, state: ScanState, *, whole: bool = True, **section: Any) -> None:
    chosen = StandardizationSection(**section)
    standardizer = Standardizer(archive, chosen, read_standard_entries())  # type: ignore[arg-type]
    originals = [name for name in archive.files if not name.startswith("copy of ")]
    standardizer.apply(state, read(archive.files["a"]), originals, whole=whole)


def head(**more: Any) -> ScanState:
    values = {"status": Status.NO_APPLICATION, "anatomy": HEAD, **more}
    return ScanState(level="series", resource="s", **values)


def archive_of() -> FakeArchive:
    return FakeArchive({"a": sample(BodyPartExamined="SKULL")})


def test_off_is_the_default_and_writes_nothing() -> None:
    archive = archive_of()
    apply(archive, head())
    assert archive.metadatas == {}
    assert set(archive.files) == {"a"}


def test_metadata_mode_leaves_the_files_alone() -> None:
    archive = archive_of()
    before = archive.files["a"]
    apply(archive, head(), mode="metadata")
    assert '"standard":"HEAD"' in archive.metadatas["series", "s", Metadata.STANDARD_HEADER]
    assert archive.files == {"a": before}


def test_an_animal_has_no_standard_header() -> None:
    said = {"BodyPartExamined": "THORAX", "PatientSpeciesDescription": "Canine"}
    archive = FakeArchive({"a": sample(**said)})
    apply(archive, head(anatomy=None), mode="metadata")
    assert archive.metadatas == {}


def test_a_doubtful_anatomy_standardizes_nothing_and_takes_an_older_answer_back() -> None:
    archive = archive_of()
    apply(archive, head(), mode="copy")
    assert len(archive.files) == 2
    doubt = HEAD.model_copy(update={"confidence": 0.5})
    apply(archive, head(anatomy=doubt), mode="copy")
    assert archive.metadatas == {}
    assert set(archive.files) == {"a"}


def test_a_second_run_makes_no_second_copy_and_another_answer_replaces_it() -> None:
    archive = archive_of()
    apply(archive, head(), mode="copy")
    first = set(archive.files)
    apply(archive, head(), mode="copy")
    assert set(archive.files) == first
    neck = HEAD.model_copy(update={"body_part_examined": "NECK", "regions": ("neck",)})
    apply(archive, head(anatomy=neck), mode="copy")
    assert len(archive.files) == 2
    assert set(archive.files) != first


def copies_of(archive: FakeArchive) -> list[Dataset]:
    return [read(content) for name, content in archive.files.items() if name.startswith("copy of ")]


def kept(archive: FakeArchive) -> StandardHeader:
    text = archive.metadatas["series", "s", Metadata.STANDARD_HEADER]
    return StandardHeader.model_validate_json(text)


@pytest.mark.parametrize("between", ["metadata", "arrival"])
def test_copies_stay_known_while_none_are_made_so_that_another_answer_replaces_them(
    between: str,
) -> None:
    archive = archive_of()
    apply(archive, head(), mode="copy")
    made = kept(archive).copies
    assert len(made) == 1
    apply(archive, head(), mode=between)
    assert kept(archive).copies == made
    neck = HEAD.model_copy(update={"body_part_examined": "NECK", "regions": ("neck",)})
    apply(archive, head(anatomy=neck), mode="copy")
    assert [one.BodyPartExamined for one in copies_of(archive)] == ["NECK"]


def test_copies_that_another_version_noted_are_still_replaced() -> None:
    archive = archive_of()
    apply(archive, head(), mode="copy")
    (old,) = kept(archive).copies
    archive.metadatas["series", "s", Metadata.STANDARD_HEADER] = f'{{"copies": ["{old}"]}}'
    neck = HEAD.model_copy(update={"body_part_examined": "NECK", "regions": ("neck",)})
    apply(archive, head(anatomy=neck), mode="copy")
    assert [one.BodyPartExamined for one in copies_of(archive)] == ["NECK"]


def series_of(*parts: str, **more: Any) -> FakeArchive:
    """A series of slices with these parts; the first is called a."""
    files = {
        "abcdef"[number]: sample(
            BodyPartExamined=part, SOPInstanceUID=f"1.2.{number + 1}", SeriesDescription="x", **more
        )
        for number, part in enumerate(parts)
    }
    return FakeArchive(files)


def test_a_slice_that_differs_is_copied_though_the_first_one_does_not() -> None:
    archive = series_of("HEAD", "SKULL", "HEAD")
    apply(archive, head(), mode="copy")
    (copy,) = copies_of(archive)
    (before,) = copy.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert (copy.BodyPartExamined, before.BodyPartExamined) == ("HEAD", "SKULL")
    assert {one.keyword: one.differs for one in kept(archive).entries}["BodyPartExamined"]


def test_a_spelling_of_a_later_slice_is_made_standard_where_nobody_is_sure() -> None:
    archive = series_of("CHEST", "THORAX")
    doubt = HEAD.model_copy(update={"confidence": 0.5})
    apply(archive, head(anatomy=doubt), mode="copy")
    assert [one.BodyPartExamined for one in copies_of(archive)] == ["CHEST"]
    assert [one.keyword for one in kept(archive).entries] == ["BodyPartExamined"]


def test_copies_of_one_series_share_a_series_though_their_originals_lack_different_things() -> None:
    archive = series_of("HEAD", "SKULL", "SKULL", StudyDescription="CT HEAD")
    archive.files["b"] = sample(
        BodyPartExamined="HEAD", SOPInstanceUID="1.2.9", StudyDescription="another"
    )
    both = ("BodyPartExamined", "StudyDescription")
    apply(archive, head(), mode="copy", copied_attributes=both)
    made = copies_of(archive)
    assert len(made) == 2
    assert len({one.SeriesInstanceUID for one in made}) == 1
    assert {(one.BodyPartExamined, one.StudyDescription) for one in made} == {("HEAD", "CT HEAD")}


def test_a_series_that_is_standard_as_a_whole_costs_one_question_and_no_file() -> None:
    archive = series_of("HEAD", "HEAD", "HEAD")
    apply(archive, head(), mode="copy")
    assert (copies_of(archive), archive.questions, archive.fetched) == ([], 1, [])


def test_a_slice_that_can_not_be_read_costs_its_own_copy_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = series_of("SKULL", "KNEE")
    tags = archive.tags_below("s")
    monkeypatch.setattr(archive, "tags_below", lambda _series: tags)
    archive.files["b"] = b"no DICOM"
    monkeypatch.setattr(archive, "find", lambda *_a, **_k: [])
    apply(archive, head(), mode="copy")
    assert len(kept(archive).copies) == 1


def test_a_growing_series_waits_for_its_copies() -> None:
    archive = archive_of()
    apply(archive, head(), mode="copy", whole=False)
    assert set(archive.files) == {"a"}
    assert archive.metadatas


@pytest.mark.parametrize(
    ("priority", "word"), [(0, "LOW"), (1, "ROUTINE"), (2, "HIGH"), (3, "STAT")]
)
def test_the_priority_goes_into_a_copy_where_configured(priority: int, word: str) -> None:
    archive = archive_of()
    state = head(status=Status.FINDINGS, priority=priority)
    apply(archive, state, mode="copy", copied_attributes=("RequestedProcedurePriority",))
    (copy,) = (read(content) for name, content in archive.files.items() if name != "a")
    assert copy.RequestedProcedurePriority == word
    assert copy.BodyPartExamined == "SKULL"


def test_an_orthanc_that_does_not_keep_the_copy_costs_nothing_else() -> None:
    archive = archive_of()
    archive.refuses = True
    apply(archive, head(), mode="copy")
    assert '"copies":[]' in archive.metadatas["series", "s", Metadata.STANDARD_HEADER]
