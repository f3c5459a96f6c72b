# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the segmentation shows."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.color import CIELabColor
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.contract import ImageAnalysis
from plugin.results import ResultOptions
from plugin.results.bands import Band, Window, limits
from plugin.results.pixel_packing import pack
from plugin.results.regions import locate
from tests.plugin.results.samples import SOURCES, analysed, blob, dx_header, letterbox


def stored(one):
    return pydicom.dcmread(BytesIO(one.to_bytes()))


def analysis_of(header, array, key="pneumothorax"):
    return ImageAnalysis(
        sop_instance_uid="1.2",
        rows=header.Rows,
        columns=header.Columns,
        extent=letterbox(header.Rows, header.Columns),
        classes=(analysed(key, array, present=True, probability=0.9),),
    )


@pytest.mark.parametrize("shape", [(300, 200), (301, 203), (64, 8), (1, 1), (7, 3)])
def test_bands_are_where_the_interpolated_map_says(objects, model, shape):
    header = dx_header(*shape)
    analysis = analysis_of(header, blob(32, 32, 8, 0.99))
    found = stored(objects(header, analysis=analysis)["SEG"])
    one = locate(model.classes[2], analysis.classes[0], analysis)
    x, y = np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5
    field = one.field.sample(x, y)
    edges = [0.5, 0.5 + 0.5 / 3, 0.5 + 1 / 3, 1.01]
    wanted = [(field >= low) & (field < high) for low, high in pairwise(edges)]
    wanted = [mask for mask in wanted if mask.any()]
    frames = found.pixel_array.reshape(-1, *shape).astype(bool)
    assert np.array_equal(frames, np.array(wanted))


def test_bands_of_one_finding_do_not_overlap(objects, dx):
    analysis = analysis_of(dx, blob(32, 32, 8, 0.99))
    found = stored(objects(dx, analysis=analysis)["SEG"])
    assert found.pixel_array.sum(axis=0).max() == 1
    assert found.SegmentsOverlap == "NO"


def test_a_band_without_a_pixel_has_no_segment(objects, dx):
    found = stored(objects(dx, analysis=analysis_of(dx, blob(32, 32, 8, 0.6)))["SEG"])
    assert [segment.SegmentLabel for segment in found.SegmentSequence] == ["Pneumothorax 0.50-0.67"]
    assert found.NumberOfFrames == 1


def test_an_image_too_small_for_a_pixel_in_a_region_has_no_segmentation(objects):
    header = dx_header(3, 3)
    array = np.zeros((64, 64), np.float32)
    array[0, 0] = 0.9
    assert set(objects(header, analysis=analysis_of(header, array))) == {"SR", "PR"}


def test_segments_are_coded_coloured_and_automatic(objects, dx):
    found = stored(objects(dx)["SEG"])
    numbers = [segment.SegmentNumber for segment in found.SegmentSequence]
    assert numbers == list(range(1, len(numbers) + 1))
    for segment in found.SegmentSequence:
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue in ("427359005", "60046008")
        assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
        assert segment.AnatomicRegionSequence[0].CodeValue == "816094009"
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert algorithm.AlgorithmName == "chest-phantom"
        assert "ab" * 32 in algorithm.AlgorithmParameters


def test_the_highest_band_has_the_colour_of_the_finding(objects, dx):
    analysis = analysis_of(dx, blob(32, 32, 8, 0.99))
    segments = objects(dx, analysis=analysis)["SEG"].dataset.SegmentSequence
    last = CIELabColor.from_dicom_value(segments[-1].RecommendedDisplayCIELabValue)
    assert last.to_rgb(clip=True) == pytest.approx((255, 0, 0), abs=2)
    colours = {tuple(segment.RecommendedDisplayCIELabValue) for segment in segments}
    assert len(colours) == len(segments) == 3


def test_size_is_that_of_the_original(objects, header):
    found = objects(header)["SR"]
    assert found
    built = objects(header)
    if "SEG" in built:
        assert (built["SEG"].dataset.Rows, built["SEG"].dataset.Columns) == (
            header.Rows,
            header.Columns,
        )


def test_a_slice_keeps_its_plane_and_frame_of_reference(objects):
    source = SOURCES["CT with its plane"]()
    found = objects(source)["SEG"].dataset
    shared = found.SharedFunctionalGroupsSequence[0]
    position = found.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert found.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert position.ImagePositionPatient == pytest.approx(source.ImagePositionPatient)
    assert orientation == pytest.approx(source.ImageOrientationPatient)
    measures = shared.PixelMeasuresSequence[0]
    assert measures.PixelSpacing == pytest.approx(source.PixelSpacing)
    assert measures.SliceThickness == pytest.approx(source.SliceThickness)


def test_a_frame_of_an_enhanced_image_keeps_its_own_plane(objects, image):
    source = SOURCES["enhanced CT"]()
    found = objects(source, analysis=image(source.Rows, source.Columns, frame=2))["SEG"].dataset
    first, wanted = (
        frame.PlanePositionSequence[0] for frame in source.PerFrameFunctionalGroupsSequence
    )
    assert first.ImagePositionPatient != wanted.ImagePositionPatient
    position = found.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    assert position.ImagePositionPatient == pytest.approx(wanted.ImagePositionPatient)


@pytest.mark.parametrize(
    "name", ["DX", "bare header", "CT without its plane", "CT without frame of reference"]
)
def test_an_image_without_a_plane_gets_the_one_that_ohif_needs(objects, name):
    found = objects(SOURCES[name]())["SEG"].dataset
    shared = found.SharedFunctionalGroupsSequence[0]
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
    for frame in found.PerFrameFunctionalGroupsSequence:
        assert frame.PlanePositionSequence[0].ImagePositionPatient == [0, 0, 0]
    assert "FrameOfReferenceUID" not in found


def test_a_radiograph_keeps_the_spacing_of_its_detector(objects, dx):
    shared = objects(dx)["SEG"].dataset.SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [0.2, 0.2]


def test_highdicom_reads_the_segmentation(objects):
    source = SOURCES["CT with its plane"]()
    found = highdicom.seg.Segmentation.from_dataset(stored(objects(source)["SEG"]))
    uid = source.SOPInstanceUID
    pixels = found.get_pixels_by_source_instance([uid])
    assert pixels.shape == (1, source.Rows, source.Columns, found.number_of_segments)
    assert pixels.any()


def test_a_fractional_segmentation_holds_the_probabilities(objects, dx):
    analysis = analysis_of(dx, blob(32, 32, 8, 0.99))
    options = ResultOptions(segmentation="FRACTIONAL")
    found = stored(objects(dx, options=options, analysis=analysis)["SEG"])
    assert (found.SegmentationType, found.SegmentationFractionalType) == (
        "FRACTIONAL",
        "PROBABILITY",
    )
    assert found.pixel_array.max() / found.MaximumFractionalValue == pytest.approx(0.99, abs=0.01)
    assert len(found.SegmentSequence) == 1


def test_the_disclaimer_is_on_the_segmentation(objects, dx):
    found = objects(dx)["SEG"].dataset
    assert found.ContentDescription.startswith("AI result, not for diagnosis")
    assert "not for clinical use" in found.ImageComments


def test_limits_go_from_the_patch_threshold_to_certainty():
    assert limits(0.6, (0.0, 0.5)) == pytest.approx([0.6, 0.8, 1.0])


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_packed_bits_are_what_pydicom_unpacks(data, model):
    rows, columns = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 40))
    bands, frames = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
        window = Window(
            top,
            data.draw(st.integers(top + 1, rows)),
            left,
            data.draw(st.integers(left + 1, columns)),
        )
        shape = (window.bottom - window.top, window.right - window.left)
        seed = data.draw(st.integers(0, 1000))
        mask = np.random.default_rng(seed).random(shape) > 0.5
        bands.append(Band(model.classes[0], 0.5, 1.0, 1.0, window, mask))
        frame = np.zeros((rows, columns), bool)
        frame[window.top : window.bottom, window.left : window.right] = mask
        frames.append(frame)
    packed = pack(bands, rows, columns)
    assert len(packed) % 2 == 0
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    count = len(frames) * rows * columns
    assert np.array_equal(bits[:count].reshape(-1, rows, columns), np.array(frames))
    assert not bits[count:].any()
