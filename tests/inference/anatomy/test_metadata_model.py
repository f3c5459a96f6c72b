# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import numpy as np
import pytest

from inference.anatomy import Header, TagRecognizer, recognize
from inference.anatomy.calibration import Calibration, LabelledHeader, measure, shipped_table
from inference.anatomy.learned import AnatomyModelError, MetadataModel, shipped_model
from inference.anatomy.learned.families import FAMILIES, family_of, read_weights, write_weights
from inference.anatomy.learned.pooling import Pooling, pool
from inference.anatomy.learned.recognizer import shipped_weights
from inference.anatomy.learned.region_sets import membership, nearest_set, region_sets, set_index
from inference.anatomy.learned.slots import BUCKETS, Slots, slot_numbers, slots_of
from inference.anatomy.lexicon import lexicon_digest

CHEST, HEAD = frozenset(("chest",)), frozenset(("head",))
HEADERS = [
    {"Modality": "CT", "StudyDescription": "CT CAP W CONTRAST", "SeriesDescription": "VENOUS"},
    {"Modality": "MR", "SeriesDescription": "AX FLAIR"},
    {"Modality": "CR", "BodyPartExamined": "KNEE"},
    {"Modality": "MR", "StudyDescription": "RESSONANCIA MAGNETICA DE CRANIO"},
]


def headers():
    return [Header.of(values) for values in HEADERS]


def test_a_composite_examination_is_a_set_of_regions():
    answer = shipped_model().recognize(headers()[0])
    assert answer.regions == ("chest", "abdomen", "pelvis")


def test_a_series_name_that_names_no_anatomy_gets_an_answer_with_less_confidence():
    named, unnamed = (shipped_model().recognize(one) for one in (headers()[3], headers()[1]))
    assert named.regions == unnamed.regions == ("head",)
    assert unnamed.confidence < named.confidence


def test_the_model_abstains_where_nothing_but_the_modality_is_said():
    answer = shipped_model().recognize(Header.of({"Modality": "CT"}))
    assert (answer.regions, answer.confidence) == ((), 0.0)


def test_many_at_once_are_answered_as_one_by_one():
    model = shipped_model()
    for one, many in zip(
        map(model.recognize, headers()), model.recognize_all(headers()), strict=True
    ):
        assert one.regions == many.regions
        assert one.confidence == pytest.approx(many.confidence, abs=1e-5)


def test_each_vote_says_which_tag_said_what():
    votes = {v.attribute: v.regions for v in shipped_model().recognize(headers()[2]).votes}
    assert votes["BodyPartExamined"] == ("lower limb",)
    assert "model" in votes


def test_a_series_leans_on_its_siblings_where_it_names_nothing_itself():
    silent = Header.of({"Modality": "MR", "SeriesDescription": "SURVEY 2"})
    sibling = Header.of(
        {"Modality": "MR", "StudyDescription": "MR KNEE", "SeriesDescription": "PD"}
    )
    model = shipped_model()
    assert model.recognize(silent).regions != ("lower limb",)
    assert model.recognize_study([silent, sibling])[0].regions == ("lower limb",)


def test_the_shipped_model_belongs_to_the_shipped_lexicon():
    assert shipped_model().described["lexicon"] == lexicon_digest()


def test_the_weights_are_small():
    assert shipped_weights().stat().st_size <= 8_000_000


def test_answering_loads_neither_torch_nor_scikit_learn():
    code = (
        "import sys; from inference.anatomy import recognize;"
        "recognize({'Modality': 'CT', 'StudyDescription': 'CHEST'});"
        "print(sorted({'torch', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_damaged_weights_are_refused_by_name(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"not weights")
    with pytest.raises(AnatomyModelError, match="no weights"):
        MetadataModel.load(path)


def test_an_unknown_family_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    write_weights(path, {"sets": np.zeros(3, np.float32)}, {"family": "oracle"})
    with pytest.raises(AnatomyModelError, match="oracle"):
        family_of(*read_weights(path))


def test_every_set_is_there_once_and_covers_every_region():
    sets = region_sets()
    assert len(set(sets)) == len(sets)
    assert membership(sets).any(axis=0).all()
    assert nearest_set(frozenset(("chest", "upper limb", "head"))) is not None


def test_a_sure_reading_outvotes_an_unsure_family_and_the_other_way_round():
    logs = np.full(len(region_sets()), np.log(0.01), np.float32)
    logs[set_index()[HEAD]] = np.log(0.6)
    assert pool(logs.copy(), CHEST, 0.98, Pooling()).regions == CHEST
    logs[set_index()[HEAD]] = np.log(0.999)
    logs[set_index()[CHEST]] = np.log(1e-5)
    assert pool(logs.copy(), CHEST, 0.5, Pooling()).regions == HEAD


def test_a_reading_outside_the_known_sets_is_not_lost():
    unusual = frozenset(("head", "lower limb"))
    logs = np.full(len(region_sets()), -np.log(len(region_sets())), np.float32)
    assert pool(logs, unusual, 0.99, Pooling(temperature=1.5)).regions == unusual


def test_tokens_stay_within_the_table_and_a_slip_keeps_most_of_them():
    one, other = (slot_numbers(Slots(series=text))[0] for text in ("abdomen", "abdomne"))
    assert all(0 <= number < BUCKETS for number in one)
    assert len(set(one) & set(other)) >= 4


def test_whatever_device_and_numbers_are_there_become_words_of_the_kind():
    kind = slots_of(
        Header.of({"Modality": "CT", "SliceThickness": "5", "Manufacturer": "A B"})
    ).kind
    assert kind.split() == ["Modality=ct", "Manufacturer=a_b", "SliceThickness~3"]


def test_how_a_scan_was_acquired_becomes_words_only_where_asked_for():
    header = Header.of(
        {
            "Modality": "MR",
            "ScanningSequence": r"GR\IR",
            "PixelSpacing": r"0.5\0.5",
            "PatientWeight": "70",
            "ImageOrientationPatient": r"1\0\0\0\1\0",
        }
    )
    assert slots_of(header).kind.split() == ["Modality=mr"]
    assert slots_of(header, acquisition=True).kind.split() == [
        "Modality=mr",
        r"ScanningSequence=gr\ir",
        "PixelSpacing~3",
        "PatientWeight~4",
        "plane=axial",
    ]


@pytest.mark.parametrize(
    ("cosines", "plane"),
    [
        (r"1\0\0\0\1\0", "axial"),
        ("0.99 0.1 0 0 0 -1", "coronal"),
        ([0, 1, 0, 0, 0, -1], "sagittal"),
        ([0.7, 0.7, 0, 0, 0.5, 0.87], "oblique"),
        ([1, 0, 0], ""),
        (r"1\0\x\0\1\0", ""),
        ("", ""),
    ],
)
def test_the_plane_of_slices_follows_from_their_orientation(cosines, plane):
    assert Header.of({"ImageOrientationPatient": cosines}).plane == plane
    assert Header.of({"00200037": {"vr": "DS", "Value": cosines}}).plane == plane


def test_all_families_are_offered():
    assert set(FAMILIES) >= {"embedding-bag", "lstm", "random-forest", "decision-tree"}


@pytest.mark.parametrize("part", ["CHEST", "ABDOMEN", "HEAD"])
def test_a_ct_that_body_part_examined_alone_describes_is_no_surer_than_such_are_right(part):
    alone = recognize({"Modality": "CT", "BodyPartExamined": part})
    described = recognize({"Modality": "CT", "BodyPartExamined": part, "StudyDescription": part})
    assert alone.regions == described.regions
    assert alone.confidence == pytest.approx(24 / 39)
    assert described.confidence > 0.9


def test_words_that_name_no_anatomy_and_other_modalities_lower_no_confidence():
    told = {"Modality": "CT", "BodyPartExamined": "CHEST", "SeriesDescription": "1.25 mm"}
    assert recognize(told).confidence > 0.8
    assert recognize({"Modality": "MR", "BodyPartExamined": "BREAST"}).confidence > 0.8


def test_a_site_that_measured_before_body_part_alone_was_counted_keeps_its_table():
    older = {name: part for name, part in shipped_table().items() if name != "alone"}
    model = TagRecognizer(Calibration.of(older))
    told = Header.of({"Modality": "CT", "BodyPartExamined": "CHEST"})
    assert model.recognize(told).confidence == pytest.approx(24 / 39)


def test_a_site_counts_how_often_body_part_alone_is_right():
    chest = frozenset((frozenset(("chest",)),))
    head = frozenset((frozenset(("head",)),))
    bare = Header.of({"Modality": "CT", "BodyPartExamined": "CHEST"})
    said = Header.of({"Modality": "CT", "BodyPartExamined": "CHEST", "StudyDescription": "x"})
    rows = [LabelledHeader(bare, chest), LabelledHeader(bare, head), LabelledHeader(said, chest)]
    assert measure(rows)["alone"]["CT"] == {"right": 1, "seen": 2, "prior": 0.6}
