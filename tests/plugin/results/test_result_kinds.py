# SPDX-License-Identifier: AGPL-3.0-or-later
"""The kinds of objects that are written by configuration."""

from __future__ import annotations

from io import BytesIO
from typing import get_args

import highdicom
import numpy as np
import pydicom
import pytest
from PIL import Image

from inference.contract import Outcome
from plugin.results import (
    AnalysedImage,
    KindNotPossibleError,
    ResultOptions,
    build_scan,
    not_possible,
    validate,
    validate_together,
)
from plugin.results.lettering import REGULAR, font, readable, wrapped
from plugin.results.objects import AdditionalKind
from plugin.results.parametric_map import build_parametric_maps
from plugin.results.scan_result import scan_result
from plugin.results.viewer_profiles import PROFILES
from tests.plugin.results.samples import SOURCES, dx_header

EVERY = get_args(AdditionalKind)
GREY = 100


def rendering(uid, frame):
    return Image.new("L", (200, 300), GREY)


@pytest.fixture
def every(model, answer, image):
    def make(header, outcome=Outcome.FINDINGS, profile="stone+ohif", draw=rendering):
        judged = outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
        present = outcome is Outcome.FINDINGS
        found = image(header.Rows, header.Columns, present=present) if judged else None
        options = ResultOptions(additional=EVERY, viewer_profile=profile)
        images = [AnalysedImage(header, found)]
        return build_scan(images, model, answer(outcome, "why"), options, draw)

    return make


def kinds(objects):
    return {one.kind for one in objects}


def one_of(objects, kind):
    return next(one for one in objects if one.kind == kind)


def read(one):
    return pydicom.dcmread(BytesIO(one.to_bytes()))


def test_every_kind_of_every_original_may_be_stored(every, header):
    made = every(header)
    assert {one.kind: validate(one) for one in made if validate(one)} == {}
    assert validate_together(made) == []
    assert kinds(made) >= {"SR", "PR", "SC", "KO", "PDF", "SEG-FRACTIONAL", "PR-HEATMAP"}
    if header.Rows > 3:
        # In three pixels no centre may lie in a region.
        assert kinds(made) >= {"SEG", "SEG-LABELMAP"}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_an_object_in_every_profile(every, dx, outcome, profile):
    options = ResultOptions(viewer_profile=profile)
    made = every(dx, outcome, profile)
    assert {one.kind: validate(one, options) for one in made if validate(one, options)} == {}
    assert kinds(made) >= {"SR", "SC", "PDF"}


def test_pydicom_writes_the_same_bytes(every, header):
    for one in every(header):
        buffer = BytesIO()
        one.dataset.save_as(buffer, enforce_file_format=True)
        assert buffer.getvalue() == one.to_bytes()


def test_series_numbers_of_kinds_are_all_different(every):
    made = every(SOURCES["CT with its plane"]())
    numbers = {one.kind: int(one.dataset.SeriesNumber) for one in made}
    assert sorted(numbers.values()) == list(range(9100, 9110))


# -- label map


def test_a_label_map_holds_the_bands_in_one_frame(every, dx):
    made = every(dx)
    bands, labels = read(one_of(made, "SEG")), read(one_of(made, "SEG-LABELMAP"))
    assert labels.pixel_array.shape == (300, 200)
    assert [s.SegmentLabel for s in labels.SegmentSequence[1:]] == [
        s.SegmentLabel for s in bands.SegmentSequence
    ]
    covered = bands.pixel_array.any(axis=0)
    assert np.array_equal(covered, labels.pixel_array > 0)


def test_in_a_label_map_the_more_probable_finding_wins(every, dx):
    labels = read(one_of(every(dx), "SEG-LABELMAP"))
    bands = read(one_of(every(dx), "SEG"))
    twice = bands.pixel_array.sum(axis=0) > 1
    assert twice.any()
    assert (labels.pixel_array[twice] > 0).all()


def test_highdicom_reads_the_label_map(every, dx):
    found = highdicom.seg.Segmentation.from_dataset(read(one_of(every(dx), "SEG-LABELMAP")))
    assert found.segmentation_type.value == "LABELMAP"


# -- parametric map


def test_a_map_holds_the_probabilities_on_the_models_own_grid(every, image):
    header = SOURCES["CT with its plane"]()
    maps = [one for one in every(header) if one.kind == "PM"]
    said = image(header.Rows, header.Columns).classes
    assert len(maps) == len(said)
    for one, analysed in zip(maps, said, strict=True):
        stored = read(one)
        values = np.frombuffer(stored.FloatPixelData, "<f4").reshape(64, 64)
        assert np.array_equal(values, analysed.maps[64].array())


def test_a_map_lies_where_its_image_lies(every):
    header = SOURCES["CT with its plane"]()
    found = one_of(every(header), "PM").dataset
    shared = found.SharedFunctionalGroupsSequence[0]
    place = found.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    cell = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    pixel = np.array(header.PixelSpacing, float)
    # 128 pixels in 64 cells: the outer corners must coincide.
    assert cell == pytest.approx(pixel * 2)
    along = np.array(header.ImageOrientationPatient, float).reshape(2, 3)

    def corner(position, spacing):
        return np.array(position, float) - (spacing[1] * along[0] + spacing[0] * along[1]) / 2

    assert corner(place.ImagePositionPatient, cell) == pytest.approx(
        corner(header.ImagePositionPatient, pixel), abs=1e-4
    )


def test_others_read_the_map(every):
    found = read(one_of(every(SOURCES["CT with its plane"]()), "PM"))
    assert highdicom.pm.ParametricMap.from_dataset(found).NumberOfFrames == 1
    assert found.pixel_array.dtype == np.float32
    assert found.pixel_array.max() == pytest.approx(0.95, abs=0.01)


def test_a_map_of_an_image_without_frame_of_reference_is_refused_before_any_work(every, dx):
    options = ResultOptions(additional=("PM",))
    assert "Frame of Reference" in not_possible(dx, options)["PM"]
    assert not_possible(SOURCES["CT with its plane"](), options) == {}
    assert "PM" not in kinds(every(dx))


def test_asked_for_directly_it_is_a_typed_error(dx, model, answer, image):
    analysed = [AnalysedImage(dx, image(300, 200))]
    result = scan_result(analysed, model, answer(Outcome.FINDINGS), ResultOptions())
    with pytest.raises(KindNotPossibleError, match="Frame of Reference"):
        build_parametric_maps(result)


# -- colours


def test_a_heat_map_is_blended_over_slices_and_coloured_alone_for_projections(every, dx):
    over = one_of(every(SOURCES["CT with its plane"]()), "PR-HEATMAP").dataset
    alone = one_of(every(dx), "PR-HEATMAP").dataset
    assert [item.BlendingPosition for item in over.BlendingSequence] == [
        "UNDERLYING",
        "SUPERIMPOSED",
    ]
    assert "BlendingSequence" not in alone
    fractions = one_of(every(dx), "SEG-FRACTIONAL").sop_instance_uid
    shown = alone.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    assert shown.ReferencedSOPInstanceUID == fractions


# -- picture


def test_the_picture_shows_the_image_the_heat_and_words_below(every, dx):
    picture = read(one_of(every(dx), "SC"))
    pixels = picture.pixel_array
    assert picture.BurnedInAnnotation == "YES"
    assert pixels.shape[1] == 720
    image_rows = round(300 * 720 / 200)
    assert tuple(pixels[5, 5]) == (GREY, GREY, GREY)
    coloured = np.ptp(pixels[:image_rows].astype(int), axis=2) > 20
    assert coloured.any()
    assert (pixels[image_rows:] > 150).any()


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (64, 64), (4000, 200), (200, 4000)])
def test_the_words_can_be_read_at_any_size(every, rows, columns):
    made = every(dx_header(rows, columns), draw=None)
    picture = one_of(made, "SC")
    assert validate(picture) == []
    # The words' field: no line of it is cut at the right edge.
    below = read(picture).pixel_array[-60:]
    assert (below > 150).any()
    assert not (below[:, -3:] > 150).any()


def test_words_wrap_and_foreign_letters_stay_readable():
    face = font(REGULAR, 20)
    lines = wrapped("a " * 50 + "x" * 200, face, 200)
    assert all(face.getlength(line) <= 200 for line in lines)
    assert readable("Müller 王") == "Müller ?"


def test_a_picture_of_an_image_that_can_not_be_drawn_says_so(every, dx):
    made = every(dx, draw=lambda uid, frame: None)
    assert validate(one_of(made, "SC")) == []


# -- key objects and page


def test_key_objects_select_images_with_findings_only(every, dx):
    selected = one_of(every(dx), "KO").dataset
    (item,) = [one for one in selected.ContentSequence if one.ValueType == "IMAGE"]
    assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == dx.SOPInstanceUID
    assert "KO" not in kinds(every(dx, Outcome.NO_FINDINGS))


def test_the_page_is_one_page_that_names_nobody_and_is_the_same_each_time(every, dx):
    first, second = (one_of(every(dx), "PDF").dataset for _ in range(2))
    page = first.EncapsulatedDocument
    assert page == second.EncapsulatedDocument
    assert page.count(b"/Type /Page\n") == 1
    assert b"Phantom^Chest" not in page
    assert first.MIMETypeOfEncapsulatedDocument == "application/pdf"


# -- the gate


@pytest.mark.parametrize(
    ("kind", "spoil", "words"),
    [
        ("SC", lambda d: setattr(d, "BurnedInAnnotation", "NO"), "Burned In"),
        ("SC", lambda d: setattr(d, "Columns", 100), "Pixel Data"),
        ("KO", lambda d: setattr(d, "ContentSequence", []), "selects no image"),
        ("KO", lambda d: setattr(d, "CurrentRequestedProcedureEvidenceSequence", []), "evidence"),
        ("PDF", lambda d: setattr(d, "EncapsulatedDocument", b"<html>"), "is no PDF"),
        ("PDF", lambda d: setattr(d, "EncapsulatedDocumentLength", 100), "cut short"),
        ("PM", lambda d: setattr(d, "FrameOfReferenceUID", ""), "Frame of Reference"),
        ("PM", lambda d: setattr(d, "FloatPixelData", b"\0\0\x80\x7f" * 4096), "probabilities"),
        ("PR-HEATMAP", lambda d: setattr(d, "BlendingSequence", []), "nothing to colour"),
        ("PR-HEATMAP", lambda d: delattr(d, "RedPaletteColorLookupTableData"), "Red Palette"),
        ("SEG-LABELMAP", lambda d: d.SegmentSequence.pop(0), "count from 0"),
    ],
)
def test_a_spoiled_object_is_refused(every, kind, spoil, words):
    spoiled = one_of(every(SOURCES["CT with its plane"]()), kind)
    spoil(spoiled.dataset)
    assert words in "\n".join(validate(spoiled, ResultOptions(validators=())))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("outcome", [Outcome.ABSTAINED, Outcome.REFUSED, Outcome.FAILED])
def test_an_image_without_size_is_refused_in_words(dx, model, answer, outcome, profile):
    del dx.Rows
    options = ResultOptions(additional=EVERY, viewer_profile=profile)
    made = build_scan([AnalysedImage(dx, None)], model, answer(outcome, "no rows"), options)
    assert kinds(made) == {"SR"}
    assert validate(made[0], options) == []
    said = [one.get("TextValue") for one in made[0].dataset.ContentSequence]
    assert "no rows" in said
    assert not_possible(dx, options).keys() == set(EVERY)
