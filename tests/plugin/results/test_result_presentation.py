# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the presentation state draws, and on what."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import ImageCms
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from plugin.results import sr_tree
from tests.plugin.results.samples import SOURCES, dx_header


def state_of(objects, header):
    return objects(header)["PR"].dataset


def graphics(state):
    return [
        graphic
        for annotation in state.GraphicAnnotationSequence
        for graphic in annotation.get("GraphicObjectSequence", [])
    ]


def words(state):
    return [
        text.UnformattedTextValue
        for annotation in state.GraphicAnnotationSequence
        for text in annotation.get("TextObjectSequence", [])
    ]


def test_outlines_are_those_of_the_report(objects, dx):
    built = objects(dx)
    drawn = {
        graphic.TrackingUID: list(graphic.GraphicData) for graphic in graphics(built["PR"].dataset)
    }
    (measurements,) = sr_tree.named(built["SR"].dataset, codes.DCM.ImagingMeasurements)
    reported = {
        sr_tree.named(group, codes.DCM.TrackingUniqueIdentifier)[0].UID: list(
            sr_tree.of_type(group, "SCOORD")[0].GraphicData
        )
        for group in sr_tree.children(measurements)[1:]
    }
    assert drawn == reported
    assert len(drawn) == 3


def test_labels_name_finding_and_probability(objects, dx):
    assert words(state_of(objects, dx))[:3] == [
        "Pulmonary nodule 95 %",
        "Pulmonary nodule 80 %",
        "Pleural effusion 90 %",
    ]


def test_the_picture_itself_says_that_it_is_not_for_diagnosis(objects, header):
    last = words(state_of(objects, header))[-1]
    assert "not for diagnosis" in last
    assert "chest-phantom 1.0" in last


def test_each_finding_has_a_layer_of_its_colour(objects, dx):
    layers = state_of(objects, dx).GraphicLayerSequence
    names = [layer.GraphicLayerDescription for layer in layers]
    colours = {tuple(layer.GraphicLayerRecommendedDisplayCIELabValue) for layer in layers}
    assert names == ["Pulmonary nodule", "Pleural effusion", "What this result is"]
    assert len(colours) == 3


def test_the_whole_original_is_displayed(objects, header):
    (area,) = state_of(objects, header).DisplayedAreaSelectionSequence
    assert area.DisplayedAreaTopLeftHandCorner == [1, 1]
    assert area.DisplayedAreaBottomRightHandCorner == [header.Columns, header.Rows]


def test_pixels_that_are_not_square_keep_their_ratio(objects, dx):
    del dx.ImagerPixelSpacing
    dx.PixelAspectRatio = [2, 3]
    (area,) = state_of(objects, dx).DisplayedAreaSelectionSequence
    assert area.PresentationPixelAspectRatio == [2, 3]


@pytest.mark.parametrize(
    ("name", "grayscale"),
    [("DX", True), ("CR, MONOCHROME1", True), ("US, RGB", False), ("US, palette", False)],
)
def test_the_kind_of_state_follows_the_kind_of_pixels(objects, name, grayscale):
    state = state_of(objects, SOURCES[name]())
    assert state.SOPClassUID == (
        uid.GrayscaleSoftcopyPresentationStateStorage
        if grayscale
        else uid.ColorSoftcopyPresentationStateStorage
    )
    assert ("PresentationLUTShape" in state) == grayscale
    if not grayscale:
        profile = ImageCms.ImageCmsProfile(BytesIO(state.ICCProfile))
        assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_monochrome1_stays_inverted(objects):
    assert state_of(objects, SOURCES["MONOCHROME1"]()).PresentationLUTShape == "INVERSE"
    assert state_of(objects, dx_header()).PresentationLUTShape == "IDENTITY"


def test_the_window_and_rescale_of_the_original_are_repeated(objects, dx):
    dx.RescaleSlope, dx.RescaleIntercept = 2, -1024
    dx.WindowCenter, dx.WindowWidth = [40, 300], [400, 1500]
    state = state_of(objects, dx)
    (voi,) = state.SoftcopyVOILUTSequence
    assert (voi.WindowCenter, voi.WindowWidth) == (40, 400)
    assert (state.RescaleSlope, state.RescaleIntercept) == (2, -1024)


def test_the_window_of_an_enhanced_image_comes_from_its_functional_groups(objects):
    source = SOURCES["enhanced CT"]()
    state = state_of(objects, source)
    frame = source.PerFrameFunctionalGroupsSequence[0]
    shared = source.SharedFunctionalGroupsSequence[0]
    place = frame if "FrameVOILUTSequence" in frame else shared
    width = place.FrameVOILUTSequence[0].WindowWidth
    first = width[0] if isinstance(width, list) or hasattr(width, "append") else width
    assert state.SoftcopyVOILUTSequence[0].WindowWidth == first


@pytest.mark.parametrize("width", [0, 0.5, -3, None])
def test_a_window_that_no_viewer_can_apply_is_left_out(objects, dx, width):
    dx.WindowWidth = width
    assert "SoftcopyVOILUTSequence" not in state_of(objects, dx)


def test_lookup_tables_of_the_original_are_repeated(objects):
    modality = SOURCES["SC, modality LUT"]()
    assert (
        state_of(objects, modality).ModalityLUTSequence[0].LUTDescriptor
        == modality.ModalityLUTSequence[0].LUTDescriptor
    )
    voi = SOURCES["SC, VOI LUT"]()
    (repeated,) = state_of(objects, voi).SoftcopyVOILUTSequence
    assert repeated.VOILUTSequence[0].LUTDescriptor == voi.VOILUTSequence[0].LUTDescriptor


def test_a_broken_lookup_table_is_left_out(objects, dx):
    del dx.WindowCenter, dx.WindowWidth
    table = Dataset()
    table.LUTDescriptor = [256, 0, 8]
    dx.VOILUTSequence = [table]
    assert "SoftcopyVOILUTSequence" not in state_of(objects, dx)


def test_laterality_is_there_and_says_nothing_for_a_series_of_both_sides(objects, header):
    assert state_of(objects, header).Laterality == ""


def test_outlines_are_in_pixels_of_the_image(objects, header):
    for graphic in graphics(state_of(objects, header)):
        points = np.array(graphic.GraphicData).reshape(-1, 2)
        assert graphic.GraphicAnnotationUnits == "PIXEL"
        assert (points >= 0).all()
        assert (points <= [header.Columns, header.Rows]).all()
