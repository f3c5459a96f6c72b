# SPDX-License-Identifier: Apache-2.0
import pytest
from typer.testing import CliRunner

from inference.bundles import read_bundle
from inference.commands import models
from inference.imported.errors import ModelImportError
from inference.imported.options import read_request
from tests.inference.imported.small_models import torchscript

run = CliRunner().invoke


def normalization(*given, path="a.ts"):
    found = read_request(path, "", None, given).normalization
    return found and (found.channels, found.mean, found.deviation)


def test_a_model_is_imported_listed_and_shown_by_command(tmp_path):
    source, out = torchscript(tmp_path / "spots.ts"), tmp_path / "models" / "spots"
    asked = ["import", str(source), "--classes", "Nodule,Effusion", "--out", str(out)]
    given = ["size=64", "name=Spots 2", "version=1.2.3", "views=", "modalities=DX"]
    result = run(models, [*asked, *(part for one in given for part in ("--set", one))])
    assert result.exit_code == 0, result.output
    manifest = read_bundle(out).manifest
    assert (manifest.name, manifest.version) == ("spots-2", "1.2.3")
    assert manifest.categories[0].modalities == ("DX",)
    assert manifest.categories[0].views == ()
    assert "spots-2" in run(models, ["list", str(tmp_path / "models")]).output
    shown = run(models, ["show", str(out)]).output
    assert "60046008" in shown
    assert "TorchScript" in shown


def test_a_refused_import_ends_with_one_line_and_writes_nothing(tmp_path):
    source, out = torchscript(tmp_path / "spots.ts"), tmp_path / "bundle"
    result = run(models, ["import", str(source), "--classes", "Blorb", "--out", str(out)])
    assert result.exit_code == 1
    assert "size=" in result.output
    assert not out.exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "mine").write_text("x", encoding="utf-8")
    source = torchscript(tmp_path / "spots.ts")
    asked = ["import", str(source), "--out", str(tmp_path / "bundle"), "--set", "size=64"]
    assert "not empty" in run(models, asked).output
    assert [f.name for f in (tmp_path / "bundle").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), None),
        (("black=-1", "white=1"), (1, (0.5,), (0.5,))),
        (("black=0", "white=255", "channels=3"), (3, (0.0,) * 3, (1 / 255,) * 3)),
        (("mean=0.4,0.5,0.6", "deviation=0.2"), (3, (0.4, 0.5, 0.6), (0.2,) * 3)),
        (("channels=3",), (3, (0.0,) * 3, (1.0,) * 3)),
    ],
)
def test_what_black_and_white_are_becomes_mean_and_deviation(given, expected):
    assert normalization(*given) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("size", "KEY=VALUE"),
        ("colour=red", "one of format"),
        ("size=7", "size"),
        ("maps=magic", "maps"),
        ("regions=moon", "regions are whole body"),
        ("version=1", "version"),
        ("white=-1", "white must be above black"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(given, said):
    with pytest.raises(ModelImportError, match=said):
        read_request("a.ts", "", None, [given])


def test_two_ways_to_normalize_are_one_too_many():
    with pytest.raises(ModelImportError, match="either black and white"):
        read_request("a.ts", "", None, ["black=0", "mean=0.5"])
