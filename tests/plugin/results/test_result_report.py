# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the structured report says."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from inference.contract import CodedConcept, FindingClass, ImageAnalysis, Outcome
from plugin.results import ResultBuildError, ResultOptions, build, sr_tree
from plugin.results.codes import probability_of
from tests.plugin.results.samples import SOURCES, analysed, blob, dx_header, letterbox


def groups_of(report):
    (measurements,) = sr_tree.named(report, codes.DCM.ImagingMeasurements)
    return sr_tree.named(measurements, codes.DCM.MeasurementGroup)


def code_of(item):
    value = item.ConceptCodeSequence[0]
    return value.CodeValue, value.CodingSchemeDesignator


def texts(report):
    return [item.TextValue for item in sr_tree.descendants(report) if item.ValueType == "TEXT"]


def probabilities(group):
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: float(
            item.MeasuredValueSequence[0].NumericValue
        )
        for item in sr_tree.of_type(group, "NUM")
    }


@pytest.fixture
def report(objects, dx):
    return objects(dx)["SR"].dataset


def test_each_region_has_a_group_and_so_has_the_whole_image(report):
    findings = [code_of(sr_tree.named(group, codes.DCM.Finding)[0]) for group in groups_of(report)]
    assert findings == [
        ("111242", "DCM"),
        ("427359005", "SCT"),
        ("427359005", "SCT"),
        ("60046008", "SCT"),
    ]


def test_the_whole_image_group_has_the_global_probability_of_every_class(report):
    assert probabilities(groups_of(report)[0]) == {
        "Probability of Pulmonary nodule": 91.0,
        "Probability of Pleural effusion": 70.0,
        "Probability of Pneumothorax": 3.0,
    }


def test_the_whole_image_group_says_which_classes_are_present(report):
    said = {
        item.ConceptNameCodeSequence[0].CodeMeaning: code_of(item)
        for item in sr_tree.of_type(groups_of(report)[0], "CODE")
    }
    assert said["Pulmonary nodule"] == ("52101004", "SCT")
    assert said["Pneumothorax"] == ("272519000", "SCT")


def test_the_threshold_that_decided_stands_beside_the_probability(report):
    said = texts(groups_of(report)[0])
    assert "threshold pneumothorax=0.5" in said
    assert "threshold pulmonary-nodule=0.5" in said


def test_a_region_has_the_highest_patch_probability_inside_it(report):
    found = [probabilities(group) for group in groups_of(report)[1:]]
    assert found == [
        {"Probability of Pulmonary nodule": pytest.approx(95.0, abs=0.01)},
        {"Probability of Pulmonary nodule": pytest.approx(80.0, abs=0.01)},
        {"Probability of Pleural effusion": pytest.approx(90.0, abs=0.01)},
    ]


def test_every_group_identifies_the_algorithm_and_its_weights(report):
    for group in groups_of(report):
        (name,) = sr_tree.named(group, codes.DCM.AlgorithmName)
        (version,) = sr_tree.named(group, codes.DCM.AlgorithmVersion)
        parameters = [
            item.TextValue for item in sr_tree.named(group, codes.DCM.AlgorithmParameters)
        ]
        assert (name.TextValue, version.TextValue) == ("chest-phantom", "1.0")
        assert "bundle sha256=" + "ab" * 32 in parameters


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_report_says_it_is_not_for_diagnosis(objects, dx, outcome):
    said = texts(objects(dx, outcome)["SR"].dataset)
    assert any("not for diagnosis" in text and "phantoms" in text for text in said)


@pytest.mark.parametrize(
    ("outcome", "summary", "analyses", "flag"),
    [
        (Outcome.FINDINGS, "111242", "111222", "COMPLETE"),
        (Outcome.NO_FINDINGS, "111241", "111222", "COMPLETE"),
        (Outcome.ABSTAINED, "111243", "111223", "PARTIAL"),
        (Outcome.REFUSED, "111245", "111225", "PARTIAL"),
        (Outcome.FAILED, "111245", "111224", "PARTIAL"),
    ],
)
def test_every_outcome_is_coded_and_told_in_words(objects, dx, outcome, summary, analyses, flag):
    report = objects(dx, outcome, reason="words of the reason")["SR"].dataset
    for place in (groups_of(report)[0], sr_tree.children(report)[-1]):
        (found,) = sr_tree.named(place, codes.DCM.CADProcessingAndFindingsSummary)
        (how,) = sr_tree.named(place, codes.DCM.SummaryOfAnalyses)
        assert code_of(found)[0] == summary
        assert code_of(how)[0] == analyses
    assert "words of the reason" in texts(report)
    assert report.CompletionFlag == flag
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


@pytest.mark.parametrize("outcome", [Outcome.ABSTAINED, Outcome.REFUSED, Outcome.FAILED])
def test_what_is_no_judgement_states_no_probability(objects, dx, outcome):
    report = objects(dx, outcome)["SR"].dataset
    (group,) = groups_of(report)
    assert probabilities(group) == {}


def test_a_negative_still_states_every_probability(objects, dx):
    (group,) = groups_of(objects(dx, Outcome.NO_FINDINGS)["SR"].dataset)
    assert len(probabilities(group)) == 3


def test_an_image_without_findings_in_a_scan_with_findings_is_negative(dx, model, answer, image):
    clean = image(dx.Rows, dx.Columns, present=False)
    (only,) = build(dx, model, answer(Outcome.FINDINGS), clean, ResultOptions())
    found = sr_tree.named(groups_of(only.dataset)[0], codes.DCM.CADProcessingAndFindingsSummary)
    assert code_of(found[0])[0] == "111241"


def test_a_present_class_without_a_hot_cell_is_reported_without_regions(objects, dx):
    flat = analysed("pneumothorax", blob(9, 9, 3, 0.3), present=True, probability=0.8)
    analysis = ImageAnalysis(
        sop_instance_uid="1.2",
        rows=dx.Rows,
        columns=dx.Columns,
        extent=letterbox(dx.Rows, dx.Columns),
        classes=(flat,),
    )
    built = objects(dx, analysis=analysis)
    assert set(built) == {"SR"}
    assert probabilities(groups_of(built["SR"].dataset)[0]) == {
        "Probability of Pneumothorax": pytest.approx(80.0)
    }


def test_a_failure_before_any_model_names_sidelight_itself(dx, answer):
    analysis = answer(Outcome.REFUSED, "no usable pixels").model_copy(
        update={"model": "", "version": "", "digest": ""}
    )
    (only,) = build(dx, None, analysis, None, ResultOptions())
    (group,) = groups_of(only.dataset)
    assert sr_tree.named(group, codes.DCM.AlgorithmName)[0].TextValue == "Sidelight"


def test_the_region_is_written_beside_the_probability_and_below_it(report):
    for group in groups_of(report):
        (region,) = sr_tree.of_type(group, "SCOORD")
        for number in sr_tree.of_type(group, "NUM"):
            (inferred,) = sr_tree.of_type(number, "SCOORD")
            assert inferred.RelationshipType == "INFERRED FROM"
            assert list(inferred.GraphicData) == list(region.GraphicData)


def test_the_image_below_a_region_is_named_original_source(report):
    scoords = [item for item in sr_tree.descendants(report) if item.ValueType == "SCOORD"]
    for scoord in scoords:
        (image,) = sr_tree.of_type(scoord, "IMAGE")
        assert sr_tree.is_named(image, codes.DCM.OriginalSource)
    assert len(scoords) == 4 + 6


def test_tracking_uids_are_unique_and_identifiers_open_in_ohif(report):
    uids = [sr_tree.named(g, codes.DCM.TrackingUniqueIdentifier)[0].UID for g in groups_of(report)]
    names = [sr_tree.named(g, codes.DCM.TrackingIdentifier)[0].TextValue for g in groups_of(report)]
    assert len(set(uids)) == len(uids)
    assert names == [
        "Cornerstone3DTools@^0.1.0:RectangleROI:Whole image",
        "Cornerstone3DTools@^0.1.0:PlanarFreehandROI:Pulmonary nodule 1",
        "Cornerstone3DTools@^0.1.0:PlanarFreehandROI:Pulmonary nodule 2",
        "Cornerstone3DTools@^0.1.0:PlanarFreehandROI:Pleural effusion 1",
    ]


def test_the_evidence_lists_the_original_once(report, dx):
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    assert instance.ReferencedSOPInstanceUID == dx.SOPInstanceUID
    assert series.SeriesInstanceUID == dx.SeriesInstanceUID


def test_references_to_a_multi_frame_image_name_the_frame(objects, image):
    source = SOURCES["US, multi-frame"]()
    built = objects(source, analysis=image(source.Rows, source.Columns, frame=5))
    for item in sr_tree.descendants(built["SR"].dataset):
        for reference in item.get("ReferencedSOPSequence", []):
            assert reference.ReferencedFrameNumber == 5
    for frame in built["SEG"].dataset.PerFrameFunctionalGroupsSequence:
        source_image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert source_image.ReferencedFrameNumber == 5


def test_the_finding_site_is_told_when_the_model_is_made_for_one_region(report):
    (site,) = sr_tree.named(groups_of(report)[1], codes.SCT.FindingSite)
    assert code_of(site) == ("816094009", "SCT")


def test_the_probability_of_a_cancer_has_the_code_that_stone_prints():
    def finding(value: str, key: str = "some") -> FindingClass:
        return FindingClass(
            key=key,
            name="some finding",
            code=CodedConcept(value=value, scheme="SCT", meaning="x"),
            threshold=0.5,
            patch_threshold=0.5,
        )

    assert probability_of(finding("254837009")) == codes.DCM.ProbabilityOfCancer
    own = probability_of(finding("36118008", "a-very-long-key-of-a-class"))
    assert own.scheme_designator == "99SIDELIGHT"
    assert len(own.value) <= 16
    assert own != probability_of(finding("36118008", "a-very-long-key-of-another"))


def test_regions_beyond_the_most_that_are_outlined_are_counted_in_words(objects, dx):
    speckle = (blob(0, 0, 1, 0) + 0).copy()
    speckle[20:44:2, 24:40:2] = 0.9
    analysis = ImageAnalysis(
        sop_instance_uid="1.2",
        rows=dx.Rows,
        columns=dx.Columns,
        extent=letterbox(dx.Rows, dx.Columns),
        classes=(analysed("pneumothorax", speckle, present=True, probability=0.8),),
    )
    report = objects(dx, analysis=analysis)["SR"].dataset
    assert len(groups_of(report)) == 1 + 20
    assert "Pneumothorax: 76 more regions without an outline" in texts(report)


@pytest.mark.parametrize(
    ("keyword", "outcome"),
    [
        *((k, Outcome.FAILED) for k in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")),
        ("SeriesInstanceUID", Outcome.FAILED),
        ("Rows", Outcome.FINDINGS),
        ("Columns", Outcome.FINDINGS),
    ],
)
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_what_no_result_can_do_without_is_named(model, answer, image, keyword, outcome, how):
    header = dx_header()
    if how == "missing":
        del header[keyword]
    else:
        header[keyword].value = None
    with pytest.raises(ResultBuildError, match=keyword):
        build(header, model, answer(outcome), image(300, 200), ResultOptions())


def test_an_answer_about_another_size_is_refused(dx, model, answer, image):
    with pytest.raises(ResultBuildError, match="wrong place"):
        build(dx, model, answer(Outcome.FINDINGS), image(10, 10), ResultOptions())


def test_a_judgement_without_its_image_is_refused(dx, model, answer):
    with pytest.raises(ResultBuildError, match="needs its model and image"):
        build(dx, model, answer(Outcome.FINDINGS), None, ResultOptions())


def test_a_class_that_the_model_does_not_know_is_refused(dx, model, answer, image):
    known = image(dx.Rows, dx.Columns)
    odd = known.classes[0].model_copy(update={"key": "unheard-of"})
    strange = known.model_copy(update={"classes": (odd,)})
    with pytest.raises(ResultBuildError, match="unheard-of"):
        build(dx, model, answer(Outcome.FINDINGS), strange, ResultOptions())


def test_a_frame_that_the_original_does_not_have_is_refused(dx, model, answer, image):
    with pytest.raises(ResultBuildError, match="frame 3"):
        build(dx, model, answer(Outcome.FINDINGS), image(300, 200, frame=3), ResultOptions())


@pytest.mark.parametrize(
    "wrong",
    [
        {"segmentation": "MASKS"},
        {"additional": ("SR",)},
        {"viewer_profile": "none"},
        {"series_number_base": 0},
        {"bands": ()},
        {"bands": (0.2, 0.5)},
        {"bands": (0.0, 0.5, 0.5)},
        {"bands": (0.0, 1.0)},
    ],
)
def test_options_that_can_not_be_meant_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ResultOptions(**wrong)


def test_two_models_of_one_code_keep_their_own_words(model, answer, image) -> None:
    said = []
    for name in ("Spot", "Shadow"):
        first, *others = model.classes
        renamed = first.model_copy(update={"name": name})
        other = model.model_copy(update={"classes": (renamed, *others)})
        objects = build(
            dx_header(), other, answer(Outcome.FINDINGS), image(300, 200), ResultOptions()
        )
        said.append(str(next(one.dataset for one in objects if one.kind == "SR")))
    assert "Probability of Spot" in said[0]
    assert "Probability of Shadow" in said[1]
    assert "Probability of Spot" not in said[1]


def comments(group):
    return [item.TextValue for item in sr_tree.named(group, codes.DCM.Comment)]


def test_every_group_says_in_words_what_ohif_names_its_measurement_by(report):
    assert [comments(group) for group in groups_of(report)] == [
        ["Findings: Pulmonary nodule 91.00 %, Pleural effusion 70.00 %"],
        ["Pulmonary nodule 95.00 %"],
        ["Pulmonary nodule 80.00 %"],
        ["Pleural effusion 90.00 %"],
    ]


@pytest.mark.parametrize(
    ("outcome", "reason", "words"),
    [
        (Outcome.NO_FINDINGS, "", "No findings"),
        (Outcome.ABSTAINED, "low confidence", "Abstained: low confidence"),
        (Outcome.REFUSED, "a\nlateral", "Refused: a lateral"),
        (Outcome.FAILED, "", "Failed"),
    ],
)
def test_an_outcome_without_findings_is_one_line_of_words(objects, dx, outcome, reason, words):
    (group,) = groups_of(objects(dx, outcome, reason=reason)["SR"].dataset)
    assert comments(group) == [words]


@pytest.mark.parametrize("profile", ["ihe-air", "weasis"])
def test_a_profile_without_ohif_repeats_nothing_in_words(objects, dx, profile):
    built = objects(dx, options=ResultOptions(viewer_profile=profile))
    assert [comments(group) for group in groups_of(built["SR"].dataset)] == [[]] * 4
