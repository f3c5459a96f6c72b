# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers that are made standard before Orthanc stores them."""

from __future__ import annotations

import io
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deid import Deidentifier
from inference.contract import AnatomyAnswer, AnatomyVote
from plugin.arrival.admission import Admission
from plugin.arrival.passing import AsItCameError, HeaderDoor, PassingInstances
from plugin.arrival.protocol import Kind
from plugin.arrival.service import ArrivalService
from plugin.arrival.standardizing import HeaderDesk
from plugin.configuration.deidentification import DeidentificationSection
from plugin.configuration.standard_entries import read_standard_entries
from plugin.configuration.standardization import StandardizationSection
from plugin.gate import AnatomyGate, InferenceUnavailableError
from plugin.queue import QueueError
from plugin.results.private import PrivateElement, mark
from plugin.site_key import SiteKey
from plugin.standardization.arriving import ArrivingHeaders
from plugin.standardization.incoming import as_it_came, changed_on_arrival
from plugin.standardization.settled import SettledHeaders
from tests.deid.made_scans import KEY, PIPELINE, ROOT, ct, file_of
from tests.plugin.arrival.faulty import TOKEN, Answer, answering, raw, whole
from tests.plugin.web.fake_archive import CHEST
from tests.plugin.web.fake_archive import HEAD as BY_TAG_ALONE

SKULL = {
    "BodyPartExamined": "KNEE",
    "SeriesDescription": "HEAD NATIV",
    "StudyDescription": "HEAD",
    "StudyDate": "20240229",
    "InstitutionName": "Hospital Doe",
}
HEADERS = Deidentifier(KEY, PIPELINE)
ALL_THREE = ("BodyPartExamined", "SeriesDescription", "StudyDescription")


def said_by_study(answer: AnatomyAnswer, *regions: Any) -> AnatomyAnswer:
    """An answer to a header whose Study Description names these regions."""
    vote = AnatomyVote(attribute="StudyDescription", regions=regions, weight=0.7)
    others = [one for one in answer.votes if one.attribute != vote.attribute]
    return answer.model_copy(update={"votes": (*others, vote)})


HEAD = said_by_study(BY_TAG_ALONE, "head")


class Brain:
    """Recognizes what it is told, and counts how often it is asked."""

    def __init__(self, answer: AnatomyAnswer = HEAD) -> None:
        self.answer, self.asked, self.fails = answer, 0, False
        self.seen: list[dict[str, Any]] = []

    def recognize_anatomy(self, header: dict[str, Any]) -> AnatomyAnswer:
        self.asked += 1
        self.seen.append(header)
        if self.fails:
            raise InferenceUnavailableError("inference did not answer in time")
        return self.answer

    def recognize_pixels(self, instances: Any) -> Any:
        raise AssertionError("no pixels are shown at arrival")


def headers(folder: Path, brain: Brain, *, originals: bool = True, **section: Any) -> Any:
    return ArrivingHeaders(
        AnatomyGate(brain),
        StandardizationSection(**{"mode": "arrival", "arrival_attributes": ALL_THREE} | section),
        read_standard_entries(section.pop("table", "")),
        SettledHeaders(folder / "standard_headers.sqlite"),
        originals=originals,
    )


def desk(folder: Path, brain: Brain, **section: Any) -> HeaderDesk:
    return HeaderDesk(headers(folder, brain, **section), lambda: HEADERS)


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def changed(desk: HeaderDesk, **attributes: Any) -> Dataset:
    kind, content = desk.rule(file_of(ct(**(SKULL | attributes))))
    assert kind is Kind.STANDARD, content
    return read(content)


def test_the_stored_header_is_standard_and_says_what_stood_there(tmp_path: Path) -> None:
    stored = changed(desk(tmp_path, Brain()))
    assert stored.BodyPartExamined == "HEAD"
    assert stored.StudyDescription == "CT HEAD"
    assert stored.SeriesDescription == "HEAD NATIV"
    (item,) = stored.OriginalAttributesSequence
    (before,) = item.ModifiedAttributesSequence
    assert (before.BodyPartExamined, before.StudyDescription) == ("KNEE", "HEAD")
    assert "SeriesDescription" not in before
    assert item.ReasonForTheAttributeModification == "CORRECT"
    assert item.SourceOfPreviousValues == "Hospital Doe"
    assert item.ModifyingSystem.startswith("Sidelight ")
    assert item.AttributeModificationDateTime.startswith("20")


def test_nothing_else_changes_above_all_no_uid(tmp_path: Path) -> None:
    original = ct(**SKULL, PixelData=bytes(range(8)), Rows=2, Columns=2, BitsAllocated=16)
    _, content = desk(tmp_path, Brain()).rule(file_of(original))
    stored = read(content)
    assert stored.file_meta.MediaStorageSOPInstanceUID == original.SOPInstanceUID
    touched = {"BodyPartExamined", "StudyDescription", "OriginalAttributesSequence"}
    for element in original:
        if element.keyword not in touched:
            assert stored[element.tag].value == element.value
    assert {e.keyword for e in stored} - {e.keyword for e in original} == {
        "OriginalAttributesSequence"
    }


def test_a_long_loop_is_there_once_more_and_not_several_times(tmp_path: Path) -> None:
    frames = ct(**SKULL, PixelData=bytes(32 << 20), Rows=64, Columns=64, BitsAllocated=16)
    received = file_of(frames)
    ready = desk(tmp_path, Brain())
    ready.prepare()
    tracemalloc.start()
    kind, content = ready.rule(received)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kind is Kind.STANDARD
    assert peak < 1.3 * len(content)


def test_pixels_and_what_follows_them_are_the_bytes_that_came(tmp_path: Path) -> None:
    original = ct(**SKULL, PixelData=bytes(range(8)), Rows=2, Columns=2, BitsAllocated=16)
    original.DataSetTrailingPadding = b"\0\7" * 3
    received = file_of(original)
    _, content = desk(tmp_path, Brain()).rule(received)
    at = received.index(b"\xe0\x7f\x10\x00OW")
    assert content.endswith(received[at:])
    assert content.count(b"\xe0\x7f\x10\x00OW") == 1


def test_a_deflated_file_is_written_anew_as_a_whole(tmp_path: Path) -> None:
    original = ct(**SKULL, PixelData=bytes(range(8)), Rows=2, Columns=2, BitsAllocated=16)
    received = file_of(original, DeflatedExplicitVRLittleEndian)
    kind, content = desk(tmp_path, Brain()).rule(received)
    assert kind is Kind.STANDARD
    stored = read(content)
    assert (stored.BodyPartExamined, stored.PixelData) == ("HEAD", bytes(range(8)))


def test_pixels_of_a_file_that_is_written_otherwise_than_it_says_stay_the_same(
    tmp_path: Path,
) -> None:
    pixels = bytes(range(128))
    original = ct(**SKULL, PixelData=pixels, Rows=8, Columns=8, BitsAllocated=16)
    explicit, implicit = file_of(original), file_of(original, ImplicitVRLittleEndian)
    for says, written in ((implicit, explicit), (explicit, implicit)):
        received = says[: header_begins(says)] + written[header_begins(written) :]
        kind, content = desk(tmp_path, Brain()).rule(received)
        assert kind is Kind.REFUSE or read(content).PixelData == pixels
    only_pixels = explicit.index(b"\xe0\x7f\x10\x00OW"), implicit.rindex(b"\xe0\x7f\x10\x00")
    mixed = implicit[: only_pixels[1]] + explicit[only_pixels[0] :]
    kind, content = desk(tmp_path, Brain()).rule(mixed)
    assert kind is Kind.REFUSE or read(content).PixelData == read(mixed).PixelData


def header_begins(file: bytes) -> int:
    """Where the data set of a file begins, behind its File Meta Information (PS3.10 7.1)."""
    return 144 + int.from_bytes(file[140:144], "little")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_an_attribute_that_follows_the_pixels_is_not_there_twice(
    tmp_path: Path, syntax: str
) -> None:
    pixels = bytes(range(128))
    image = ct(**SKULL, PixelData=pixels, Rows=8, Columns=8, BitsAllocated=16)
    sorted_, without = file_of(image, syntax), file_of(drop(image, "BodyPartExamined"), syntax)
    at = sorted_.index(b"\x18\x00\x15\x00")
    received = without + sorted_[at : at + 8 + len("KNEE")]
    kind, content = desk(tmp_path, Brain()).rule(received)
    stored = read(content)
    assert (kind, stored.BodyPartExamined, stored.PixelData) == (Kind.STANDARD, "HEAD", pixels)
    (item,) = stored.OriginalAttributesSequence
    assert item.ModifiedAttributesSequence[0].BodyPartExamined == "KNEE"
    assert content.rindex(b"\x18\x00\x15\x00") < content.rindex(b"\xe0\x7f\x10\x00")


def drop(dataset: Dataset, keyword: str) -> Dataset:
    delattr(dataset, keyword)
    return dataset


@pytest.mark.parametrize(
    ("said", "reason"), [("KNEE", "CORRECT"), ("head", "COERCE"), ("", "COERCE")]
)
def test_a_wrong_part_is_corrected_and_another_spelling_coerced(
    tmp_path: Path, said: str, reason: str
) -> None:
    (item,) = changed(desk(tmp_path, Brain()), BodyPartExamined=said).OriginalAttributesSequence
    assert item.ReasonForTheAttributeModification == reason


def test_what_is_standard_already_is_stored_byte_by_byte_as_it_came(tmp_path: Path) -> None:
    standard = {"BodyPartExamined": "HEAD", "StudyDescription": "CT HEAD"}
    assert desk(tmp_path, Brain()).rule(file_of(ct(**(SKULL | standard)))) == (Kind.KEEP, b"")


def test_a_changed_instance_that_comes_back_is_not_changed_again(tmp_path: Path) -> None:
    kind, content = desk(tmp_path, Brain()).rule(file_of(ct(**SKULL)))
    assert kind is Kind.STANDARD
    assert desk(tmp_path, Brain()).rule(content) == (Kind.KEEP, b"")


def test_an_unsure_anatomy_changes_nothing_but_spellings(tmp_path: Path) -> None:
    unsure = Brain(HEAD.model_copy(update={"confidence": 0.79}))
    assert desk(tmp_path, unsure).rule(file_of(ct(**SKULL)))[0] is Kind.KEEP
    one = desk(tmp_path / "other", unsure)
    (tmp_path / "other").mkdir()
    assert changed(one, BodyPartExamined="THORAX").BodyPartExamined == "CHEST"


def test_only_configured_attributes_change(tmp_path: Path) -> None:
    one = desk(tmp_path, Brain(), arrival_attributes=("BodyPartExamined",))
    stored = changed(one)
    assert (stored.BodyPartExamined, stored.StudyDescription) == ("HEAD", "HEAD")


def test_inference_sees_headers_without_identity(tmp_path: Path) -> None:
    brain = Brain()
    desk(tmp_path, brain).rule(file_of(ct(**SKULL)))
    (seen,) = brain.seen
    assert "Doe" not in str(seen)
    assert "4711" not in str(seen)


def test_slices_of_a_series_are_asked_about_once_and_agree(tmp_path: Path) -> None:
    brain = Brain()
    one = desk(tmp_path, brain)
    for number in range(5):
        stored = changed(one, SOPInstanceUID=f"{ROOT}.3.{number}", SliceThickness=number + 1)
        assert stored.BodyPartExamined == "HEAD"
    assert brain.asked == 1
    # What was settled outlives the process, also where the next slice would be judged otherwise.
    again = desk(tmp_path, Brain(CHEST.model_copy(update={"modality": "CT"})))
    assert changed(again, SeriesDescription="x").BodyPartExamined == "HEAD"


def test_the_first_series_settles_the_study_description(tmp_path: Path) -> None:
    brain = Brain()
    one = desk(tmp_path, brain)
    changed(one)
    chest = {"regions": ("chest",), "body_part_examined": "CHEST"}
    brain.answer = said_by_study(HEAD.model_copy(update=chest), "head")
    stored = changed(one, SeriesInstanceUID=f"{ROOT}.2.2", SeriesDescription="CHEST NATIV")
    assert (stored.BodyPartExamined, stored.StudyDescription) == ("CHEST", "CT HEAD")


def test_the_study_description_stays_unless_the_site_asks_for_it(tmp_path: Path) -> None:
    default = StandardizationSection().arrival_attributes
    assert default == ("BodyPartExamined", "SeriesDescription")
    assert changed(desk(tmp_path, Brain(), arrival_attributes=default)).StudyDescription == "HEAD"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("CT Chest Abdomen Pelvis", said_by_study(HEAD, "chest", "abdomen", "pelvis")),
        ("CT Polytrauma", said_by_study(HEAD, "whole body")),
        ("CT with contrast", BY_TAG_ALONE),
        ("", BY_TAG_ALONE),
        ("PET/CT Head FDG", HEAD),
        ("CT skull base", HEAD.model_copy(update={"body_part_examined": "BRAIN"})),
    ],
)
def test_a_study_description_that_one_series_can_not_stand_for_stays(
    tmp_path: Path, words: str, answer: AnatomyAnswer
) -> None:
    one = desk(tmp_path, Brain(answer))
    for number in range(2):
        uids = {"SeriesInstanceUID": f"{ROOT}.2.{number}"}
        stored = changed(one, StudyDescription=words, BodyPartExamined="KNEE", **uids)
        assert stored.StudyDescription == words
        assert stored.BodyPartExamined == answer.body_part_examined


def test_a_settled_study_description_overrules_no_other_words_and_no_other_modality(
    tmp_path: Path,
) -> None:
    brain = Brain()
    one = desk(tmp_path, brain)
    assert changed(one).StudyDescription == "CT HEAD"
    brain.answer = said_by_study(HEAD, "head", "neck")
    other = {"SeriesInstanceUID": f"{ROOT}.2.2", "StudyDescription": "HEAD AND NECK"}
    assert changed(one, **other).StudyDescription == "HEAD AND NECK"
    brain.answer = said_by_study(CHEST, "head")
    other = {"SeriesInstanceUID": f"{ROOT}.2.3", "Modality": "CR"}
    assert changed(one, **other).StudyDescription == "HEAD"


def test_a_rule_in_the_words_of_the_site_needs_no_term(tmp_path: Path) -> None:
    table = tmp_path / "mine.toml"
    table.write_text('[[rule]]\nname = "head"\nstudy_description = "SKULL"\n', encoding="utf-8")
    brain = HEAD.model_copy(update={"body_part_examined": "BRAIN"})
    assert changed(desk(tmp_path, Brain(brain), table=str(table))).StudyDescription == "SKULL"


def test_a_spelling_of_the_table_holds_for_a_study_whatever_one_series_shows(
    tmp_path: Path,
) -> None:
    table = tmp_path / "mine.toml"
    table.write_text(
        '[[rule]]\nname = "any"\nstudy_description = "{modality} {body_part}"\n'
        '[[spelling]]\nkeyword = "StudyDescription"\nfound = ["CT CAP"]\nstandard = "CT TRUNK"\n',
        encoding="utf-8",
    )
    brain = Brain(said_by_study(HEAD, "chest", "abdomen", "pelvis"))
    stored = changed(desk(tmp_path, brain, table=str(table)), StudyDescription="ct cap")
    assert stored.StudyDescription == "CT TRUNK"


def test_a_description_that_named_other_regions_is_replaced_as_wrong(tmp_path: Path) -> None:
    vote = AnatomyVote(attribute="SeriesDescription", regions=("lower limb",), weight=0.7)
    brain = Brain(CHEST.model_copy(update={"votes": (*CHEST.votes, vote)}))
    stored = changed(
        desk(tmp_path, brain),
        SOPClassUID=DigitalXRayImageStorageForPresentation,
        Modality="DX",
        BodyPartExamined="CHEST",
        SeriesDescription="Knee",
    )
    (item,) = stored.OriginalAttributesSequence
    assert item.ReasonForTheAttributeModification == "CORRECT"


def test_a_settled_part_is_a_correction_too_where_a_later_slice_named_another(
    tmp_path: Path,
) -> None:
    one = desk(tmp_path, Brain())
    changed(one, BodyPartExamined="head")
    brain = Brain(HEAD.model_copy(update={"confidence": 0.5}))
    slice_2 = changed(desk(tmp_path, brain), BodyPartExamined="KNEE", SOPInstanceUID=f"{ROOT}.3.9")
    (item,) = slice_2.OriginalAttributesSequence
    assert item.ReasonForTheAttributeModification == "CORRECT"


def test_images_of_one_series_are_named_one_by_one(tmp_path: Path) -> None:
    brain = Brain(CHEST)
    one = desk(tmp_path, brain)
    dx = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "Modality": "DX",
        "ViewPosition": "PA",
    }
    assert changed(one, **dx).SeriesDescription == "CR CHEST PA"
    brain.answer = CHEST.model_copy(update={"view": "LL"})
    assert changed(one, **(dx | {"ViewPosition": "LL"})).SeriesDescription == "CR CHEST LL"
    assert changed(one, **dx).SeriesDescription == "CR CHEST PA"
    assert brain.asked == 2


def test_patients_whose_headers_say_the_same_are_asked_about_once(tmp_path: Path) -> None:
    brain = Brain()
    one = desk(tmp_path, brain)
    for number in range(5):
        uids = dict.fromkeys(("SeriesInstanceUID", "StudyInstanceUID"), f"{ROOT}.9.{number}")
        assert changed(one, PatientID=str(number), **uids).StudyDescription == "CT HEAD"
    assert brain.asked == 1


def code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def frames_of(*regions: Dataset) -> list[Dataset]:
    """Functional groups of frames, each at a place of its own."""
    groups = []
    for number, region in enumerate(regions):
        group, anatomy, content = Dataset(), Dataset(), Dataset()
        anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = [region], "U"
        content.FrameAcquisitionNumber = number
        group.FrameAnatomySequence, group.FrameContentSequence = [anatomy], [content]
        groups.append(group)
    return groups


def specimen_of(structure: Dataset, identifier: str) -> Dataset:
    specimen = Dataset()
    specimen.SpecimenIdentifier = identifier
    specimen.PrimaryAnatomicStructureSequence = [structure]
    return specimen


def test_images_whose_frames_specimens_or_types_show_something_else_are_asked_about_each(
    tmp_path: Path,
) -> None:
    head, knee = code("69536005", "Head"), code("72696002", "Knee")
    told: list[dict[str, Any]] = [
        {"PerFrameFunctionalGroupsSequence": frames_of(head, head)},
        {"PerFrameFunctionalGroupsSequence": frames_of(head, knee)},
        {"SpecimenDescriptionSequence": [specimen_of(head, "1")]},
        {"SpecimenDescriptionSequence": [specimen_of(knee, "1")]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "ABDOMINAL"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "THYROID"]},
    ]
    brain = Brain()
    one = desk(tmp_path, brain)
    for number, attributes in enumerate(told):
        same = {"SOPClassUID": DigitalXRayImageStorageForPresentation, "Modality": "DX"}
        for image in range(2):
            uid = f"{ROOT}.{number}.{image}"
            changed(one, **same, **attributes, SeriesInstanceUID=uid, StudyInstanceUID=uid)
        assert brain.asked == number + 1


def test_specimens_of_the_same_anatomy_are_asked_about_once(tmp_path: Path) -> None:
    brain = Brain()
    one = desk(tmp_path, brain)
    for identifier in ("1", "2"):
        specimens = [specimen_of(code("41216001", "Prostate"), identifier)]
        changed(one, SpecimenDescriptionSequence=specimens, StudyInstanceUID=f"{ROOT}.{identifier}")
    assert brain.asked == 1


def test_where_inference_is_silent_the_series_stays_as_it_came_and_nobody_waits_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brain = Brain()
    brain.fails = True
    one = desk(tmp_path, brain)
    kind, why = one.rule(file_of(ct(**SKULL)))
    assert (kind, brain.asked) == (Kind.REFUSE, 1)
    assert b"inference did not answer" in why
    other = file_of(ct(**(SKULL | {"SeriesInstanceUID": f"{ROOT}.2.9"})))
    assert one.rule(other)[0] is Kind.REFUSE
    assert brain.asked == 1
    # Half a series that says one thing and half that says another helps nobody.
    assert desk(tmp_path, Brain()).rule(file_of(ct(**SKULL)))[0] is Kind.KEEP
    later = time.time() + 3601
    monkeypatch.setattr(time, "time", lambda: later)
    assert desk(tmp_path, Brain()).rule(file_of(ct(**SKULL)))[0] is Kind.STANDARD


@pytest.mark.parametrize(
    "file", [b"", b"no DICOM", file_of(ct())[:-5], b"\0" * 128 + b"DICM" + b"\1" * 40]
)
def test_what_can_not_be_read_is_left_as_it_came(tmp_path: Path, file: bytes) -> None:
    kind, why = desk(tmp_path, Brain()).rule(file)
    assert kind in (Kind.REFUSE, Kind.KEEP)
    assert b"Doe" not in why


def test_reports_and_sidelights_own_objects_are_left_as_they_are(tmp_path: Path) -> None:
    brain = Brain()
    own = ct(**SKULL)
    mark(own, {PrivateElement.MODEL: "head"})
    report = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR")
    card = ct(**SKULL, SOPClassUID="1.3.46.670589.11.0.0.12.2", Modality="MR")
    for dataset in (own, report, card):
        assert desk(tmp_path, brain).rule(file_of(dataset)) == (Kind.KEEP, b"")
    assert brain.asked == 0


@pytest.mark.parametrize(
    "said", [{"PatientSpeciesDescription": "Canine"}, {"QualityControlImage": "YES"}]
)
def test_animals_and_quality_control_are_stored_as_they_came(
    tmp_path: Path, said: dict[str, str]
) -> None:
    brain = Brain()
    kind, _ = desk(tmp_path, brain).rule(file_of(ct(**(SKULL | said))))
    assert (kind, brain.asked) == (Kind.KEEP, 0)


def test_a_file_of_settled_headers_that_can_not_be_written_costs_the_standard_only(
    tmp_path: Path,
) -> None:
    kind, why = desk(tmp_path / "nowhere", Brain()).rule(file_of(ct(**SKULL)))
    assert kind is Kind.REFUSE
    assert QueueError.__name__.encode() in why


# -- with de-identification -----------------------------------------------------------------------


UNSEEN = {"pixel_text": "leave"}
"""No pixel is looked at, so that what says that text is burned in is refused."""


def admission(data: Path, brain: Brain, **section: Any) -> Admission:
    return Admission(
        SiteKey.of(str(data / "key"), data),
        DeidentificationSection(**section),
        headers=headers(data, brain, originals=False),
    )


def test_a_deidentified_header_is_standard_and_keeps_deidentified_values_on_record(
    tmp_path: Path,
) -> None:
    secret = {"StudyDescription": "HEAD Doe^Jane 4711", "SeriesDescription": "HEAD NATIV"}
    kind, content = admission(tmp_path, Brain()).rule(file_of(ct(**(SKULL | secret))))
    assert kind is Kind.STANDARD
    stored = read(content)
    assert (stored.BodyPartExamined, stored.StudyDescription) == ("HEAD", "CT HEAD")
    assert stored.PatientIdentityRemoved == "YES"
    for secret_word in (b"Doe", b"4711", b"Hospital"):
        assert secret_word not in content
    (item,) = stored.OriginalAttributesSequence
    (before,) = item.ModifiedAttributesSequence
    assert before.BodyPartExamined == "KNEE"
    assert "Doe" not in str(before)
    assert item.ReasonForTheAttributeModification == "CORRECT"


def test_the_time_of_the_change_moves_with_the_dates_of_the_patient(tmp_path: Path) -> None:
    plain = Admission(SiteKey.of(str(tmp_path / "key"), tmp_path), DeidentificationSection()).rule(
        file_of(ct(**SKULL))
    )[1]
    stored = read(admission(tmp_path, Brain()).rule(file_of(ct(**SKULL)))[1])
    moment = stored.OriginalAttributesSequence[0].AttributeModificationDateTime
    assert stored.StudyDate == read(plain).StudyDate != "20240229"
    assert not str(moment).startswith(time.strftime("%Y%m%d"))
    undated = admission(tmp_path, Brain(), options=()).rule(file_of(ct(**SKULL)))[1]
    item = read(undated).OriginalAttributesSequence[0]
    assert item.AttributeModificationDateTime == "19000101000000"


def test_the_seal_covers_the_standard_header_so_that_it_passes_once_more(tmp_path: Path) -> None:
    rules = admission(tmp_path, Brain(), **UNSEEN)
    _, content = rules.rule(file_of(ct(**SKULL, PixelData=bytes(8), Rows=2, Columns=2)))
    kind, again = rules.rule(content)
    assert (kind, again) == (Kind.STORE, content)
    # The workers' deidentifier knows nothing of standard headers, and admits it all the same.
    plain = Admission(
        SiteKey.of(str(tmp_path / "key"), tmp_path), DeidentificationSection(**UNSEEN)
    )
    assert plain.rule(content) == (Kind.STORE, content)


def test_where_the_standard_fails_the_instance_is_deidentified_all_the_same(
    tmp_path: Path,
) -> None:
    brain = Brain()
    brain.fails = True
    kind, content = admission(tmp_path, brain).rule(file_of(ct(**SKULL)))
    assert kind is Kind.STORE
    assert read(content).BodyPartExamined == "KNEE"
    assert b"Doe" not in content
    rules = admission(tmp_path, Brain())
    rules._stage.apply = lambda _instance: 1 / 0  # type: ignore[method-assign, assignment]
    assert rules.rule(file_of(ct(**SKULL)))[0] is Kind.REFUSE  # broken for good: closed


def test_what_can_not_be_deidentified_is_refused_though_its_header_could_be_standard(
    tmp_path: Path,
) -> None:
    burned = file_of(ct(**SKULL, BurnedInAnnotation="YES"))
    assert admission(tmp_path, Brain(), **UNSEEN).rule(burned)[0] is Kind.REFUSE


def test_what_is_refused_decides_nothing_about_the_rest_of_its_study(tmp_path: Path) -> None:
    brain = Brain()
    rules = admission(tmp_path, brain, **UNSEEN)
    series = {"SeriesInstanceUID": f"{ROOT}.2.77"}
    burned = file_of(ct(**(SKULL | series), BurnedInAnnotation="YES"))
    assert rules.rule(burned)[0] is Kind.REFUSE
    assert brain.asked == 0
    chest = {"regions": ("chest",), "body_part_examined": "CHEST"}
    brain.answer = said_by_study(HEAD.model_copy(update=chest), "chest")
    kind, content = rules.rule(file_of(ct(**(SKULL | {"SeriesDescription": "CHEST NATIV"}))))
    assert kind is Kind.STANDARD
    assert read(content).StudyDescription == "CT CHEST"
    # Nor is anybody asked about what has its standard header and its seal.
    assert rules.rule(content) == (Kind.STORE, content)
    assert brain.asked == 1


# -- Orthanc's side -------------------------------------------------------------------------------

ORIGINAL = file_of(ct(**SKULL))


def hook(path: str, seconds: float = 2.0, megabytes: int = 1) -> PassingInstances:
    return PassingInstances(HeaderDoor(path, TOKEN, seconds, megabytes).stored_for, print)


def test_over_the_socket_a_standard_header_comes_back(tmp_path: Path) -> None:
    service = ArrivalService(desk(tmp_path, Brain()), TOKEN, 5.0, 1 << 20)
    path = str(tmp_path / "s")
    threading.Thread(target=service.serve_forever, args=(path,), daemon=True).start()
    while not Path(path).exists():
        time.sleep(0.01)
    passing = hook(path)
    stored = passing.on_received_instance(ORIGINAL)
    assert read(stored).BodyPartExamined == "HEAD"
    assert passing.on_received_instance(stored) is stored
    assert passing.status()["changed"] == passing.status()["nothing_to_change"] == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (whole(Kind.REFUSE, b"anatomy is not known"), "anatomy is not known"),
        (whole(Kind.REFUSE, b"\xff\x00 said"), "? said"),
        (whole(Kind.STANDARD, b"no DICOM file at all" * 20), "no DICOM file"),
        (whole(Kind.STANDARD, b""), "no DICOM file"),
        (whole(Kind.STANDARD, ORIGINAL, b"a token of somebody else"), "token"),
        (raw(b""), "ends too early"),
        (lambda _c, _a: time.sleep(1.0), "in time"),
    ],
)
def test_any_other_answer_stores_what_came(tmp_path: Path, answer: Answer, reason: str) -> None:
    with answering(tmp_path / "s", answer) as path:
        passing = hook(path, seconds=0.4)
        assert passing.on_received_instance(ORIGINAL) is ORIGINAL
    assert reason in str(passing.status()["last_reason"])
    assert passing.status()["as_they_came"] == 1


def test_without_a_process_or_beyond_the_limit_what_came_is_stored(tmp_path: Path) -> None:
    lines: list[str] = []
    door = HeaderDoor(str(tmp_path / "nobody"), TOKEN, 1.0, 1)
    passing = PassingInstances(door.stored_for, lines.append)
    for file in (ORIGINAL, bytes((1 << 20) + 1), ORIGINAL):
        assert passing.on_received_instance(file) is file
    assert passing.status()["as_they_came"] == 3
    assert len(lines) == 1
    with pytest.raises(AsItCameError, match="MaximumMegabytes"):
        door.stored_for(bytes((1 << 20) + 1))


# -- and afterwards -------------------------------------------------------------------------------


def test_whoever_recognizes_it_later_reads_the_header_as_it_came(tmp_path: Path) -> None:
    original = ct(**{**SKULL, "StudyDescription": None})
    _, content = desk(tmp_path, Brain()).rule(file_of(original))
    stored = read(content)
    said = changed_on_arrival(stored)
    assert said is not None
    assert (said.keywords, said.reason) == (("BodyPartExamined", "StudyDescription"), "CORRECT")
    came = as_it_came(stored)
    assert came is not None
    assert {e.tag: e.value for e in came} == {e.tag: e.value for e in original}
    assert as_it_came(original) is None
    assert changed_on_arrival(original) is None


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize(
    "absent", [("StudyDescription",), ("BodyPartExamined", "StudyDescription")]
)
def test_that_holds_in_every_transfer_syntax(
    tmp_path: Path, syntax: UID, absent: tuple[str, ...]
) -> None:
    """Private attributes in implicit VR are read as bytes."""
    original = ct(**(SKULL | dict.fromkeys(absent)))
    received = file_of(original, syntax)
    kind, content = desk(tmp_path, Brain()).rule(received)
    assert kind is Kind.STANDARD
    stored = read(content)
    said = changed_on_arrival(stored)
    assert said is not None
    assert said.keywords == ("BodyPartExamined", "StudyDescription")
    came = as_it_came(stored)
    assert came is not None
    assert {e.tag: e.value for e in came} == {e.tag: e.value for e in read(received)}


@pytest.mark.parametrize("said", ["knee", "Sch\xe4del", "KNEE/LEG" * 4])
def test_a_value_that_breaks_its_vr_is_on_record_and_put_back_too(
    tmp_path: Path, said: str
) -> None:
    original = file_of(ct(**(SKULL | {"BodyPartExamined": said})))
    _, content = desk(tmp_path, Brain()).rule(original)
    stored = read(content)
    changes = changed_on_arrival(stored)
    assert changes is not None
    assert changes.keywords == ("BodyPartExamined", "StudyDescription")
    (kept,) = stored.OriginalAttributesSequence[0].NonconformingModifiedAttributesSequence
    assert kept.NonconformingDataElementValue in original
    came = as_it_came(stored)
    assert came is not None
    assert came.BodyPartExamined == said


def test_bytes_that_the_declared_character_set_can_not_be_are_kept_as_they_were(
    tmp_path: Path,
) -> None:
    words = ct(**(SKULL | {"StudyDescription": "SCHXDEL", "SpecificCharacterSet": "ISO_IR 192"}))
    kind, content = desk(tmp_path, Brain()).rule(file_of(words).replace(b"SCHXDEL", b"SCH\xc4DEL"))
    assert kind is Kind.STANDARD
    assert b"SCH\xc4DEL" in content
    assert "SCH" in str(as_it_came(read(content)).StudyDescription)  # type: ignore[union-attr]


def test_a_side_that_a_later_slice_names_stays(tmp_path: Path) -> None:
    one = desk(tmp_path, Brain())
    assert "Laterality" not in changed(one, Laterality="")
    assert changed(one, Laterality="L", SOPInstanceUID=f"{ROOT}.3.9").Laterality == "L"


def test_the_same_holds_where_it_was_deidentified(tmp_path: Path) -> None:
    original = file_of(ct(**{**SKULL, "StudyDescription": None}))
    plain = Admission(
        SiteKey.of(str(tmp_path / "key"), tmp_path), DeidentificationSection(**UNSEEN)
    )
    before = read(plain.rule(original)[1])
    came = as_it_came(read(admission(tmp_path, Brain()).rule(original)[1]))
    assert came is not None
    without_seal = {0x00120063}
    assert {e.tag: e.value for e in came if e.tag not in without_seal} == {
        e.tag: e.value for e in before if e.tag not in without_seal
    }
