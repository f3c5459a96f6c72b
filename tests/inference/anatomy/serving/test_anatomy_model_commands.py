# SPDX-License-Identifier: Apache-2.0
"""``sidelight models`` and ``sidelight anatomy predict`` with a site's anatomy models."""

from __future__ import annotations

import csv
import json

import pytest
from typer.testing import CliRunner

from inference.anatomy.serving.served import shipped_version
from inference.commands import anatomy, models
from tests.inference.anatomy.serving.site_models import metadata_bundle, pixel_bundle

run = CliRunner().invoke
NAME = "anatomy-metadata"


@pytest.fixture
def trained(tmp_path):
    return metadata_bundle(tmp_path / "trained").folder


def ask(*arguments, ok=True):
    result = run(models, [str(one) for one in arguments])
    assert (result.exit_code == 0) == ok, result.output
    return result.output


def test_a_trained_model_is_added_promoted_rolled_back_and_rejected_like_every_other(
    trained, tmp_path
):
    place = ("--models", tmp_path / "models")
    ask("add", trained, *place)
    ask("add", trained, *place, "--version", "0.2.0")
    assert "is there already" in ask("add", trained, *place, ok=False)
    ask("promote", NAME, "0.1.0", *place, "--reason", "measured on our scanners")
    ask("promote", NAME, "0.2.0", *place)
    assert "0.1.0 is served again" in ask("rollback", NAME, *place)
    assert "as shipped is served again" in ask("rollback", NAME, *place)
    ask("reject", NAME, "0.2.0", *place)
    listed = ask("versions", NAME, *place)
    assert "rejected" in listed
    assert "served" not in listed
    assert "the shipped one is promoted" in ask("list", tmp_path / "models")


def test_a_model_is_shown_checked_signed_and_verified(trained, tmp_path):
    assert "a test" in ask("show", trained)
    assert "is fit" in ask("check", trained)
    ask("keygen", tmp_path / "key.pem")
    ask("sign", trained, "--key", tmp_path / "key.pem")
    assert "unaltered" in ask("verify", trained)
    (trained / "held_out.csv").write_text("altered", encoding="utf-8")
    assert "held_out.csv was altered" in ask("verify", trained, ok=False)


def test_a_worse_model_is_not_fit(tmp_path):
    bad = metadata_bundle(tmp_path / "bad", wrong=True)
    assert "not fit to be served" in ask("check", bad.folder, ok=False)


def test_a_comparison_counts_what_is_mended_and_broken(trained, tmp_path):
    out = tmp_path / "comparison.json"
    ask("compare", "shipped", trained, "--json", out, "--keep")
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["old"]["version"] == shipped_version("anatomy-metadata")
    assert found["images"] == 40
    assert found["differences"]["exact-set"]["broken"] == 0
    assert found["new"]["figures"]["classes"]["chest"]["sensitivity"] == 1.0
    assert (trained / "comparison.json").is_file()


def test_a_comparison_that_was_kept_goes_with_the_version_that_it_is_of(trained, tmp_path):
    ask("compare", "shipped", trained, "--keep")
    place = ("--models", tmp_path / "models")
    ask("add", trained, *place)
    ask("add", trained, *place, "--version", "0.2.0")
    of = tmp_path / "models" / NAME
    assert (of / "0.1.0" / "comparison.json").is_file()
    assert not (of / "0.2.0" / "comparison.json").exists()


def test_the_comparison_of_a_pixel_model_is_that_of_its_training(tmp_path):
    made = pixel_bundle(tmp_path / "pixels")
    assert '"volumes": 12' in ask("compare", "shipped", made.folder)


def test_predict_answers_with_the_promoted_version_and_says_which(trained, tmp_path):
    place = tmp_path / "models"
    ask("add", trained, "--models", place)
    ask("promote", NAME, "0.1.0", "--models", place)
    headers, out = tmp_path / "headers.csv", tmp_path / "answers.csv"
    headers.write_text("Modality,StudyDescription\nCT,CT CHEST\n", encoding="utf-8")
    asked = ["predict", str(headers), "--out", str(out), "--models", str(place)]
    result = run(anatomy, asked)
    assert result.exit_code == 0
    assert f"answered by {NAME} 0.1.0" in result.stderr
    (row,) = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert row["regions"] == "chest"
    (place / NAME / "0.1.0" / "metadata.safetensors").write_bytes(b"")
    result = run(anatomy, asked)
    assert f"{shipped_version('anatomy-metadata')} is served, since 0.1.0" in result.stderr
