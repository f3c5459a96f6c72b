# SPDX-License-Identifier: Apache-2.0
"""The command line draws what REST draws, from files alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from plugin.heatmaps.commands import app
from tests.plugin.web.made_files import read
from tests.plugin.web.small_site import Site, small_site

RUN = CliRunner()


@pytest.fixture(scope="module")
def site() -> Site:
    return small_site()


@pytest.fixture
def files(site: Site, tmp_path: Path) -> tuple[str, str]:
    scan, findings = tmp_path / "scan.dcm", tmp_path / "findings.json"
    scan.write_bytes(site.archive.files[site.chest])
    findings.write_bytes(
        next(data for key, data in site.archive.attachments.items() if key[1] == site.chest)
    )
    return str(scan), str(findings)


def render(files: tuple[str, str], out: Path, *options: str) -> list[str]:
    done = RUN.invoke(app, ["render", *files, "--out", str(out), *options])
    assert done.exit_code == 0, done.output
    return sorted(path.name for path in out.iterdir())


def test_every_finding_becomes_a_picture_of_the_images_size(
    files: tuple[str, str], tmp_path: Path
) -> None:
    names = render(files, tmp_path / "out")
    assert names == sorted(
        f"{key}.png"
        for key in ("pneumothorax", "pleural-effusion", "consolidation", "nodule", "cardiomegaly")
    )
    assert Image.open(tmp_path / "out" / "nodule.png").size == (64, 96)


def test_a_heat_map_alone_is_the_one_that_rest_answers(
    files: tuple[str, str], tmp_path: Path, site: Site
) -> None:
    look = "opacity=0.8&strength=0.5&level=32&threshold=0.2"
    render(files, tmp_path, "--finding", "nodule", "--kind", "alone", "--look", look)
    over_rest = site.get(f"/instances/{site.chest}/sidelight/heatmaps/nodule?{look}")
    assert (tmp_path / "nodule.png").read_bytes() == over_rest.content


def test_together_is_one_picture_and_opacity_zero_is_the_windowed_image(
    files: tuple[str, str], tmp_path: Path
) -> None:
    assert render(files, tmp_path / "a", "--kind", "together") == ["together.png"]
    render(files, tmp_path / "b", "--finding", "nodule", "--look", "opacity=0")
    shown = np.asarray(Image.open(tmp_path / "b" / "nodule.png"))
    assert (shown[:, :, 0] == shown[:, :, 1]).all()
    values = read(Path(files[0]).read_bytes()).pixel_array
    order = np.argsort(values, axis=None)
    assert (np.diff(shown[:, :, 0].ravel()[order].astype(int)) >= 0).all()


def test_a_matrix_of_rest_can_be_drawn_too(
    files: tuple[str, str], tmp_path: Path, site: Site
) -> None:
    matrix = tmp_path / "matrix.json"
    path = f"/instances/{site.chest}/sidelight/heatmaps/pneumothorax/matrix"
    matrix.write_bytes(site.get(path).content)
    assert render((files[0], str(matrix)), tmp_path / "out") == ["pneumothorax.png"]


def test_regions_are_those_of_rest(files: tuple[str, str], site: Site) -> None:
    done = RUN.invoke(app, ["regions", *files])
    assert done.exit_code == 0, done.output
    over_rest = site.get(f"/instances/{site.chest}/sidelight/regions").json()
    assert json.loads(done.output)["regions"] == over_rest["regions"]
    (region,) = over_rest["regions"]
    assert region["finding"] == "pneumothorax"
    assert over_rest["spacing"] == {"row": 0.2, "column": 0.1, "plane": "patient"}
    assert region["area_mm2"] == pytest.approx(region["area_pixels"] * 0.02)
    assert 0.5 < region["mean"] < region["peak"] <= 1
    box, contour = region["box"], np.array(region["contour"])
    assert [box["left"], box["top"]] == contour.min(axis=0).tolist()
    assert [box["right"], box["bottom"]] == contour.max(axis=0).tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--look", "opacity=2"], "opacity"),
        (["--look", "colour=red"], "colour"),
        (["--look", "level=7"], "64, 32, 16"),
        (["--finding", "gout"], "pneumothorax"),
    ],
)
def test_what_can_not_be_drawn_is_said_in_words(
    files: tuple[str, str], tmp_path: Path, options: list[str], words: str
) -> None:
    done = RUN.invoke(app, ["render", *files, "--out", str(tmp_path / "out"), *options])
    assert done.exit_code != 0
    assert words in done.output


def test_findings_of_another_image_are_refused(
    files: tuple[str, str], tmp_path: Path, site: Site
) -> None:
    other = read(Path(files[0]).read_bytes())
    other.Rows, other.Columns, other.PixelData = 10, 10, b"\0" * 200
    other.save_as(tmp_path / "other.dcm")
    done = RUN.invoke(
        app, ["render", str(tmp_path / "other.dcm"), files[1], "--out", str(tmp_path / "out")]
    )
    assert done.exit_code != 0
    assert "not about an image of 10 x 10" in done.output
