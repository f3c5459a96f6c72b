# SPDX-License-Identifier: Apache-2.0
import io

import numpy as np
import pytest
from pydicom.uid import UID

from inference.bundles import read_bundle, shipped_models
from inference.contract import AnalysisAnswer, Outcome
from inference.heatmap.analyse import analyse
from inference.phantoms import FINDINGS, chest_phantom
from inference.phantoms.ct_head import head_slices
from inference.phantoms.dicom import chest_dataset, head_datasets


@pytest.fixture(scope="module")
def bundle():
    return read_bundle(shipped_models() / "chest-phantom")


def with_pixels(pixels, **attributes):
    ds = chest_dataset(chest_phantom(1, 32))
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.BitsStored, ds.HighBit = 16, 15
    del ds.WindowCenter, ds.WindowWidth
    ds.PixelData = pixels.astype("<u2").tobytes()
    for key, value in attributes.items():
        setattr(ds, key, value)
    return ds


def present(answer):
    return {c.key for image in answer.images for c in image.classes if c.present}


def test_findings_of_unseen_phantoms_are_told_with_few_mistakes(bundle):
    right = total = 0
    for seed in range(101, 141):
        made = chest_phantom(seed, 384)
        answer = analyse(bundle, [chest_dataset(made, inverted=seed % 2 == 0)])
        for key in FINDINGS:
            total += 1
            right += (key in present(answer)) == (key in made.findings)
    assert right / total > 0.95


@pytest.mark.parametrize("finding", FINDINGS)
def test_the_highest_patch_lies_on_the_finding(bundle, finding):
    hits = 0
    for seed in range(201, 217):
        made = chest_phantom(seed, 512, [finding])
        image = analyse(bundle, [chest_dataset(made)]).images[0]
        patches = next(c for c in image.classes if c.key == finding).maps[64].array()
        y, x = np.unravel_index(int(patches.argmax()), patches.shape)
        hits += made.masks[finding][8 * y : 8 * y + 8, 8 * x : 8 * x + 8].any()
    assert hits >= 10


# Learned from labels alone, an enlarged heart shows where it is larger than others, not whole.
SHOWN_WHOLE = tuple(key for key in FINDINGS if key != "cardiomegaly")


def test_regions_are_about_as_large_as_the_findings(bundle):
    by_key = {c.key: c for c in bundle.manifest.classes}
    lit, true, analysed = [], [], 0
    for seed in range(301, 325):
        made = chest_phantom(seed, 256)
        # One in a hundred is unlike the others.
        for image in analyse(bundle, [chest_dataset(made)]).images:
            analysed += 1
            for c in image.classes:
                if c.present and c.key in made.masks and c.key in SHOWN_WHOLE:
                    lit.append((c.maps[64].array() >= by_key[c.key].patch_threshold).mean())
                    true.append(made.masks[c.key].mean())
    assert analysed >= 22
    assert 0.6 < np.mean(lit) / np.mean(true) < 1.6


def test_a_healthy_phantom_ends_as_no_findings(bundle):
    outcomes = [
        analyse(bundle, [chest_dataset(chest_phantom(seed, 256, []))]).outcome
        for seed in range(401, 409)
    ]
    assert outcomes.count(Outcome.NO_FINDINGS) >= 7


def test_the_answer_names_model_digest_times_and_every_class_and_level(bundle):
    answer = analyse(bundle, [chest_dataset(chest_phantom(5, 256))])
    assert (answer.model, answer.digest) == ("chest-phantom", bundle.digest)
    assert set(answer.milliseconds) == {"decode", "forward"}
    image = answer.images[0]
    assert [c.key for c in image.classes] == list(FINDINGS)
    assert all(set(c.maps) == {64, 32, 16, 8} for c in image.classes)
    assert AnalysisAnswer.model_validate_json(answer.model_dump_json()) == answer


def test_the_extent_and_identifier_belong_to_the_given_image(bundle):
    made = chest_phantom(5, 256)
    ds = with_pixels(np.pad(made.pixels, ((0, 0), (32, 32)), constant_values=made.pixels.min()))
    image = analyse(bundle, [ds]).images
    if image:
        assert (image[0].rows, image[0].columns) == (256, 320)
        assert (image[0].extent.left, image[0].extent.top) == (0, -32)
        assert image[0].sop_instance_uid == ds.SOPInstanceUID
        assert not image[0].classes[0].maps[64].array()[:6].any()


def test_a_file_and_its_dataset_give_the_same_answer(bundle):
    ds = chest_dataset(chest_phantom(5, 256))
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    assert analyse(bundle, [ds]).images == analyse(bundle, [buffer.getvalue()]).images


@pytest.mark.parametrize(
    "pixels",
    [
        np.random.default_rng(1).integers(0, 65535, (256, 256)),
        np.kron(np.random.default_rng(2).integers(0, 65535, (8, 8)), np.ones((32, 32), int)),
        np.tile(np.arange(256) * 200, (256, 1)),
        np.full((256, 256), 1000),
        np.rot90(chest_phantom(5, 256).pixels),
        np.flipud(chest_phantom(5, 256).pixels),
    ],
    ids=["noise", "blocks", "ramp", "constant", "lying phantom", "phantom on its head"],
)
def test_an_image_unlike_the_training_images_is_abstained_from(bundle, pixels):
    answer = analyse(bundle, [with_pixels(pixels)])
    assert answer.outcome is Outcome.ABSTAINED
    assert answer.images == ()
    assert "unlike" in answer.reason or "single grey" in answer.reason


def test_phantoms_are_familiar(bundle):
    familiar = sum(
        bool(analyse(bundle, [chest_dataset(chest_phantom(seed, 256))]).images)
        for seed in range(501, 561)
    )
    assert familiar >= 58


def test_a_ct_series_given_by_mistake_is_abstained_from(bundle):
    answer = analyse(bundle, head_datasets(head_slices(1, 4), 1))
    assert answer.outcome is Outcome.ABSTAINED
    assert answer.reason.startswith("4 of 4 images were left out")


def test_unreadable_pixels_are_refused_with_the_reason(bundle):
    ds = chest_dataset(chest_phantom(5, 64))
    del ds.PixelData
    answer = analyse(bundle, [ds])
    assert answer.outcome is Outcome.REFUSED
    assert answer.reason == "the instance has no pixel data"


def test_an_unknown_transfer_syntax_is_refused(bundle):
    ds = chest_dataset(chest_phantom(5, 64))
    ds.file_meta.TransferSyntaxUID = UID("1.2.3")
    answer = analyse(bundle, [ds])
    assert answer.outcome is Outcome.REFUSED
    assert "transfer syntax" in answer.reason


def test_one_unreadable_image_does_not_spoil_the_others(bundle):
    good = chest_dataset(chest_phantom(5, 256, ["cardiomegaly"]))
    answer = analyse(bundle, [b"nothing", good])
    assert answer.outcome is Outcome.FINDINGS
    assert len(answer.images) == 1
    assert answer.reason.startswith("1 of 2 images were left out")


def test_no_images_are_refused(bundle):
    answer = analyse(bundle, [])
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, "there are no images to analyse")


def test_of_a_multi_frame_image_the_first_frame_is_analysed_and_this_is_said(bundle):
    made = chest_phantom(5, 256)
    ds = with_pixels(np.stack([made.pixels, np.zeros_like(made.pixels)]), NumberOfFrames=2)
    answer = analyse(bundle, [ds])
    assert answer.images[0].frame_number == 1
    assert answer.reason == "only the first of 2 frames was analysed"
