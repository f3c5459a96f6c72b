# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from inference.heatmap.datasets.images import box_shares, read_site_set, read_square
from inference.heatmap.datasets.labelled import Box, DatasetError, LabelledImage, LabelTable
from inference.heatmap.letterbox import letterbox_extent
from inference.phantoms import chest_phantom
from inference.phantoms.dicom import chest_dataset


def table_of(*files, boxes=()):
    images = tuple(LabelledImage(f, f"p{n}", (1.0,), boxes=boxes) for n, f in enumerate(files))
    return LabelTable(("edema",), images)


@pytest.fixture
def chest():
    return chest_dataset(chest_phantom(5, 128, ["nodule"]))


def test_dicom_and_png_of_one_image_give_the_same_square(tmp_path, chest):
    chest.save_as(tmp_path / "chest.dcm", enforce_file_format=True)
    centre, width = float(chest.WindowCenter), float(chest.WindowWidth)
    shown = np.clip((chest.pixel_array - (centre - 0.5)) / (width - 1.0) + 0.5, 0, 1)
    Image.fromarray(np.rint(shown * 65535).astype(np.uint16)).save(tmp_path / "chest.png")
    dicom = read_square(tmp_path / "chest.dcm", 64).square.astype(int)
    png = read_square(tmp_path / "chest.png", 64).square.astype(int)
    assert np.abs(dicom - png).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
def test_pictures_of_every_usual_mode_are_read(tmp_path, mode):
    ramp = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1)))
    ramp.convert(mode).save(tmp_path / "ramp.png")
    square = read_square(tmp_path / "ramp.png", 32).square
    assert square[10, 2] < square[10, 15] < square[10, 30]


@pytest.mark.parametrize(("rows", "columns"), [(200, 100), (100, 200), (128, 128), (37, 211)])
def test_a_box_lands_on_the_patches_of_its_pixels(rows, columns):
    extent = letterbox_extent(rows, columns)
    box = Box("edema", columns * 0.25, rows * 0.5, columns * 0.5, rows * 0.75)
    shares = box_shares(box, extent, 64)
    side = max(rows, columns) / 64
    area = (box.right - box.left) * (box.bottom - box.top)
    assert shares.sum() * side * side == pytest.approx(area, rel=1e-4)
    centre = (box.bottom + box.top) / 2, (box.right + box.left) / 2
    row, column = int((centre[0] - extent.top) / side), int((centre[1] - extent.left) / side)
    assert shares[row, column] == pytest.approx(1.0)
    assert shares[0, 0] == 0.0


def test_images_are_read_once_and_kept(tmp_path):
    Image.fromarray(np.eye(40, dtype=np.uint8) * 200).save(tmp_path / "a.png")
    box = Box("edema", 0.0, 0.0, 20.0, 20.0)
    cache = tmp_path / "cache"
    first = read_site_set(table_of("a.png", boxes=(box,)), tmp_path, 32, cache)
    (tmp_path / "a.png").unlink()
    again = read_site_set(table_of("a.png", boxes=(box,)), tmp_path, 32, cache)
    assert np.array_equal(first.images, again.images)
    assert again.matrices.tolist() == [[40, 40]]
    assert again.truth([0], 8)[0, 0, :4, :4].min() == 1.0
    assert again.truth([0], 8).sum() == 16.0
    assert again.boxed([0]).tolist() == [[True]]


def test_images_are_found_below_the_folder_and_dicom_without_its_ending(tmp_path, chest):
    (tmp_path / "one" / "two").mkdir(parents=True)
    Image.fromarray(np.eye(40, dtype=np.uint8)).save(tmp_path / "one" / "two" / "a.png")
    chest.save_as(tmp_path / "one" / "b.dcm", enforce_file_format=True)
    made = read_site_set(table_of("a.png", "b"), tmp_path, 32, tmp_path / "cache")
    assert made.matrices.tolist() == [[40, 40], [128, 128]]


def test_the_release_folder_of_a_path_may_have_another_name(tmp_path):
    for patient, size in (("patient1", 40), ("patient2", 50)):
        (tmp_path / "mine" / patient).mkdir(parents=True)
        picture = Image.fromarray(np.eye(size, dtype=np.uint8))
        picture.save(tmp_path / "mine" / patient / "view1.jpg")
    files = [f"CheXpert-v1.0/{p}/view1.jpg" for p in ("patient2", "patient1")]
    made = read_site_set(table_of(*files), tmp_path, 32, tmp_path / "cache")
    assert made.matrices[:, 0].tolist() == [50, 40]


def test_missing_doubtful_and_broken_images_are_counted_without_their_names(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.eye(40, dtype=np.uint8)).save(tmp_path / folder / "DOE.png")
    (tmp_path / "BROKEN.png").write_bytes(b"no picture")
    for file, said in (
        ("GONE.png", "1 of 1 labelled images are not in the folder"),
        ("DOE.png", "occur in several folders"),
        ("BROKEN.png", "1 of 1 images cannot be read"),
    ):
        with pytest.raises(DatasetError, match=said) as error:
            read_site_set(table_of(file), tmp_path, 32, tmp_path / "cache")
        assert file.removesuffix(".png") not in str(error.value)
