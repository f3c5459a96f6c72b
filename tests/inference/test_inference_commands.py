# SPDX-License-Identifier: Apache-2.0
import shutil

import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from inference.bundles import shipped_models
from inference.commands import models, phantom, train

run = CliRunner().invoke


def test_chest_phantoms_are_written_with_the_findings_asked_for(tmp_path):
    out = tmp_path / "phantoms"
    arguments = ["chest", "--out", str(out), "--count", "2", "--size", "64", "--seed", "5"]
    result = run(phantom, [*arguments, "--findings", "nodule,pneumothorax"])
    assert result.exit_code == 0
    assert result.output.count("nodule, pneumothorax") == 2
    files = sorted(out.iterdir())
    assert [dcmread(f).PatientID for f in files] == ["PHANTOM-CHEST-0005", "PHANTOM-CHEST-0006"]
    assert dcmread(files[0]).Rows == 64


def test_healthy_and_inverted_phantoms_can_be_asked_for(tmp_path):
    arguments = ["chest", "--out", str(tmp_path), "--size", "64", "--findings", ""]
    result = run(phantom, [*arguments, "--monochrome1"])
    assert "no findings" in result.output
    assert dcmread(next(tmp_path.iterdir())).PhotometricInterpretation == "MONOCHROME1"


def test_an_unknown_finding_is_named(tmp_path):
    result = run(phantom, ["chest", "--out", str(tmp_path), "--findings", "fracture"])
    assert result.exit_code == 2
    assert "fracture" in result.output


def test_training_seeds_are_not_given_away(tmp_path):
    result = run(phantom, ["chest", "--out", str(tmp_path), "--seed", "1000000"])
    assert result.exit_code == 2


def test_a_head_series_is_written(tmp_path):
    result = run(phantom, ["head", "--out", str(tmp_path), "--count", "3", "--size", "64"])
    assert result.exit_code == 0
    assert {dcmread(f).Modality for f in tmp_path.iterdir()} == {"CT"}
    assert len(list(tmp_path.iterdir())) == 3


def test_the_shipped_models_are_listed():
    result = run(models, ["list"])
    assert result.exit_code == 0
    assert "chest-phantom" in result.output


def test_a_sound_bundle_passes_its_check_and_a_damaged_one_fails(tmp_path):
    sound = shipped_models() / "chest-phantom"
    assert run(models, ["check", str(sound)]).exit_code == 0
    damaged = tmp_path / "chest-phantom"
    shutil.copytree(sound, damaged)
    (damaged / "model.json").write_text("{}", encoding="utf-8")
    result = run(models, ["check", str(damaged)])
    assert result.exit_code == 1
    assert "not fit to be served" in result.output
    assert run(models, ["list", str(tmp_path)]).exit_code == 1


@pytest.mark.parametrize("asked", [["--help"], ["heatmap", "--help"]])
def test_training_explains_itself(asked):
    result = run(train, asked)
    assert result.exit_code == 0
    assert "heatmap" in result.output
