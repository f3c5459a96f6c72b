# SPDX-License-Identifier: Apache-2.0
import shutil
import subprocess

import numpy as np
import pytest
from pydicom import dcmread

from inference.heatmap.pixels import square_image
from inference.phantoms import chest_phantom
from inference.phantoms.ct_head import head_slices
from inference.phantoms.dicom import chest_dataset, head_datasets


def errors_of_dciodvfy(path):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    run = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    report = run.stdout + run.stderr
    assert report.strip(), "dciodvfy recognized nothing"
    return [line for line in report.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chest_phantom_is_a_conformant_dx_image(tmp_path, seed, inverted):
    path = tmp_path / "chest.dcm"
    ds = chest_dataset(chest_phantom(seed, 256), inverted=inverted)
    ds.save_as(path, enforce_file_format=True)
    assert errors_of_dciodvfy(path) == []


def test_a_head_phantom_is_a_conformant_ct_series(tmp_path):
    for number, ds in enumerate(head_datasets(head_slices(1, 3, 64), 1)):
        path = tmp_path / f"{number}.dcm"
        ds.save_as(path, enforce_file_format=True)
        assert errors_of_dciodvfy(path) == []


def test_a_phantom_survives_its_file(tmp_path):
    made = chest_phantom(5, 128)
    path = tmp_path / "chest.dcm"
    chest_dataset(made).save_as(path, enforce_file_format=True)
    read = dcmread(path)
    assert np.array_equal(read.pixel_array, made.pixels)
    assert read.BitsStored == made.bits_stored
    assert read.ViewPosition == "PA"
    assert read.BodyPartExamined == "CHEST"
    assert read.AnatomicRegionSequence[0].CodeValue == "816094009"


def test_an_inverted_phantom_shows_the_same_picture():
    made = chest_phantom(6, 256)
    plain = square_image(chest_dataset(made), 128).values
    inverted = square_image(chest_dataset(made, inverted=True), 128).values
    assert np.abs(plain - inverted).max() < 2 / 2**made.bits_stored + 1e-3


def test_the_patient_is_marked_as_a_phantom():
    ds = chest_dataset(chest_phantom(7, 64))
    assert str(ds.PatientName) == "PHANTOM^CHEST^0007"
    assert "no person" in ds.PatientComments


def test_a_seed_always_has_the_same_instance_uid_and_another_seed_another():
    uids = [chest_dataset(chest_phantom(seed, 32)).SOPInstanceUID for seed in (1, 1, 2)]
    assert uids[0] == uids[1] != uids[2]


def test_a_head_series_is_one_series_in_order_of_position():
    series = head_datasets(head_slices(2, 5, 64), 2)
    assert len({ds.SeriesInstanceUID for ds in series}) == 1
    assert len({ds.SOPInstanceUID for ds in series}) == 5
    heights = [float(ds.ImagePositionPatient[2]) for ds in series]
    assert heights == sorted(heights)
    middle = series[2].pixel_array.astype(int) - 1024
    assert middle[0, 0] < -900
    assert middle.max() > 700
    assert 0 < np.median(middle[24:40, 24:40]) < 60
