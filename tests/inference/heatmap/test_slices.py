# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset

from inference.bundles import read_bundle, shipped_models
from inference.heatmap.analyse import analyse
from inference.heatmap.slices import geometry_of, slice_order
from inference.phantoms import chest_phantom
from inference.phantoms.dicom import chest_dataset

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
OBLIQUE = (0.8, 0.6, 0, 0, 0, -1)


def slice_at(position, orientation=AXIAL, number=None):
    made = Dataset()
    if position is not None:
        made.ImagePositionPatient = [float(value) for value in position]
        made.ImageOrientationPatient = [float(value) for value in orientation]
    if number is not None:
        made.InstanceNumber = number
    return made


def test_slices_lie_as_their_positions_say_whatever_their_numbers():
    heights = [30, 10, 20, 0]
    slices = [slice_at((0, 0, z), number=n) for n, z in enumerate(heights)]
    assert slice_order(slices) == [3, 1, 2, 0]


@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, OBLIQUE])
def test_the_order_is_along_the_normal_in_any_orientation(orientation):
    normal = np.cross(orientation[:3], orientation[3:])
    steps = [4, 2, 0, 3, 1]
    # Beside the normal, where a slice starts says nothing of its place.
    aside = np.array(orientation[:3]) * 50.0
    slices = [slice_at(step * normal + (step % 2) * aside, orientation) for step in steps]
    assert [steps[at] for at in slice_order(slices)] == [0, 1, 2, 3, 4]


def test_echoes_at_one_place_stay_in_the_order_of_their_numbers():
    slices = [slice_at((0, 0, 5), number=n) for n in (3, 1, 2)]
    assert slice_order(slices) == [1, 2, 0]


@pytest.mark.parametrize(
    "odd", [slice_at(None, number=2), slice_at((0, 0, 1), CORONAL, 2)], ids=["none", "localizer"]
)
def test_without_one_common_direction_numbers_decide(odd):
    slices = [slice_at((0, 0, 9), number=3), odd, slice_at((0, 0, 5), number=1)]
    assert slice_order(slices) == [2, 1, 0]


def test_nothing_has_an_order_too():
    assert slice_order([]) == []


def test_a_position_that_is_no_position_counts_as_none():
    odd = slice_at((0, 0, 1), number=2)
    odd.ImagePositionPatient = [1.0, 2.0]
    slices = [slice_at((0, 0, 9), number=3), odd, slice_at((0, 0, 5), number=1)]
    assert slice_order([geometry_of(one) for one in slices]) == [2, 1, 0]


def test_a_series_is_answered_in_the_order_of_its_positions():
    bundle = read_bundle(shipped_models() / "chest-phantom")
    manifest = bundle.manifest.model_copy(update={"works_on": "series"})
    series = replace(bundle, manifest=manifest)
    instances = []
    for number, height in enumerate((20, 0, 10)):
        made = chest_dataset(chest_phantom(300 + number, 256))
        made.SOPInstanceUID = f"2.25.{height}"
        made.ImagePositionPatient = [0.0, 0.0, float(height)]
        made.ImageOrientationPatient = [float(value) for value in AXIAL]
        instances.append(made)
    uids = [image.sop_instance_uid for image in analyse(series, instances).images]
    assert uids == ["2.25.0", "2.25.10", "2.25.20"]
    uids = [image.sop_instance_uid for image in analyse(bundle, instances).images]
    assert uids == ["2.25.20", "2.25.0", "2.25.10"]
