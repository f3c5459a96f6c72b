# SPDX-License-Identifier: Apache-2.0
"""The model of studies, trained on a site's own table and judged by groups that it never saw."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inference.anatomy.commands import app
from inference.anatomy.learned.recognizer import shipped_weights
from inference.anatomy.learned.study import shipped_study_weights
from inference.anatomy.training import commands_study
from inference.anatomy.training.corpus import CorpusError, read_site_table
from inference.anatomy.training.joining import train_study
from inference.anatomy.training.studies import in_their_studies
from inference.anatomy.training.study_assessment import assess_in_studies
from inference.commands import train

STUDIES = {
    "head": ("t2_tse_tra", "t1_mprage_sag", "flair_tra", "swi_tra"),
    "pelvis": ("t2_tse_tra", "ep2d_diff_b50_400_800", "t2_tse_sag", "t1_vibe_dyn_dce"),
    "lower-limb": ("localizer", "pd_tse_fs_sag", "pd_tse_fs_cor", "t1_tse_cor"),
}
UID = "StudyInstanceUID"


def site(folder: Path, study: str = UID, sites: int = 4) -> Path:
    path = folder / "site.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["site", study, "Modality", "SeriesDescription", "regions"])
        for number in range(sites):
            for region, names in STUDIES.items():
                for name in names:
                    writer.writerow([f"s{number}", f"1.{number}.{region}", "MR", name, region])
    return path


def trained(monkeypatch: pytest.MonkeyPatch, path: Path, *options: str) -> Result:
    """The command with a short training, on the site's headers alone."""
    monkeypatch.setattr(commands_study, "written_headers", list)
    monkeypatch.setattr(commands_study, "sidecar_headers", list)
    monkeypatch.setattr(
        commands_study, "train_study", lambda *given: train_study(*given, shown=1024)
    )
    out = ["--out", str(path.parent / "study.safetensors"), "--epochs", "3"]
    return CliRunner().invoke(train, ["anatomy-study", str(path), *out, *options])


def said(result: Result) -> str:
    return " ".join(result.output.replace("│", " ").split())


def test_series_of_one_study_hear_each_other_and_those_of_no_study_nobody(tmp_path: Path) -> None:
    rows = read_site_table(site(tmp_path, sites=1))
    found = in_their_studies(rows)
    assert [[one.name for one in row.siblings] for row in found[:4]] == [
        [name for name in STUDIES["head"] if name != own] for own in STUDIES["head"]
    ]
    with pytest.raises(CorpusError, match=r"no header has a value in Accession.*--study"):
        in_their_studies(rows, "Accession")
    with pytest.raises(CorpusError, match="no series has another"):
        in_their_studies(rows[:1])


def test_of_one_series_a_single_row_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "images.csv"
    lines = [f"a,1.2,1.2.{n // 2},MR,{name}" for n, name in enumerate(["x", "x", "y", "y"])]
    path.write_text(
        "\n".join(["site,StudyInstanceUID,SeriesInstanceUID,Modality,SeriesDescription,regions"]
                  + [f"{line},head" for line in lines])
    )  # fmt: skip
    found = in_their_studies(read_site_table(path))
    assert [[one.name for one in row.siblings] for row in found] == [["y"], ["x"]]


def test_a_table_of_a_site_trains_the_model_of_studies_which_is_judged_by_other_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    done = trained(monkeypatch, site(tmp_path))
    assert done.exit_code in (0, 1), done.output
    assert "exact alone " in said(done)
    assert "as the mean of 1 held-out groups with 12 series" in said(done)
    assert (done.exit_code == 1) == ("worse than the shipped model of studies" in said(done))
    study = str(tmp_path / "study.safetensors")
    table = tmp_path / "headers.csv"
    table.write_text("StudyInstanceUID,Modality,SeriesDescription\n1,MR,t2_tse_tra\n1,MR,swi\n")
    shown = [
        CliRunner().invoke(app, ["predict", str(table), *options])
        for options in ([], ["--study-model", study])
    ]
    assert [one.exit_code for one in shown] == [0, 0]
    assert shown[0].stdout != shown[1].stdout


def test_the_column_of_the_study_can_be_named_and_has_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    path = site(tmp_path, "examination")
    done = trained(monkeypatch, path)
    assert done.exit_code == 2
    assert "no header has a value in StudyInstanceUID" in said(done)
    assert not (tmp_path / "study.safetensors").exists()
    assert "exact alone" in said(trained(monkeypatch, path, "--study", "examination"))


def test_headers_of_a_single_site_are_not_split_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = trained(monkeypatch, site(tmp_path, "examination", sites=1), "--study", "examination")
    assert done.exit_code == 2
    assert "all headers are of one site" in said(done)


def test_the_shipped_model_of_studies_is_compared_with_itself_as_equal(tmp_path: Path) -> None:
    rows = in_their_studies(read_site_table(site(tmp_path)))
    found = assess_in_studies(rows, shipped_study_weights())
    assert found.among == found.shipped > found.alone
    assert (found.headers, found.groups) == (48, 4)
    assert 0 < found.leaning <= 48


def test_weights_of_headers_are_no_model_of_studies(tmp_path: Path) -> None:
    table = tmp_path / "headers.csv"
    table.write_text("Modality,SeriesDescription\nMR,t2\n")
    given = ["predict", str(table), "--study-model", str(shipped_weights())]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 2
    assert "not of a model of studies" in said(done)
    done = CliRunner().invoke(app, [*given[:3], str(shipped_study_weights()), "--tables-only"])
    assert done.exit_code == 2
    assert "--study-model" in done.output
