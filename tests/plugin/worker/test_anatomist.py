# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who a worker hears about the anatomy of a scan, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from deid import Deidentifier, Policy
from inference.anatomy import Header, recognize
from inference.anatomy.learned import shipped_model
from inference.anatomy.pixels.series import recognize_slices
from inference.contract import AnatomyAnswer, ModelDescription, PixelAnatomyAnswer
from plugin.anatomy.agreement import Agreement, Witness
from plugin.anatomy.records import RecognizedAnatomy
from plugin.gate import Gate, InferenceRefusedError
from plugin.queue import Job
from plugin.states import Metadata
from plugin.worker.orders import Orders
from plugin.worker.planner import ScanPlanner, scan_of
from plugin.worker.scan import Reader, Scan
from plugin.worker.slices import along, spread
from tests.deid.made_scans import KEY, PIPELINE
from tests.inference.anatomy.body_files import body_files
from tests.plugin.web.fake_archive import CHEST_MODEL, HEAD

LUNGS = CHEST_MODEL.model_copy(
    update={
        "name": "lungs",
        "works_on": "series",
        "categories": (
            CHEST_MODEL.categories[0].model_copy(update={"modalities": ("CT",), "views": ()}),
        ),
    }
)
REMOVED = {"PatientIdentityRemoved": None}


@dataclass
class Inference:
    """The service's own functions, without the service; notes what it is asked."""

    tags: AnatomyAnswer | None = None
    pixels: PixelAnatomyAnswer | None = None
    refusal: InferenceRefusedError | None = None
    without_studies: InferenceRefusedError | None = None
    shown: list[bytes] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    def recognize_anatomy(self, header: dict[str, Any]) -> AnatomyAnswer:
        return self.tags or recognize(header)

    def recognize_study(self, headers: list[dict[str, Any]]) -> list[AnatomyAnswer]:
        self.told = headers
        if self.without_studies is not None:
            raise self.without_studies
        return shipped_model().recognize_study([Header.of(header) for header in headers])

    def recognize_pixels(self, instances: list[bytes]) -> PixelAnatomyAnswer:
        self.shown = list(instances)
        if self.refusal is not None:
            raise self.refusal
        return self.pixels or recognize_slices(instances)


@dataclass
class Archive:
    """One series of a patient, and perhaps a series of an earlier study."""

    files: list[bytes]
    earlier: RecognizedAnatomy | None = None
    siblings: dict[str, RecognizedAnatomy] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)
    persons: dict[str, dict[str, str]] = field(default_factory=dict)

    def file(self, instance: str) -> bytes:
        self.fetched.append(instance)
        return self.files[int(instance[1:])]

    def study(self, _: str) -> dict[str, Any]:
        return self._study("now", "20260101")

    def series(self, _: str) -> dict[str, Any]:
        return {"ParentStudy": "now"}

    def children(self, level: str, _: str) -> list[dict[str, Any]]:
        if level == "patient":
            return [self._study("now", "20260101"), self._study("before", "20250101")]
        return [
            {"ID": f"i{n}", "MainDicomTags": {"InstanceNumber": str(n + 1)}}
            for n in reversed(range(len(self.files)))
        ]

    def metadata(self, level: str, identifier: str, name: Metadata) -> str | None:
        return None

    def simplified_tags(self, instance: str) -> dict[str, str]:
        return self.persons.get(instance, {})

    def metadata_of(
        self, resources: list[str], level: str, names: Any
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        assert level == "series"
        if resources != ["now"]:
            assert resources == ["now", "before"]
            now = {"ID": "s", "ParentStudy": "now", "Instances": ["i0"]}
            before = {"ID": "b", "ParentStudy": "before", "Instances": ["before"]}
            told = {Metadata.ANATOMY: self.earlier.as_text()} if self.earlier else {}
            return [(now, {}), (before, told)]
        return [
            *((one, {}) for one in self.others),
            *(
                ({"ID": series}, {Metadata.ANATOMY: one.as_text()})
                for series, one in self.siblings.items()
            ),
        ]

    @staticmethod
    def _study(identifier: str, taken: str) -> dict[str, Any]:
        return {
            "ID": identifier,
            "ParentPatient": "patient",
            "PatientMainDicomTags": {"PatientID": "4711"},
            "MainDicomTags": {"StudyDate": taken},
        }


def recognized(modality: str, regions: tuple[Any, ...]) -> RecognizedAnatomy:
    told = HEAD.model_copy(update={"modality": modality, "regions": regions})
    return RecognizedAnatomy(**dict(told))


def looked_at(
    archive: Archive,
    inference: Inference,
    level: str = "series",
    models: tuple[ModelDescription, ...] = (LUNGS,),
    orders: Orders | None = None,
) -> Scan:
    """A scan after the reader has read it."""
    deidentifier = Deidentifier(KEY, options=PIPELINE)
    headers = Deidentifier(KEY, options=PIPELINE, policy=Policy(allow_burned_in_annotation=True))
    reader = Reader(
        cast("Any", archive), deidentifier, headers, Gate(cast("Any", inference)), orders=orders
    )
    instances = [f"i{n}" for n in range(len(archive.files))]
    resource = "i0" if level == "instance" else "s"
    scan = Scan(Job(1, cast("Any", level), resource, "", "s", "now", 1, "w", 0.0), instances)
    reader.read(scan, models, "instance" if level == "instance" else "series")
    return scan


def test_tags_that_are_sure_fetch_one_image_and_no_pixels() -> None:
    archive = Archive(body_files("chest", StudyDescription="CT CHEST", **REMOVED))
    inference = Inference()
    scan = looked_at(archive, inference)
    assert archive.fetched == ["i0"]
    assert inference.shown == []
    assert scan.agreement is not None
    assert scan.agreement.of_tags_alone
    assert scan.model is not None


def test_a_series_without_a_word_is_recognized_by_its_pixels() -> None:
    scan = looked_at(Archive(body_files("chest", **REMOVED)), Inference())
    assert scan.recognized is not None
    assert scan.recognized.regions == ("chest",)
    assert scan.agreement is not None
    assert scan.agreement.preferred == "pixels"
    assert "no tag names an anatomy" in scan.agreement.review
    assert scan.anatomy == scan.recognized


def test_only_deidentified_slices_are_shown_and_a_few_of_many() -> None:
    files = body_files("lower limb", **REMOVED)
    inference = Inference()
    looked_at(Archive(files), inference)
    assert len(inference.shown) == min(24, len(files))
    for content in inference.shown:
        seen = pydicom.dcmread(BytesIO(content))
        assert seen.PatientIdentityRemoved == "YES"
        assert seen.PatientID != "phantom"


def test_a_series_that_the_pixel_model_does_not_know_is_not_fetched() -> None:
    archive = Archive(body_files("chest", Modality="MR", **REMOVED))
    inference = Inference()
    scan = looked_at(archive, inference)
    assert archive.fetched == ["i0"]
    assert len(inference.shown) == 1
    assert scan.agreement is not None
    assert "the pixel model knows CT only" in scan.agreement.in_words()


def test_slices_that_were_shown_are_not_fetched_again_for_the_analysis() -> None:
    archive = Archive(body_files("chest", **REMOVED))
    scan = looked_at(archive, Inference())
    archive.fetched.clear()
    deidentifier = Deidentifier(KEY, options=PIPELINE)
    reader = Reader(cast("Any", archive), deidentifier, deidentifier, cast("Any", None))
    assert len(reader.passed(scan)) == len(archive.files)
    assert archive.fetched == []


def test_at_the_first_look_the_question_waits_until_the_series_is_complete() -> None:
    inference = Inference()
    scan = looked_at(Archive(body_files("chest", **REMOVED)), inference, "recognition")
    assert inference.shown == []
    assert scan.unsettled
    assert scan.recognized is not None
    assert scan.recognized.regions == ()


def test_a_single_image_makes_the_pixel_model_abstain_and_the_scan_says_so() -> None:
    files = body_files("chest", **REMOVED)[:1]
    scan = looked_at(Archive(files), Inference(), "instance")
    assert scan.agreement is not None
    assert "pixels can't tell" in scan.agreement.in_words()
    assert "the tags are unsure and the pixels can't tell" in scan.agreement.review


def test_a_service_without_a_pixel_model_leaves_the_tags_their_answer() -> None:
    inference = Inference(refusal=InferenceRefusedError("unknown-route", "no such route"))
    scan = looked_at(Archive(body_files("chest", **REMOVED)), inference)
    assert scan.agreement is not None
    assert "no pixel model" in scan.agreement.in_words()
    assert scan.recognized is not None
    assert scan.recognized.regions == ()


def test_burned_in_text_shows_no_pixels_to_anybody() -> None:
    inference = Inference()
    files = body_files("chest", BurnedInAnnotation="YES", **REMOVED)
    scan = looked_at(Archive(files), inference)
    assert inference.shown == []
    assert scan.agreement is not None
    assert "burned-in" in scan.agreement.in_words()


def test_a_slice_that_can_not_be_read_leaves_the_tags_their_answer() -> None:
    archive = Archive([*body_files("chest", **REMOVED), b"no DICOM"])
    scan = looked_at(archive, Inference())
    assert scan.agreement is not None
    assert "pixels can't tell" in scan.agreement.in_words()


@pytest.mark.parametrize(
    ("before", "answer", "taught"),
    [(("head",), "head", ("metadata",)), (("neck",), "neck", ("pixels",))],
)
def test_earlier_studies_decide_between_tags_and_pixels(
    before: Any, answer: str, taught: tuple[str, ...]
) -> None:
    known = recognized("CT", before)
    inference = Inference(
        tags=HEAD.model_copy(update={"regions": ("neck",), "confidence": 0.6}),
        pixels=PixelAnatomyAnswer(regions=("head",), confidence=0.95, slices=9),
    )
    scan = looked_at(Archive(body_files("chest", **REMOVED), known), inference)
    assert scan.recognized is not None
    assert scan.recognized.regions == (answer,)
    assert scan.agreement is not None
    assert scan.agreement.teaches == taught
    assert scan.agreement.witness("priors") is not None


@pytest.mark.parametrize(
    "differs",
    [{"IssuerOfPatientID": "B"}, {"PatientBirthDate": "19900505"}, {"PatientSex": "M"}],
)
def test_another_patient_of_the_same_number_is_no_witness(differs: dict[str, str]) -> None:
    inference = Inference(
        tags=HEAD.model_copy(update={"regions": ("neck",), "confidence": 0.6}),
        pixels=PixelAnatomyAnswer(regions=("head",), confidence=0.95, slices=9),
    )
    archive = Archive(body_files("chest", **REMOVED), recognized("CT", ("neck",)))
    jane = {"IssuerOfPatientID": "A", "PatientBirthDate": "19500101", "PatientSex": "F"}
    archive.persons = {"i0": jane, "before": {**jane, **differs}}
    scan = looked_at(archive, inference)
    assert scan.agreement is not None
    witness = scan.agreement.witness("priors")
    assert witness is not None
    assert (witness.regions, witness.reason) == ((), "there are none of this modality")


def test_a_plan_hears_whom_the_worker_hears_and_says_so() -> None:
    known = recognized("CT", ("head",))
    archive = Archive(body_files("chest", **REMOVED), known)
    inference = Inference(
        tags=HEAD.model_copy(update={"regions": ("neck",), "confidence": 0.6}),
        pixels=PixelAnatomyAnswer(regions=("head",), confidence=0.95, slices=9),
    )
    by_worker = looked_at(archive, inference)
    deidentifier = Deidentifier(KEY, options=PIPELINE)
    gate = Gate(cast("Any", inference))
    reader = Reader(cast("Any", archive), deidentifier, deidentifier, gate)
    planner = ScanPlanner(lambda: reader, lambda: [LUNGS])
    plan = planner.plan("series", scan_of("series", "s", by_worker.instances))
    assert plan.agreement == by_worker.agreement
    assert plan.anatomy == by_worker.anatomy


def worklist_entry(
    folder: Path, name: str, accession: str, words: str, *steps: str, **tags: str
) -> None:
    entry = Dataset()
    entry.AccessionNumber, entry.RequestedProcedureDescription = accession, words
    entry.PatientName = "Doe^Jane"
    entry.ScheduledProcedureStepSequence = []
    for step in steps:
        item = Dataset()
        item.ScheduledProcedureStepDescription = step
        entry.ScheduledProcedureStepSequence.append(item)
    for keyword, value in tags.items():
        setattr(entry, keyword, value)
    entry.save_as(folder / name, implicit_vr=False, little_endian=True)


def ordered(folder: Path, **tags: Any) -> Scan:
    """A CT of the chest that says so, with the orders of a folder."""
    described = {"StudyDescription": "CT CHEST", "AccessionNumber": "A1", **tags}
    files = body_files("chest", **described, **REMOVED)
    return looked_at(Archive(files), Inference(), orders=Orders(folder))


def order_of(scan: Scan) -> tuple[str, ...] | None:
    assert scan.agreement is not None
    found = scan.agreement.witness("worklist")
    return None if found is None else found.regions


def test_an_order_for_another_anatomy_is_heard_and_the_pixels_are_asked(tmp_path: Path) -> None:
    worklist_entry(tmp_path, "a.wl", "A1", "CT HEAD")
    worklist_entry(tmp_path, "b.wl", "A2", "CT PELVIS")
    worklist_entry(tmp_path, "sidelight-c.wl", "A1", "CT ABDOMEN")
    (tmp_path / "d.wl").write_bytes(b"broken")
    scan = ordered(tmp_path)
    assert order_of(scan) == ("head",)
    assert scan.agreement is not None
    assert scan.agreement.witness("pixels") is not None
    assert scan.agreement.review == "", "the pixels confirm the tags"
    assert scan.recognized is not None
    assert scan.recognized.regions == ("chest",)


def test_an_order_for_another_anatomy_is_flagged_where_pixels_do_not_confirm_the_tags(
    tmp_path: Path,
) -> None:
    worklist_entry(tmp_path, "a.wl", "A1", "CT HEAD")
    scan = ordered(tmp_path, Modality="MR")
    assert scan.agreement is not None
    assert "the order names another anatomy" in scan.agreement.review


def test_an_order_does_not_name_what_frames_or_specimens_of_the_scan_show(tmp_path: Path) -> None:
    worklist_entry(tmp_path, "a.wl", "A1", "CT HEAD")
    (file,) = body_files("chest", AccessionNumber="A1")[:1]
    original = pydicom.dcmread(BytesIO(file), stop_before_pixels=True)
    for keyword in (
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "SpecimenDescriptionSequence",
    ):
        setattr(original, keyword, [Dataset()])
        (told,) = Orders(tmp_path).headers_of(original)
        assert keyword in original
        assert keyword not in pydicom.dcmread(BytesIO(told))


def test_all_steps_and_entries_of_an_accession_number_are_one_order(tmp_path: Path) -> None:
    worklist_entry(tmp_path, "a.wl", "A1", "", "CT HEAD", "CT CHEST")
    worklist_entry(tmp_path, "b.wl", "A1", "CT PELVIS", "CT PELVIS")
    scan = ordered(tmp_path)
    assert order_of(scan) == ("head", "chest", "pelvis")
    alone = looked_at(
        Archive(body_files("chest", StudyDescription="CT CHEST", **REMOVED)), Inference()
    )
    assert scan.recognized is not None
    assert alone.recognized is not None
    assert scan.recognized.confidence == round(alone.recognized.confidence, 4)
    assert scan.agreement is not None
    assert scan.agreement.review == ""


@pytest.mark.parametrize(
    ("entry", "scan", "heard"),
    [
        ({"PatientID": "4711"}, {"PatientID": "4711"}, True),
        ({"PatientID": "4711 "}, {"PatientID": "4711"}, True),
        ({"PatientID": "0815"}, {"PatientID": "4711"}, False),
        ({}, {"PatientID": "4711"}, True),
        ({"PatientID": "4711"}, {"PatientID": ""}, True),
        (
            {"PatientID": "4711", "IssuerOfPatientID": "north"},
            {"PatientID": "4711", "IssuerOfPatientID": "south"},
            False,
        ),
        (
            {"PatientID": "4711", "IssuerOfPatientID": "north"},
            {"PatientID": "4711", "IssuerOfPatientID": ""},
            True,
        ),
    ],
)
def test_an_order_of_another_patient_is_not_heard(
    tmp_path: Path, entry: dict[str, str], scan: dict[str, str], heard: bool
) -> None:
    worklist_entry(tmp_path, "a.wl", "A1", "CT HEAD", **entry)
    assert order_of(ordered(tmp_path, **scan)) == (("head",) if heard else None)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("RequestedProcedureCodeSequence", b"garbage!"),
        ("ScheduledProcedureStepSequence", b"garbage!"),
    ],
)
def test_a_malformed_entry_says_nothing_and_the_others_still_do(
    keyword: str, value: bytes, tmp_path: Path
) -> None:
    """Elements are read when they are asked for, so the file itself was read without an error."""
    worklist_entry(tmp_path, "a.wl", "A1", "CT HEAD")
    entry = Dataset()
    entry.AccessionNumber, entry.RequestedProcedureDescription = "A1", "CT KNEE"
    tag = Tag(keyword)
    entry._dict[tag] = RawDataElement(tag, "LO", len(value), value, 0, False, True)
    entry.save_as(tmp_path / "b.wl", implicit_vr=False, little_endian=True)
    assert order_of(ordered(tmp_path)) == ("head",)


def test_an_order_for_the_same_anatomy_makes_the_answer_surer(tmp_path: Path) -> None:
    alone = ordered(tmp_path).recognized
    worklist_entry(tmp_path, "a.wl", "A1", "CT THORAX")
    confirmed = ordered(tmp_path).recognized
    assert alone is not None
    assert confirmed is not None
    assert confirmed.confidence > alone.confidence


def test_a_few_of_many_instances_are_spread_from_the_first_to_the_last() -> None:
    ordered = along(cast("Any", Archive([b""] * 100)), "s")
    assert ordered[:2] == ["i0", "i1"]
    chosen = spread(ordered, 24)
    assert (len(chosen), chosen[0], chosen[-1]) == (24, "i0", "i99")
    assert spread(ordered[:3], 24) == ["i0", "i1", "i2"]


def sibling(*regions: Any, confidence: float = 0.95, **more: Any) -> RecognizedAnatomy:
    told = HEAD.model_copy(
        update={"modality": "MR", "regions": regions, "confidence": confidence} | more
    )
    return RecognizedAnatomy(**dict(told))


def silent_series(siblings: dict[str, RecognizedAnatomy]) -> Scan:
    described = {"Modality": "MR", "SeriesDescription": "t1_tse_sag"}
    archive = Archive(body_files("lower limb", **described, **REMOVED), siblings=siblings)
    silent = HEAD.model_copy(update={"modality": "MR", "regions": (), "confidence": 0.0})
    return looked_at(archive, Inference(tags=silent))


def test_a_series_that_says_nothing_shows_what_the_others_of_its_study_show() -> None:
    scan = silent_series(
        {"s": sibling("head"), "s2": sibling("lower limb"), "s3": sibling("lower limb")}
    )
    assert scan.recognized is not None
    assert scan.recognized.regions == ("lower limb",)
    assert scan.agreement is not None
    assert scan.agreement.preferred == "siblings"
    assert "siblings: lower limb (0.90)" in scan.agreement.in_words()


def leaning() -> RecognizedAnatomy:
    one = sibling("lower limb")
    who = Witness(name="siblings", regions=("lower limb",), confidence=0.9)
    return one.model_copy(update={"agreement": Agreement(witnesses=(who,), preferred="siblings")})


@pytest.mark.parametrize(
    "siblings",
    [
        {"s": sibling("lower limb")},
        {"s2": sibling("lower limb", confidence=0.6)},
        {"s2": sibling("lower limb", modality="CT")},
        {"s2": sibling("lower limb"), "s3": sibling("head")},
        {"s2": sibling()},
        {"s2": leaning()},
    ],
    ids=["itself", "unsure", "other modality", "disagree", "silent", "leant itself"],
)
def test_siblings_that_can_not_tell_leave_a_series_without_an_answer(
    siblings: dict[str, RecognizedAnatomy],
) -> None:
    scan = silent_series(siblings)
    assert scan.recognized is not None
    assert scan.recognized.regions == ()
    assert scan.agreement is not None
    assert "siblings can't tell" in scan.agreement.in_words()


def named_series(*names: str, **more: str) -> list[dict[str, Any]]:
    """Orthanc's JSON of the series of a study; the first is the one that is looked at."""
    return [
        {"ID": f"s{n or ''}", "MainDicomTags": {"Modality": "MR", "SeriesDescription": name} | more}
        for n, name in enumerate(names)
    ]


def localizer(inference: Inference, *others: str, **more: Any) -> Scan:
    described = {"Modality": "MR", "SeriesDescription": "localizer", "PatientName": "Doe^Jane"}
    archive = Archive(
        body_files("lower limb", **described, **REMOVED),
        others=named_series("localizer", *others),
        **more,
    )
    return looked_at(archive, inference)


def test_a_series_that_says_nothing_is_read_with_the_names_of_the_others() -> None:
    scan = localizer(Inference(), "pd_tse_fs_sag", "pd_tse_fs_cor", "t1_tse_cor")
    assert scan.recognized is not None
    assert scan.recognized.regions == ("lower limb",)
    assert scan.agreement is not None
    assert (scan.agreement.preferred, scan.agreement.names_heard) == ("metadata", 3)
    assert "read with the names of 3 other series of the study" in scan.agreement.in_words()
    assert not scan.agreement.review


def test_names_are_told_without_identity() -> None:
    inference = Inference()
    localizer(inference, "pd_tse_fs_sag Doe Jane", "pd_tse_fs_sag Doe Jane", "t1_tse_cor")
    assert len(inference.told) == 3, "the series itself, and each name once"
    assert "pd tse fs sag" in str(inference.told[1])
    assert "Doe" not in str(inference.told)


def test_who_was_read_with_the_names_of_others_is_no_sibling_that_tells_them() -> None:
    one = sibling("lower limb")
    told = Agreement(witnesses=(), names_heard=3)
    scan = silent_series({"s2": one.model_copy(update={"agreement": told})})
    assert scan.agreement is not None
    assert "siblings can't tell" in scan.agreement.in_words()
    for regions, speaks in (("lower limb", True), ("head", False)):
        pixels = Witness(name="pixels", regions=(cast("Any", regions),), confidence=0.95)
        seen = Agreement(witnesses=(pixels,), names_heard=3)
        scan = silent_series({"s2": one.model_copy(update={"agreement": seen})})
        assert scan.agreement is not None
        witness = scan.agreement.witness("siblings")
        assert witness is not None
        assert witness.speaks is speaks, "pixels confirm it, or not"


def test_siblings_that_are_sure_are_heard_beside_names() -> None:
    names = ("pd_tse_fs_sag", "pd_tse_fs_cor", "t1_tse_cor")
    alone = localizer(Inference(), *names)
    confirmed = localizer(Inference(), *names, siblings={"s2": sibling("lower limb")})
    assert confirmed.agreement is not None
    assert confirmed.agreement.names_heard == 3
    assert "siblings: lower limb (0.90)" in confirmed.agreement.in_words()
    assert confirmed.recognized is not None
    assert alone.recognized is not None
    assert confirmed.recognized.confidence == pytest.approx(alone.recognized.confidence, abs=1e-4)


@pytest.mark.parametrize("code", ["unknown-route", "too-large", "malformed-study"])
def test_an_inference_service_that_refuses_to_hear_names_leaves_the_series_alone(code: str) -> None:
    refusal = InferenceRefusedError(code, "no")
    scan = localizer(Inference(without_studies=refusal), "pd_tse_fs_sag")
    assert scan.recognized is not None
    assert scan.recognized.regions == ()
    assert scan.agreement is not None
    assert (scan.agreement.names_told, scan.agreement.names_heard) == (1, 0)
