# SPDX-License-Identifier: Apache-2.0
"""Sub-volumes: what only neighbouring slices tell apart is learned, and answered slice by slice.

A nodule is a bright square in one slice, a vessel the same square in three.
"""

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import generate_uid
from typer.testing import CliRunner

from inference.bundles import read_bundle
from inference.commands import train
from inference.heatmap.analyse import analyse
from inference.heatmap.context import Context
from inference.heatmap.datasets.labelled import DatasetError
from inference.heatmap.datasets.layouts import read_labels
from inference.heatmap.datasets.volumes import neighbours_in
from inference.heatmap.demographics import Person, encoded
from inference.heatmap.pixels import square_image
from inference.heatmap.slices import sub_volumes
from tests.inference.heatmap.site.slices import ct_slice

SIDE, SLICES = 64, 5


def volume(rng, nodule):
    """``(5, 64, 64)``, with the one thing or the other in the middle slice."""
    pixels = rng.integers(0, 60, (SLICES, SIDE, SIDE), dtype=np.uint8)
    row, column = rng.integers(12, 40, 2)
    deep = slice(2, 3) if nodule else slice(1, 4)
    pixels[deep, row : row + 12, column : column + 12] += 180
    return pixels


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Sixty patients with a series each; only middle slices are labelled present."""
    folder = tmp_path_factory.mktemp("volumes")
    rng = np.random.default_rng(11)
    rows = ["image,patient,series,position,age,sex,nodule,cardiomegaly"]
    for patient in range(60):
        nodule = patient % 2 == 0
        for number, pixels in enumerate(volume(rng, nodule)):
            name = f"{patient}-{(number * 3) % SLICES}.png"
            Image.fromarray(pixels).save(folder / name)
            present = int(nodule and number == 2)
            who = f"{20 + patient},{'MF'[patient % 2]}"
            rows.append(f"{name},p{patient},1,{number},{who},{present},{int(patient % 3 == 0)}")
    (folder / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bundle(site, tmp_path_factory):
    """Trained on it, with all that is optional."""
    out = tmp_path_factory.mktemp("made") / "volumes"
    settings = ["--size", "64", "--batch", "8", "--epochs", "6", "--slices", "3"]
    scans = ["--modality", "CT", "--demographics", "--correlations", "--name", "volumes"]
    tables = ["--images", str(site), "--labels", str(site / "labels.csv")]
    result = CliRunner().invoke(train, ["heatmap", "--out", str(out), *tables, *settings, *scans])
    assert result.exit_code == 0, result.output
    return read_bundle(out)


def test_what_only_the_neighbours_tell_is_learned(bundle):
    figures = bundle.manifest.metrics["classes"]["nodule"]
    assert figures["auc"] > 0.85


def test_the_bundle_is_for_series_and_says_all_that_it_takes(bundle):
    manifest = bundle.manifest
    assert manifest.works_on == "series"
    assert manifest.categories[0].modalities == ("CT",)
    architecture = manifest.heatmap.architecture
    assert (architecture.slices, architecture.demographics) == (3, True)
    assert manifest.heatmap.correlations is not None


def test_a_series_is_answered_slice_by_slice_by_its_place_in_the_patient(bundle):
    rng = np.random.default_rng(3)
    together = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    pixels = [*volume(rng, nodule=True), *volume(rng, nodule=False)]
    slices = [ct_slice(p, z, together) for z, p in enumerate(pixels)]
    order = rng.permutation(len(slices))
    answer = analyse(bundle, [slices[index] for index in order])
    found = {image.sop_instance_uid: image.classes[0].probability for image in answer.images}
    # Some may be left out as unlike the few that it was trained on.
    assert len(found) >= 7
    assert list(found) == [s.SOPInstanceUID for s in slices if s.SOPInstanceUID in found]
    squares = np.stack([square_image(s, SIDE).values for s in slices])
    persons = encoded([Person(50.0, -1.0)] * len(slices))
    engine = bundle.engine
    seen = engine.predict(squares, Context(sub_volumes(len(slices), 3), persons))
    wanted = dict(
        zip(
            [s.SOPInstanceUID for s in slices], engine.probabilities(seen.pooled)[:, 0], strict=True
        )
    )
    assert found == pytest.approx({uid: float(wanted[uid]) for uid in found}, abs=1e-5)
    alone = engine.probabilities(engine.predict(squares).pooled)[:, 0]
    assert not np.allclose(alone, list(wanted.values()), atol=1e-3)


def test_a_series_in_which_only_some_slices_have_a_position_is_an_error(site, tmp_path):
    text = (site / "labels.csv").read_text(encoding="utf-8").replace(",p0,1,0,", ",p0,1,,", 1)
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    table = read_labels([tmp_path / "labels.csv"])
    files = [site / image.file for image in table.images]
    with pytest.raises(DatasetError, match="either all slices"):
        neighbours_in(table, files, 3)


def test_slices_without_positions_lie_as_their_files_say(tmp_path):
    together = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    rows = ["image,patient,series,nodule"]
    for number, z in enumerate((20, 0, 10, 30)):
        made = ct_slice(np.zeros((8, 8), np.uint8), z, together)
        made.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
        rows.append(f"{number}.dcm,p,1,0")
    rows.append("4.png,p,,0")
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    table = read_labels([tmp_path / "labels.csv"])
    found = neighbours_in(table, [tmp_path / image.file for image in table.images], 3)
    assert found.tolist() == [[2, 0, 3], [1, 1, 2], [1, 2, 0], [0, 3, 3], [4, 4, 4]]
