# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sequence import Sequence

from inference import anatomy
from inference.anatomy import Header, TagRecognizer
from inference.anatomy.regions import REGIONS, format_regions
from inference.anatomy.words import is_one_slip_apart, words_of
from inference.contract import AnatomyAnswer

TABLES = TagRecognizer()
EYE = {"CodeValue": "81745001", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Eye"}
"""Lexicon and tables alone: what is tested here. The learned model has tests of its own."""


def recognize(header, recognizer=TABLES):
    return anatomy.recognize(header, recognizer)


def regions(**header: str) -> str:
    return format_regions(recognize(header).regions)


@pytest.mark.parametrize(
    ("description", "named"),
    [
        ("CT Chest Abdomen Pelvis w contrast", "chest abdomen pelvis"),
        ("CT_AbdPelvis", "abdomen pelvis"),
        ("CT CAP", "chest abdomen pelvis"),
        ("CT T/A/P", "chest abdomen pelvis"),
        ("CHESTABDOMENPELVIS", "chest abdomen pelvis"),
        ("CT KUB", "abdomen pelvis"),
        ("CT C-SPINE", "spine"),
        ("XR THORACIC SPINE", "spine"),
        ("CT THORACIC", "chest"),
        ("CT FEMORAL NECK", ""),
        ("CT Schädel nativ", "head"),
        ("CT HWS", "spine"),
        ("CT Hals/Thorax", "neck chest"),
        ("Ganzkörper-CT", "whole-body"),
        ("MR Sprunggelenk rechts", "lower-limb"),
        ("Scanner thoraco-abdomino-pelvien", "chest abdomen pelvis"),
        ("IRM genou", "lower-limb"),
        ("Radio épaule gauche", "upper-limb"),
        ("TAC de cráneo", "head"),
        ("RM rodilla izquierda", "lower-limb"),
        ("TC TORACE ADDOME", "chest abdomen"),
        ("RX caviglia", "lower-limb"),
        ("TC de tórax", "chest"),
        ("RM joelho direito", "lower-limb"),
        ("TK klatki piersiowej", "chest"),
        ("TK jamy brzusznej i miednicy", "abdomen pelvis"),
        ("MR kręgosłupa szyjnego", "spine"),
        ("MRI hersenen", "head"),
        ("CT bekken", "pelvis"),
        ("КТ органов грудной клетки", "chest"),
        ("МРТ коленного сустава", "lower-limb"),
        ("MRT malogo taza", "pelvis"),
        ("CT ABDOMNE", "abdomen"),
        ("CT stealth planning", "head"),
    ],
)
def test_a_description_in_any_of_the_languages_names_its_regions(description, named):
    assert regions(Modality="CT", StudyDescription=description) == named


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ({"StudyDescription": "CT CAP", "SeriesDescription": "LUNG 1.0"}, "chest"),
        ({"StudyDescription": "CT CHEST", "BodyPartExamined": "KIDNEY"}, "chest"),
        ({"StudyDescription": "TRAUMA", "BodyPartExamined": "KNEE"}, "lower-limb"),
        ({"StudyDescription": "Thorax^02_CHEST_ABD (Adult)"}, "chest abdomen"),
        ({"StudyDescription": "SPINE^THORACIC"}, "spine"),
        ({"StudyDescription": "CT CHEST", "SeriesDescription": "Topogram AP"}, "chest"),
        ({"StudyDescription": "CT THIGH", "ProtocolName": "ABDOMEN ROUTINE"}, "lower-limb"),
        ({"StudyDescription": "MRI", "ProtocolName": "T2 SAG CSPINE"}, "spine"),
        ({"StudyDescription": "outside films", "SeriesDescription": "SCOUT"}, ""),
        ({"BodyPartExamined": "EXTREMITY"}, ""),
    ],
)
def test_the_description_closest_to_the_images_decides(header, named):
    assert regions(**{"Modality": "CT", **header}) == named


@pytest.mark.parametrize("description", ["dMRI_AP", "SpinEchoFieldMap_AP", "EPI PE=AP"])
def test_in_a_sequence_of_mr_ap_is_the_direction_of_phase_encoding(description):
    answer = recognize({"Modality": "MR", "SeriesDescription": description})
    assert "abdomen" not in answer.regions
    assert "SeriesDescription" not in [vote.attribute for vote in answer.votes]


@pytest.mark.parametrize(
    "header",
    [
        {"Modality": "MR", "StudyDescription": "MR AP"},
        {"Modality": "CT", "SeriesDescription": "AP 5.0"},
        {"Modality": "MR", "SeriesDescription": "AB PEL AP"},
    ],
)
def test_elsewhere_ap_is_abdomen_and_pelvis(header):
    assert recognize(header).regions == ("abdomen", "pelvis")


@pytest.mark.parametrize(
    ("modality", "description", "named"),
    [
        ("PT", "", "whole-body"),
        ("PT", "PET/CT LUNG CANCER", "whole-body"),
        ("CT", "PETCT skull to mid thigh", "whole-body"),
        ("PT", "PET BRAIN", "head"),
        ("PT", "PET^WHOLEBODY (Adult)", "whole-body"),
        ("CT", "PSMA PET CT PROSTATE", "whole-body"),
    ],
)
def test_a_pet_examination_covers_the_body_unless_the_text_says_less(modality, description, named):
    assert regions(Modality=modality, StudyDescription=description) == named


def test_a_mammography_unit_images_the_breast_whatever_the_text_says():
    answer = recognize({"Modality": "MG", "StudyDescription": "CHEST SCREENING"})
    assert answer.regions == ("breast",)
    assert answer.confidence > 0.9


def test_ap_is_a_view_on_a_radiograph_and_abdomen_with_pelvis_on_a_ct():
    assert recognize({"Modality": "DX", "SeriesDescription": "AP"}).view == "AP"
    assert regions(Modality="DX", SeriesDescription="AP") == ""
    assert regions(Modality="CT", SeriesDescription="AP ROUTINE") == "abdomen pelvis"


def test_every_attribute_that_says_something_has_a_vote_and_silent_ones_have_none():
    answer = recognize(
        {
            "Modality": "CT",
            "StudyDescription": "CT CAP",
            "SeriesDescription": "COR 3.0",
            "BodyPartExamined": "CHEST",
        }
    )
    votes = {vote.attribute: vote.regions for vote in answer.votes}
    assert votes == {
        "StudyDescription": ("chest", "abdomen", "pelvis"),
        "BodyPartExamined": ("chest",),
    }
    assert all(0.0 < vote.weight < 1.0 for vote in answer.votes)


def test_dispute_between_attributes_lowers_the_confidence():
    agreed = recognize({"StudyDescription": "CT HEAD", "BodyPartExamined": "HEAD"})
    disputed = recognize({"StudyDescription": "CT HEAD", "BodyPartExamined": "KNEE"})
    assert agreed.regions == disputed.regions == ("head",)
    assert agreed.confidence > disputed.confidence + 0.05


def test_nothing_said_is_answered_with_no_region_and_no_confidence():
    answer = recognize({"Modality": "CT"})
    assert answer == AnatomyAnswer(
        modality="CT", regions=(), codes=(), body_part_examined=None, confidence=0.0
    )


@pytest.mark.parametrize(
    ("header", "term"),
    [
        ({"StudyDescription": "MR LEFT KNEE"}, "KNEE"),
        ({"StudyDescription": "MR LOWER EXTREMITY", "BodyPartExamined": "KNEE"}, "KNEE"),
        ({"StudyDescription": "CT CHEST", "BodyPartExamined": "LUNG"}, "CHEST"),
        ({"StudyDescription": "CT HIP AND KNEE"}, "LOWERLIMB"),
        ({"StudyDescription": "XR LUMBAR SPINE"}, "LSPINE"),
        ({"StudyDescription": "CT THORAX UND BECKEN UND KNIE"}, None),
        ({"Modality": "OP", "BodyPartExamined": "EYE"}, "EYE"),
        ({"Modality": "OP", "AnatomicRegionSequence": [EYE], "BodyPartExamined": "HEAD"}, "EYE"),
        ({"Modality": "PX", "BodyPartExamined": "JAW"}, "JAW"),
        ({"Modality": "OP", "BodyPartExamined": "KNEE"}, "HEAD"),
        ({"Modality": "OP"}, "HEAD"),
        ({"Modality": "MG", "BodyPartExamined": "CHEST"}, "BREAST"),
    ],
)
def test_body_part_examined_is_as_specific_as_what_was_said(header, term):
    assert recognize(header).body_part_examined == term


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def test_a_data_set_its_json_and_a_table_row_give_the_same_answer():
    ds = Dataset()
    ds.Modality = "DX"
    ds.StudyDescription = "XR RIGHT ANKLE"
    ds.ViewPosition = "AP"
    ds.BodyPartExamined = "ANKLE"
    ds.AnatomicRegionSequence = Sequence([_code("70258002", "SCT", "Ankle joint")])
    row = {element.keyword: str(element.value) for element in ds if element.VR != "SQ"}
    row["AnatomicRegionSequence"] = "Ankle joint"
    from_json = recognize(ds.to_json_dict())
    assert from_json == recognize(ds) == recognize(row)
    assert from_json.regions == ("lower limb",)
    assert (from_json.view, from_json.laterality) == ("AP", "R")


def test_coded_regions_count_also_inside_shared_functional_groups():
    anatomy = Dataset()
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = Sequence([_code("T-D1100", "SRT", "Head")])
    shared = Dataset()
    shared.FrameAnatomySequence = Sequence([anatomy])
    ds = Dataset()
    ds.Modality = "MR"
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    for header in (ds, ds.to_json_dict()):
        answer = recognize(header)
        assert answer.regions == ("head",)
        assert answer.laterality == "U"
        assert [vote.attribute for vote in answer.votes] == ["AnatomicRegionSequence"]


STORAGE = "1.2.840.10008.5.1.4.1.1."


@pytest.mark.parametrize(
    "header",
    [
        {"Modality": "DX", "SOPClassUID": STORAGE + "13.1.2"},
        {"Modality": "OP", "SOPClassUID": STORAGE + "77.1.5.5"},
        {"Modality": "OT", "SOPClassUID": STORAGE + "82.1"},
        {"Modality": "OPTENF"},
        {"Modality": "OPT"},
        {"Modality": "PX"},
    ],
)
def test_what_images_heads_alone_shows_a_head(header):
    assert recognize(header).regions == ("head",)


def test_optical_coherence_tomography_is_of_the_eye_only_where_it_is_ophthalmic():
    assert regions(Modality="OCT") == ""
    assert regions(Modality="OCT", BodyPartExamined="CORONARYARTERY") == "chest"
    assert regions(Modality="OCT", SOPClassUID=STORAGE + "77.1.5.4") == "head"


def _frame(region, side, structure=None):
    anatomy = Dataset()
    anatomy.FrameLaterality = side
    anatomy.AnatomicRegionSequence = Sequence([region])
    if structure:
        anatomy.PrimaryAnatomicStructureSequence = Sequence([structure])
    group = Dataset()
    group.FrameAnatomySequence = Sequence([anatomy])
    return group


def _of_frames(frames):
    ds = Dataset()
    ds.Modality = "MR"
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return ds


def test_an_image_shows_what_all_of_its_frames_show():
    frames = [_frame(_code("816094009", "SCT", "Chest"), "U") for _ in range(200)]
    frames[90:] = [_frame(_code("818981001", "SCT", "Abdomen"), "U") for _ in range(110)]
    for header in (_of_frames(frames), _of_frames(frames).to_json_dict()):
        answer = recognize(header)
        assert answer.regions == ("chest", "abdomen")
        assert answer.laterality == "U"
        assert [vote.attribute for vote in answer.votes] == ["AnatomicRegionSequence"]


def test_the_side_of_an_image_is_that_of_its_frames_and_both_where_they_differ():
    knee = _code("72696002", "SCT", "Knee")
    assert recognize(_of_frames([_frame(knee, "L")] * 2)).laterality == "L"
    assert recognize(_of_frames([_frame(knee, "L"), _frame(knee, "R")])).laterality == "B"
    assert recognize(_of_frames([_frame(knee, "L"), _frame(knee, "U")])).laterality is None


def test_frames_speak_where_deidentification_left_dummies_in_what_they_share():
    ds = _of_frames([_frame(_code("72696002", "SCT", "Knee"), "L")])
    dummy = Dataset()
    dummy.CodeMeaning = "REMOVED"
    ds.SharedFunctionalGroupsSequence = Sequence([_frame(dummy, "OTHER")])
    answer = recognize(ds.to_json_dict())
    assert (answer.regions, answer.laterality) == (("lower limb",), "L")


def test_thousands_of_frames_take_milliseconds():
    header = _of_frames(
        [_frame(_code("72696002", "SCT", "Knee"), "L") for _ in range(5000)]
    ).to_json_dict()
    start = time.perf_counter()
    assert recognize(header).regions == ("lower limb",)
    assert time.perf_counter() - start < 0.05


def test_a_slide_shows_where_its_specimens_were_taken():
    specimen = Dataset()
    specimen.SpecimenIdentifier = "1"
    specimen.PrimaryAnatomicStructureSequence = Sequence([_code("41216001", "SCT", "Prostate")])
    ds = Dataset()
    ds.Modality = "SM"
    ds.SpecimenDescriptionSequence = Sequence([specimen])
    for header in (ds, ds.to_json_dict()):
        answer = recognize(header)
        assert answer.regions == ("pelvis",)
        assert answer.body_part_examined == "PROSTATE"
        assert [vote.attribute for vote in answer.votes] == ["PrimaryAnatomicStructureSequence"]


@pytest.mark.parametrize(
    ("codes", "side"),
    [
        (["7771000"], "L"),
        (["G-A100"], "R"),
        (["51440002"], "B"),
        (["7771000", "24028007"], "B"),
        (["66459002"], None),
    ],
)
def test_a_modifier_of_the_coded_region_says_the_side(codes, side):
    region = _code("72696002", "SCT", "Knee")
    region.AnatomicRegionModifierSequence = Sequence([_code(code, "SCT", "") for code in codes])
    ds = Dataset()
    ds.Modality = "US"
    ds.AnatomicRegionSequence = Sequence([region])
    assert recognize(ds).laterality == recognize(ds.to_json_dict()).laterality == side
    ds.Laterality = "R"
    assert recognize(ds).laterality == "R"


def test_a_side_is_not_read_from_a_code_of_another_scheme():
    region = _code("72696002", "SCT", "Knee")
    region.AnatomicRegionModifierSequence = Sequence([_code("7771000", "99ACME", "Upper")])
    ds = Dataset()
    ds.Modality = "US"
    ds.AnatomicRegionSequence = Sequence([region])
    assert recognize(ds).laterality is None


@pytest.mark.parametrize(
    ("modality", "value", "shown"),
    [
        ("US", "ABDOMINAL", "abdomen"),
        ("US", "NEONATAL HEAD", "head"),
        ("US", "NEONATAL_HEAD", "head"),
        ("US", "THYROID", "neck"),
        ("US", "TTE", "chest"),
        ("US", "OBSTETRICAL", "pelvis"),
        ("US", "SMALL_PARTS", ""),
        ("US", "VASCULAR", ""),
        ("NM", "WHOLE BODY", "whole-body"),
        ("NM", "TOMO", ""),
        ("CT", "ABDOMINAL", ""),
    ],
)
def test_the_third_value_of_image_type_names_what_ultrasound_and_nuclear_medicine_show(
    modality, value, shown
):
    values = ["ORIGINAL", "PRIMARY", value, "0001"]
    answer = recognize({"Modality": modality, "ImageType": values})
    assert format_regions(answer.regions) == shown
    assert [vote.attribute for vote in answer.votes] == (["ImageType"] if shown else [])
    assert answer == recognize({"Modality": modality, "ImageType": "\\".join(values)})


def test_what_a_device_presets_comes_after_what_somebody_said():
    ultrasound = {"Modality": "US", "ImageType": ["ORIGINAL", "PRIMARY", "ABDOMINAL"]}
    assert recognize({**ultrasound, "BodyPartExamined": "BREAST"}).regions == ("breast",)
    assert recognize({**ultrasound, "StudyDescription": "Thyroid"}).regions == ("neck",)
    moved = {"Modality": "NM", "ImageType": ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]}
    assert recognize({**moved, "BodyPartExamined": "CHEST"}).regions == ("whole body",)


def test_a_procedure_code_speaks_through_its_meaning():
    ds = Dataset()
    ds.Modality = "CT"
    ds.ProcedureCodeSequence = Sequence([_code("IMG123", "99LOCAL", "CT Abdomen")])
    assert recognize(ds).regions == ("abdomen",)


@pytest.mark.parametrize(
    ("header", "view"),
    [
        ({"Modality": "DX", "ViewPosition": "PA"}, "PA"),
        ({"Modality": "DX", "ViewPosition": "LL"}, "LL"),
        ({"Modality": "DX", "ViewPosition": "LATERAL"}, None),
        ({"Modality": "DX", "ViewPosition": "LEFT LATERAL"}, "LL"),
        ({"Modality": "CR", "SeriesDescription": "Thorax p.a."}, "PA"),
        ({"Modality": "CR", "StudyDescription": "CHEST PA AND LATERAL"}, None),
        ({"Modality": "CR", "StudyDescription": "CHEST AP PORTABLE"}, "AP"),
        ({"Modality": "MG", "ViewPosition": "ML"}, "ML"),
        ({"Modality": "MG", "SeriesDescription": "L MLO"}, "MLO"),
        ({"Modality": "CT", "SeriesDescription": "AP"}, None),
    ],
)
def test_a_view_is_a_defined_term_and_only_where_it_is_sure(header, view):
    assert recognize(header).view == view


@pytest.mark.parametrize(
    ("code", "view"), [("R-10226", "MLO"), ("399162004", "CC"), ("R-10236", "LL")]
)
def test_a_coded_view_goes_before_words(code, view):
    ds = Dataset()
    ds.Modality = "MG" if view != "LL" else "DX"
    ds.ViewPosition = "AP"
    ds.ViewCodeSequence = Sequence([_code(code, "SCT", "cranio-caudal")])
    assert recognize(ds).view == view


@pytest.mark.parametrize(
    ("header", "side"),
    [
        ({"ImageLaterality": "L", "Laterality": "R"}, "L"),
        ({"Laterality": "r"}, "R"),
        ({"StudyDescription": "MR linkes Knie"}, "L"),
        ({"StudyDescription": "XR KNEES BILATERAL"}, "B"),
        ({"StudyDescription": "LEFT KNEE AND RIGHT ANKLE"}, None),
        ({"StudyDescription": "CHEST LEFT"}, None),
        ({"StudyDescription": "RM rodilla sin contraste"}, None),
    ],
)
def test_laterality_comes_from_words_only_for_paired_parts(header, side):
    assert recognize(header).laterality == side


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
TAGS = st.sampled_from(
    [
        "00080060",
        "00081030",
        "0008103E",
        "00180015",
        "00082218",
        "52009229",
        "00540220",
        "00185101",
        "00080008",
        "52009230",
        "00209071",
        "00400560",
        "00082220",
        "00209072",
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(TAGS, ANYTHING | st.fixed_dictionaries({"Value": st.lists(ANYTHING)})))
def test_no_header_whatever_it_holds_makes_it_fail(header):
    answer = recognize(header)
    assert 0.0 <= answer.confidence <= 1.0
    assert list(answer.regions) == [name for name in REGIONS if name in answer.regions]
    assert (answer.confidence == 0.0) == (not answer.regions)


@given(st.text(), st.sampled_from(["CT", "MR", "DX", "MG", "PT", ""]))
def test_no_text_whatever_it_says_makes_it_fail(text, modality):
    answer = recognize({"Modality": modality, "StudyDescription": text, "SeriesDescription": text})
    assert len(answer.codes) == len(answer.regions)


@given(st.text("abc", min_size=1, max_size=6), st.data())
def test_one_letter_added_removed_replaced_or_swapped_is_one_slip(word, data):
    at = data.draw(st.integers(0, len(word) - 1))
    slips = [
        word[:at] + word[at + 1 :],
        word[:at] + "x" + word[at:],
        word[:at] + "x" + word[at + 1 :],
    ]
    if at + 1 < len(word) and word[at] != word[at + 1]:
        slips.append(word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    assert all(is_one_slip_apart(word, slip) for slip in slips)
    assert not is_one_slip_apart(word, word)
    assert not is_one_slip_apart(word, word + "xy")


def test_words_are_parted_at_signs_capitals_and_digits():
    assert list(words_of("CT_AbdPelvis 5.0mm")) == ["ct", "abd", "pelvis", "5", "0", "mm"]
    assert list(words_of("LSpine L4")) == ["l", "spine", "l4"]
    assert list(words_of("Kręgosłup")) == ["kregoslup"]
    assert list(words_of("CTŁokieć ThoraxÜbersicht")) == ["ct", "lokiec", "thorax", "ubersicht"]
    assert list(words_of("ГрудьЖивот 胸部CT")) == ["грудь", "живот", "胸部", "ct"]


@pytest.mark.parametrize(
    "word",
    [
        "KRĘGOSŁUP", "KNÖCHEL", "HÜFTE", "SCHÄDEL", "MÂCHOIRE", "TÓRAX", "RODILLA", "FUßGELENK",
        "ПОЗВОНОЧНИК", "ΚΕΦΑΛΉ", "KNO\u0308CHEL",
    ],
)  # fmt: skip
def test_capitals_are_one_word_with_accents_and_in_any_alphabet(word):
    assert list(words_of(word)) == list(words_of(word.lower()))
    assert len(list(words_of(word))) == 1


def test_descriptions_in_capitals_name_what_they_name_in_small_letters():
    assert regions(Modality="CR", StudyDescription="KNÖCHEL RECHTS") == "lower-limb"
    assert regions(Modality="CR", StudyDescription="HÄNDE") == "upper-limb"
    assert regions(Modality="CR", StudyDescription="SCHÄDEL") == "head"
    assert regions(Modality="CT", StudyDescription="ГОЛОВАЖивот") == "head abdomen"


def test_an_answer_takes_less_than_a_millisecond():
    headers = [
        {
            "Modality": "CT",
            "StudyDescription": f"CT CHEST {n} W CONTRAST",
            "BodyPartExamined": "CHEST",
        }
        for n in range(200)
    ]
    recognize(headers[0])
    times = []
    for header in headers:
        started = time.perf_counter()
        recognize(header)
        times.append(time.perf_counter() - started)
    assert sorted(times)[len(times) // 2] < 0.001


def test_another_recognizer_can_answer_instead():
    class Always:
        def recognize(self, header: Header) -> AnatomyAnswer:
            return TagRecognizer().recognize(Header.of({"BodyPartExamined": "HEAD"}))

    assert recognize({"BodyPartExamined": "KNEE"}, Always()).regions == ("head",)


def test_importing_anatomy_loads_neither_torch_nor_pydicom():
    code = "import sys, inference.anatomy; print(sorted({'torch', 'pydicom'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
