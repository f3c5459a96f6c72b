# SPDX-License-Identifier: Apache-2.0
"""``sidelight deid --faces``: series are gathered, what can't be masked stays out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from pydicom import dcmread
from typer.testing import CliRunner

from deid.commands import app
from deid.profile_files import load
from tests.deid.faces.phantom_heads import Acquisition, PhantomHead, phantom_head
from tests.deid.made_scans import ROOT, ct, file_of

sidelight = typer.Typer()
sidelight.add_typer(app, name="deid")
sidelight.command("other")(lambda: None)


def run(*arguments: object):
    return CliRunner().invoke(sidelight, ["deid", *map(str, arguments)])


@pytest.fixture(scope="module")
def head() -> PhantomHead:
    return phantom_head(4, Acquisition(spacing=(6.0, 3.2)))


@pytest.fixture
def folder(head: PhantomHead, tmp_path: Path) -> Path:
    """A head, in two folders; one slice of another; a letter, and an object without pixels."""
    source = tmp_path / "in"
    for at, one in enumerate(head.slices()):
        part = source / ("odd" if at % 2 else "even")
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{at}.dcm").write_bytes(file_of(one))
    alone = head.slices(
        SeriesInstanceUID=f"{ROOT}.9", SOPInstanceUID=f"{ROOT}.9.1", PatientID="4712"
    )[20]
    (source / "alone.dcm").write_bytes(file_of(alone))
    report = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", SOPInstanceUID=f"{ROOT}.8")
    (source / "report.dcm").write_bytes(file_of(report))
    (source / "notes.txt").write_text("no image")
    return source


def test_a_head_is_written_with_another_face_and_what_is_unsure_is_refused(
    head: PhantomHead, folder: Path, tmp_path: Path
) -> None:
    out, aside, key = tmp_path / "out", tmp_path / "aside", tmp_path / "key"
    options = ("--key-file", key, "--faces", "obfuscate", "--set-aside", aside, "--jobs", "1")

    result = run(folder, out, *options)

    assert result.exit_code == 1, result.output
    count = len(head.pixels)
    assert f"{count + 1} written, 1 refused, 1 not DICOM" in result.output
    assert "FaceMaskError" in result.output
    made = [dcmread(file) for file in out.rglob("*.dcm")]
    slices = sorted((d for d in made if "PixelData" in d), key=lambda d: int(d.InstanceNumber))
    pixels = np.stack([one.pixel_array for one in slices])
    assert np.array_equal(pixels[head.inside], head.pixels[head.inside])
    assert np.mean(pixels != head.pixels) > 0.02
    assert {one.RecognizableVisualFeatures for one in slices} == {"NO"}
    set_aside = [dcmread(file) for file in aside.rglob("*.dcm")]
    assert [one.RecognizableVisualFeatures for one in set_aside] == ["YES"]
    assert set_aside[0].PatientIdentityRemoved == "YES"
    assert "Doe" not in str(set_aside[0])

    again = run(folder, out, *options)

    assert f"{count + 1} of those written were there from an earlier run" in again.output


def test_a_series_with_one_slice_more_is_done_again(
    head: PhantomHead, folder: Path, tmp_path: Path
) -> None:
    out, key = tmp_path / "out", tmp_path / "key"
    last = folder / ("odd" if len(head.pixels) % 2 == 0 else "even") / f"{len(head.pixels) - 1}.dcm"
    content = last.read_bytes()
    last.unlink()
    run(folder, out, "--key-file", key, "--faces", "obfuscate", "--jobs", "1")
    last.write_bytes(content)

    result = run(folder, out, "--key-file", key, "--faces", "obfuscate", "--jobs", "1")

    assert "1 of those written were there from an earlier run" in result.output


def test_what_is_set_aside_never_lies_among_the_results(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(folder, out, "--key-file", tmp_path / "key", "--set-aside", out / "aside")
    assert result.exit_code == 2
    assert "outside of OUT" in result.output


def test_a_profile_says_what_becomes_of_faces(tmp_path: Path) -> None:
    profile = tmp_path / "site.toml"
    profile.write_text('faces = "obfuscate"\nkept_regions = [[-40, -85, 12.5, 15]]\n')
    policy = load(str(profile)).policy
    assert policy.faces == "obfuscate"
    assert policy.kept_regions == ((-40.0, -85.0, 12.5, 15.0),)
