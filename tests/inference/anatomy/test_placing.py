# SPDX-License-Identifier: Apache-2.0
"""What training made takes the place of an earlier bundle only where nothing good is lost."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from inference.anatomy.pixels.regressor import shipped_regressor
from inference.anatomy.serving.bundle import read_anatomy_bundle
from inference.anatomy.training import commands_pixels
from inference.anatomy.training.placing import NOT_FIT, fit_bundle, made_aside, put_in_place
from inference.commands import train
from inference.volume_source import VolumeRequest, VolumesCollected
from tests.inference.anatomy.serving.site_models import metadata_bundle, pixel_bundle, rows

GOOD, BAD = {"order": 0.99, "distance": 0.98}, {"order": 0.3, "distance": 0.3}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def make(out: Path, *, fit: bool) -> None:
    with made_aside(out) as made:
        pixel_bundle(made, new=GOOD if fit else BAD)
        put_in_place(made, fit=fit)


def test_a_run_that_is_not_fit_leaves_a_fit_bundle_and_lies_beside_it(tmp_path: Path) -> None:
    make(tmp_path, fit=True)
    good = files(tmp_path)
    make(tmp_path, fit=False)
    assert files(tmp_path) == good
    assert files(tmp_path / NOT_FIT).keys() == good.keys()
    assert fit_bundle(tmp_path / NOT_FIT) is None


def test_a_run_that_is_not_fit_is_there_to_look_at_where_nothing_better_is(tmp_path: Path) -> None:
    make(tmp_path, fit=False)
    first = files(tmp_path)
    assert "model.json" in first
    assert fit_bundle(tmp_path) is None
    make(tmp_path, fit=True)
    assert fit_bundle(tmp_path) is not None
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_run_that_breaks_off_leaves_the_bundle_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, fit=True)
    before = sorted(tmp_path.iterdir())

    def breaks_off() -> None:
        with made_aside(tmp_path) as made:
            pixel_bundle(made)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        breaks_off()
    assert sorted(tmp_path.iterdir()) == before


def night(out: Path, monkeypatch: pytest.MonkeyPatch, series: str, **figures: float) -> Result:
    """A run that looks at one series and whose model then has these figures."""

    def source(request: VolumeRequest, learner: Any) -> VolumesCollected:
        learner.pass_by(series)
        learner.new.append(f"{series}.1")  # as one whose slices were learned from
        return VolumesCollected(finished=True, reason="")

    def trained(start: Any, *given: object) -> tuple[Any, dict[str, Any]]:
        return shipped_regressor(), {"CT": {"volumes": 9, "new": figures, "shipped": GOOD}}

    monkeypatch.setattr(commands_pixels, "volume_source", lambda name: source)
    monkeypatch.setattr(commands_pixels, "_trained", trained)
    given = ["--orthanc", "http://127.0.0.1:8042", "--key-file", str(out / "key")]
    return CliRunner().invoke(train, ["anatomy-pixels", *given, "--out", str(out)])


def test_a_night_that_makes_the_pixel_model_worse_keeps_it_and_the_next_goes_on_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert night(tmp_path, monkeypatch, "2.25.1", **GOOD).exit_code == 0
    good = read_anatomy_bundle(tmp_path).digest
    worse = night(tmp_path, monkeypatch, "2.25.2", **BAD)
    assert worse.exit_code == 1
    assert f"the earlier bundle {good[:12]}" in worse.output
    assert read_anatomy_bundle(tmp_path).digest == good
    for name, ending in (("learned.json", ".1"), ("no_volumes.json", "")):
        kept = json.loads((tmp_path / name).read_text(encoding="utf-8"))
        assert kept == [f"2.25.1{ending}", f"2.25.2{ending}"], "not tried again the next night"
    assert night(tmp_path, monkeypatch, "2.25.3", **GOOD).exit_code == 0
    assert read_anatomy_bundle(tmp_path).manifest.training["start"] == good[:12]


def test_a_metadata_model_that_is_not_fit_does_not_replace_one_that_is(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    out = tmp_path / "model"
    metadata_bundle(out)
    good = files(out)
    table = tmp_path / "site.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["site", "Modality", "StudyDescription", "regions"])
        for row in rows(wrong=True):
            (right,) = row.right
            words = " ".join(region.replace(" ", "-") for region in right)
            text = row.values["StudyDescription"]
            writer.writerow([row.group, row.values["Modality"], text, words])
    options = ["--out", str(out), "--family", "decision-tree", "--shown", "256", "--deidentified"]
    done = CliRunner().invoke(train, ["anatomy", str(table), *options])
    assert "not fit for use" in done.output, done.output
    assert files(out) == good
    assert (out / NOT_FIT / "report.html").is_file()
