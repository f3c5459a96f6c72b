# SPDX-License-Identifier: Apache-2.0
"""A series among the others of its study: what it hears, and what it makes of it."""

import random

import numpy as np
import pytest

from inference.anatomy import Header
from inference.anatomy.evidence import evidence
from inference.anatomy.learned import MetadataModel, shipped_model
from inference.anatomy.learned.families import AnatomyModelError, read_weights
from inference.anatomy.learned.recognizer import shipped_weights
from inference.anatomy.learned.region_sets import region_sets
from inference.anatomy.learned.siblings import (
    MOST_SIBLINGS,
    Sibling,
    Study,
    sibling_numbers,
    sibling_of,
)
from inference.anatomy.learned.slots import Slots, token_numbers
from inference.anatomy.learned.study import (
    SIBLINGS,
    InStudy,
    StudyModel,
    in_study,
    shipped_study_model,
)
from inference.anatomy.lexicon import lexicon_digest
from inference.anatomy.training.augmentation import VARIED
from inference.anatomy.training.batches import lessons
from inference.anatomy.training.corpus import CorpusError, Example
from inference.anatomy.training.heldout import write_test_table
from inference.anatomy.training.joining import train_study
from inference.anatomy.training.studies import (
    others_in_index,
    study_epoch,
    with_siblings,
    with_siblings_of_index,
)
from inference.contract import STUDY_VOTE

HEAD_SERIES = ("t2_tse_tra", "t1_mprage_sag", "flair_tra", "swi_tra")
PROSTATE_SERIES = ("t2_tse_tra", "ep2d_diff_b50_400_800", "t2_tse_sag", "t1_vibe_dyn_dce")
KNEE_SERIES = ("localizer", "pd_tse_fs_sag", "pd_tse_fs_cor", "t1_tse_cor")


def study(*names, modality="MR", **more):
    return [Header.of({"Modality": modality, "SeriesDescription": n} | more) for n in names]


def heard(header):
    return sibling_of(header, evidence(header))


@pytest.mark.parametrize(
    ("names", "region"),
    [(HEAD_SERIES, "head"), (PROSTATE_SERIES, "pelvis"), (KNEE_SERIES, "lower limb")],
)
def test_names_that_say_nothing_alone_say_it_together(names, region):
    alone = [answer.regions for answer in shipped_model().recognize_all(study(*names))]
    assert alone.count((region,)) < len(names)
    answers = shipped_model().recognize_study(study(*names))
    assert [answer.regions for answer in answers] == [(region,)] * len(names)


def test_the_same_name_is_one_thing_in_one_study_and_another_in_another():
    headers = [*study(*HEAD_SERIES), *study(*PROSTATE_SERIES)]
    answers = shipped_model().recognize_studies(headers, [1] * 4 + [2] * 4)
    assert (answers[0].regions, answers[4].regions) == (("head",), ("pelvis",))


def test_a_series_of_no_study_stands_alone():
    alone = shipped_model().recognize_all(study(*PROSTATE_SERIES))
    answers = shipped_model().recognize_studies(study(*PROSTATE_SERIES), [None] * 4)
    assert [a.regions for a in answers] == [a.regions for a in alone]
    assert [a.confidence for a in answers] == pytest.approx([a.confidence for a in alone])


def test_what_a_series_names_itself_stands():
    named, *others = study("Shoulder pd_tse_fs", *HEAD_SERIES)
    model = shipped_model()
    answer, *_ = model.recognize_study([named, *others])
    assert answer.regions == ("upper limb",)
    assert answer.confidence == pytest.approx(model.recognize(named).confidence)
    assert STUDY_VOTE not in [vote.attribute for vote in answer.votes]


def test_a_series_hears_those_of_its_own_modality_alone():
    silent, *_ = study("t2_tse_tra")
    other = study("CT HEAD", modality="CT")
    answers = shipped_model().recognize_study([silent, *other])
    assert answers[0].confidence == pytest.approx(shipped_model().recognize(silent).confidence)


def test_the_vote_says_that_the_study_was_heard():
    answer = shipped_model().recognize_study(study(*PROSTATE_SERIES))[0]
    assert [vote.attribute for vote in answer.votes] == [STUDY_VOTE]


def test_names_of_orientations_alone_are_no_anatomy():
    answers = shipped_model().recognize_study(study("AX", "SAG", "COR"))
    assert [(answer.regions, answer.confidence) for answer in answers] == [((), 0.0)] * 3


def test_a_header_without_a_word_is_answered_by_its_study():
    silent = Header.of({"Modality": "MR"})
    assert shipped_model().recognize(silent).regions == ()
    assert shipped_model().recognize_study([silent, *study(*KNEE_SERIES)])[0].regions == (
        "lower limb",
    )


def test_nobody_hears_himself_and_the_same_twice_is_heard_once():
    flair, adc = Sibling("flair"), Sibling("adc")
    three = Study({"a": flair, "b": adc, "c": adc})
    assert three.heard_by("a") == (adc,)
    assert three.heard_by("b") == (flair, adc), "another one is called the same"
    two = Study({"a": flair, "b": Sibling()})
    assert (two.heard_by("a"), two.heard_by("b")) == ((), (flair,))


def test_images_of_one_series_do_not_lean_on_each_other():
    slices = study(*[PROSTATE_SERIES[0]] * 3)
    model = shipped_model()
    alone = model.recognize(slices[0])
    together = model.recognize_studies(slices, ["study"] * 3, ["series"] * 3)
    assert [one.confidence for one in together] == pytest.approx([alone.confidence] * 3)
    whole = [*slices, *study(*PROSTATE_SERIES[1:])]
    names = ["a", "a", "a", "b", "c", "d"]
    in_whole = model.recognize_studies(whole, ["study"] * 6, names)
    once = model.recognize_study(study(*PROSTATE_SERIES))
    assert in_whole[2].confidence == pytest.approx(once[0].confidence, abs=1e-5)
    assert [answer.regions for answer in in_whole] == [("pelvis",)] * 6


def test_of_many_series_those_that_name_a_region_are_heard_first():
    bare = [Sibling(f"series {letter}") for letter in "abcdefghijklmnopqrstuvwxyz"]
    naming = Sibling("knee", ("sibling:series:lower-limb",))
    told = Study(dict(enumerate([*bare, naming]))).heard_by(0)
    assert told == (naming, *bare[1:MOST_SIBLINGS])


def test_a_sibling_is_its_name_and_what_the_lexicon_reads():
    header = Header.of({"Modality": "MR", "StudyDescription": "MR KNEE", "ProtocolName": "pd_fs"})
    assert heard(header) == Sibling("pd_fs", ("sibling:study:lower-limb",))
    both = Header.of({"Modality": "MR", "ProtocolName": "P", "SeriesDescription": "S"})
    assert heard(both).name == "S"
    assert not heard(Header.of({"Modality": "MR"})).speaks


def test_numbers_of_siblings_are_those_of_their_names_and_readings():
    numbers = sibling_numbers([Sibling("flair"), Sibling("", ("sibling:study:head",))])
    assert numbers[:-1] == token_numbers("flair")
    assert len(numbers) == len(token_numbers("flair")) + 1
    assert sibling_numbers([]) == ()


def test_three_are_heard_and_none_has_to_speak():
    sets = len(region_sets())
    head, even = np.full(sets, -8.0, np.float32), np.full(sets, -np.log(sets), np.float32)
    head[1] = -0.01
    shown = np.full(sets, 0.0, np.float32)
    shown[3] = 1.0
    for alone, siblings in ((None, None), (head, None), (None, shown), (head, shown)):
        logs = in_study(alone, even, siblings)
        assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-5)
    assert in_study(None, even, shown).argmax() == 3
    assert in_study(head, even, None).argmax() == 1


def test_the_shipped_model_of_studies_belongs_to_the_shipped_lexicon_and_is_small():
    path = shipped_weights().with_name("study.safetensors")
    arrays, described = read_weights(path)
    assert described["lexicon"] == lexicon_digest()
    assert arrays["inner"].shape[0] == 6 * arrays["vectors"].shape[1]
    assert path.stat().st_size + shipped_weights().stat().st_size <= 8_000_000
    assert shipped_study_model() is shipped_study_model()


def test_weights_of_studies_and_of_headers_are_not_taken_for_each_other():
    with pytest.raises(AnatomyModelError, match="model of studies"):
        MetadataModel.load(shipped_weights().with_name("study.safetensors"))
    with pytest.raises(AnatomyModelError, match="not of a model of studies"):
        StudyModel.load(shipped_weights())


def test_the_network_of_six_slots_answers_without_torch_as_with_it():
    torch = pytest.importorskip("torch")
    from inference.anatomy.training.networks import BagNetwork

    torch.manual_seed(1)
    network = BagNetwork(False, 20, slots=6)
    network.eval()
    series = [
        InStudy(Slots(series="t2 tse", kind="Modality=mr"), (Sibling("flair"), Sibling("swi"))),
        InStudy(Slots(kind="Modality=mr"), (Sibling("", ("sibling:tag:head",)),)),
    ]
    ours = StudyModel(network.arrays()).log_probabilities(series)
    theirs = torch.log_softmax(network(series), dim=1).detach().numpy()
    assert np.allclose(ours, theirs, atol=2e-2)


def example(group, **values):
    return Example(group, {"Modality": "MR"} | values, frozenset((frozenset(("head",)),)))


def test_in_a_table_a_study_is_what_a_site_calls_the_same():
    rows = [
        example("a", StudyDescription="BRAIN", SeriesDescription="FLAIR"),
        example("a", StudyDescription="BRAIN", SeriesDescription="SWI"),
        example("a", StudyDescription="PITUITARY", SeriesDescription="T1 DYN"),
        example("b", StudyDescription="BRAIN", SeriesDescription="ADC"),
    ]
    found = with_siblings(rows)
    assert [row.values["SeriesDescription"] for row in found] == ["FLAIR", "SWI"]
    assert [[one.name for one in row.siblings] for row in found] == [["SWI"], ["FLAIR"]]
    assert found[0].siblings[0].readings == ("sibling:series?:head", "sibling:study:head")


def index_file(folder, series):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = ("collection_id", "StudyInstanceUID", "StudyDescription", "SeriesDescription")
    rows = [
        dict(zip(names, (*one, None, None), strict=False))
        | {"Modality": "MR", "BodyPartExamined": None, "license_short_name": "CC BY 4.0"}
        | (one[4] if len(one) > 4 else {})
        for one in series
    ]
    path = folder / "idc_index.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_the_index_says_which_series_are_of_one_study(tmp_path):
    path = index_file(
        tmp_path,
        [
            ("c", "1.1", None, "FLAIR"),
            ("c", "1.1", None, "SWI"),
            ("c", "1.1", None, "SWI"),
            ("c", "1.1", None, "CT HEAD", {"Modality": "CT"}),
            ("c", "1.1", None, "ADC", {"license_short_name": "CC BY-NC 4.0"}),
            ("c", "1.1", None, "REPORT", {"Modality": "SR"}),
            ("c", "1.2", None, "T1"),
            ("d", "1.3", None, "FLAIR"),
        ],
    )
    rows = [example("c", SeriesDescription=name) for name in ("FLAIR", "T1", "NOT THERE")]
    others = others_in_index(rows, path)
    assert others == [[{"Modality": "MR", "SeriesDescription": "SWI"}], [], []]
    found = with_siblings_of_index(rows, path)
    assert [[one.name for one in row.siblings] for row in found] == [["SWI"]]


def test_a_header_of_many_studies_is_always_shown_in_the_same_one(tmp_path):
    series = [
        row
        for number in range(20)
        for row in (("c", f"1.{number}", None, "FLAIR"), ("c", f"1.{number}", None, f"S{number}"))
    ]
    rows = [example("c", SeriesDescription="FLAIR")]
    first = others_in_index(rows, index_file(tmp_path, series))
    assert len(first[0]) == 1
    assert others_in_index(rows, index_file(tmp_path, series[::-1])) == first


def test_what_is_no_index_is_refused_by_name(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "index.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(CorpusError, match="Imaging Data Commons"):
        others_in_index([], path)


def test_who_leaves_a_tag_out_of_one_series_leaves_it_out_of_all():
    readings = ("sibling:series:head", "sibling:study:head", "sibling:tag:head")
    row = Example(
        "a",
        {"Modality": "MR", "SeriesDescription": "X", "BodyPartExamined": "HEAD"},
        frozenset((frozenset(("head",)),)),
        siblings=(Sibling("FLAIR", readings), Sibling("SWI", readings)),
    )
    shown = study_epoch(lessons([row]), 300, random.Random(1), VARIED)  # noqa: S311
    with_tag = [one.slots for one in shown if one.slots.slots.tag]
    without = [one.slots for one in shown if not one.slots.slots.tag]
    assert len(with_tag) > 50
    assert len(without) > 50
    said = {reading for one in without for sibling in one.siblings for reading in sibling.readings}
    assert said == {"sibling:series:head"}, "the study is not described either"
    assert any("sibling:tag:head" in s.readings for one in with_tag for s in one.siblings)
    assert {len(one.slots.siblings) for one in shown} == {1, 2}


def test_a_model_of_studies_learns_from_names_what_a_series_does_not_say(tmp_path):
    pytest.importorskip("torch")
    regions = {"head": HEAD_SERIES[1:], "lower limb": KNEE_SERIES[1:]}
    rows = [
        Example(f"{region} {copy}", {"Modality": "MR", "SeriesDescription": name},
                frozenset((frozenset((region,)),)))
        for region, names in regions.items()
        for copy in range(4)
        for name in (*names, "localizer")
    ]  # fmt: skip
    paths = [tmp_path / name for name in ("one.safetensors", "two.safetensors")]
    for path in paths:
        train_study(with_siblings(rows), path, lambda _: None, epochs=3, shown=1024)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    model = StudyModel.load(paths[0])
    assert read_weights(paths[0])[1][SIBLINGS] is True
    localizer = Slots(series="localizer", kind="Modality=mr")
    for region, names in regions.items():
        logs = model.log_probabilities([InStudy(localizer, [Sibling(name) for name in names])])
        assert region_sets()[int(logs[0].argmax())] == frozenset((region,))


def test_nothing_to_learn_is_said(tmp_path):
    with pytest.raises(CorpusError, match="no header"):
        train_study([], tmp_path / "w.safetensors", lambda _: None)


def test_headers_that_differ_in_numbers_alone_test_once(tmp_path):
    series = ("B0 3D", "qMT 3D")
    rows = [
        {"Modality": "MR", "StudyDescription": f"2065_12{number}", "SeriesDescription": name}
        for number in range(30)
        for name in series
    ]
    path = tmp_path / "table.csv"
    assert write_test_table({"qin_breast_02": rows, "lidc_idri": rows}, path) == 2
    assert path.read_text(encoding="utf-8").count("qin_breast_02,MR,2065_120,") == 2
