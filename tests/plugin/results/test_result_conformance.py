# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every outcome of every kind of original is an object that validators accept."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from inference.contract import Outcome
from plugin.results import ResultOptions, is_own_object, validate, validate_together


def run(tool: str, data: bytes, folder) -> subprocess.CompletedProcess[str]:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} isn't installed")
    path = folder / "object.dcm"
    path.write_bytes(data)
    return subprocess.run(
        [tool, str(path)], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_of_every_original_may_be_stored(header, objects, outcome):
    built = objects(header, outcome, reason="the reason in words")
    assert "SR" in built
    assert {kind: validate(one) for kind, one in built.items()} == {kind: [] for kind in built}
    assert validate_together(list(built.values())) == []


@pytest.mark.parametrize("outcome", list(Outcome))
def test_dciodvfy_finds_no_error_in_the_very_bytes_that_are_stored(objects, dx, outcome, tmp_path):
    for one in objects(dx, outcome).values():
        done = run("dciodvfy", one.to_bytes(), tmp_path)
        assert "Error" not in done.stderr + done.stdout
        assert done.returncode == 0


@pytest.mark.parametrize("outcome", list(Outcome))
def test_dsrdump_reads_every_report(objects, dx, outcome, tmp_path):
    done = run("dsrdump", objects(dx, outcome)["SR"].to_bytes(), tmp_path)
    assert done.returncode == 0
    assert "E:" not in done.stderr
    assert "Imaging Measurement Report" in done.stdout


def test_dcmpschk_passes_the_presentation_state(objects, dx, tmp_path):
    done = run("dcmpschk", objects(dx)["PR"].to_bytes(), tmp_path)
    assert "Test passed" in done.stdout + done.stderr


def test_dcmdump_reads_every_object(objects, header, tmp_path):
    for one in objects(header).values():
        done = run("dcmdump", one.to_bytes(), tmp_path)
        assert done.returncode == 0
        assert "E:" not in done.stderr


def test_a_fractional_segmentation_is_valid_too(objects, header):
    built = objects(header, options=ResultOptions(segmentation="FRACTIONAL"))
    assert validate(built["SEG"]) == []


def test_without_segmentation_report_and_state_remain(objects, dx):
    assert set(objects(dx, options=ResultOptions(segmentation="NONE"))) == {"SR", "PR"}


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.FINDINGS])
def test_what_has_no_regions_is_a_report_alone(objects, dx, outcome):
    assert set(objects(dx, outcome)) == {"SR"}


def test_files_are_explicit_little_endian_and_recognized_as_own(objects, header):
    for one in objects(header).values():
        read = pydicom.dcmread(BytesIO(one.to_bytes()))
        assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert read.file_meta.MediaStorageSOPInstanceUID == one.sop_instance_uid
        assert is_own_object(read)
        assert is_own_object(pydicom.Dataset.from_json(read.to_json()))


def test_an_original_is_not_taken_for_an_own_object(header):
    assert not is_own_object(header)


def test_results_are_put_in_the_reserved_series_numbers(objects, dx):
    built = objects(dx, options=ResultOptions(series_number_base=5000))
    numbers = {kind: one.dataset.SeriesNumber for kind, one in built.items()}
    assert numbers == {"SR": 5000, "SEG": 5001, "PR": 5002}
    for kind, one in built.items():
        assert one.dataset.SeriesDescription == f"Sidelight chest-phantom 1.0 {kind}"
