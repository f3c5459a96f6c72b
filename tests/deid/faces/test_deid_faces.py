# SPDX-License-Identifier: Apache-2.0
"""Faces of head scans are drawn anew, or the scan stays."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from deid import DeidentificationKey, Deidentifier, FaceMaskError, Policy
from deid.policy import Faces
from tests.deid.faces.phantom_heads import Acquisition, PhantomHead, phantom_head
from tests.deid.faces.surfaces import landmark_distances
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of

COARSE = (5.0, 3.0)
OBFUSCATING = Policy(faces=Faces.OBFUSCATE)
CT = Acquisition(spacing=COARSE)


@pytest.fixture(scope="module")
def head() -> PhantomHead:
    return phantom_head(1, CT)


@pytest.fixture(scope="module")
def obfuscated(head: PhantomHead) -> list[Dataset]:
    return cleaned(head.slices(RecognizableVisualFeatures="YES"))


def cleaned(
    slices: list[Dataset],
    policy: Policy = OBFUSCATING,
    key: DeidentificationKey = KEY,
    syntax: str = ExplicitVRLittleEndian,
) -> list[Dataset]:
    files = [file_of(one, syntax) for one in slices]
    scans = Deidentifier(key, PIPELINE, policy).deidentify_series(files)
    return [dcmread(BytesIO(scan.to_bytes())) for scan in scans]


def pixels_of(datasets: list[Dataset]) -> NDArray[np.int16]:
    return np.stack([dataset.pixel_array for dataset in datasets])


@pytest.mark.parametrize(
    "how",
    [
        CT,
        replace(CT, angles=(13.0, -12.0, 6.0), tilt=12.0),
        Acquisition("T1", "sagittal", (-8.0, 10.0, -5.0), spacing=(4.0, 3.0)),
        Acquisition("T2", "coronal", (6.0, -5.0, 8.0), spacing=(4.0, 3.0)),
    ],
    ids=["CT", "CT tilted", "T1 sagittal", "T2 coronal"],
)
def test_the_face_is_another_and_no_voxel_inside_the_skull_changes(how: Acquisition) -> None:
    head = phantom_head(2, how)
    made = pixels_of(cleaned(head.slices()))
    assert np.array_equal(made[head.inside], head.pixels[head.inside])
    far = landmark_distances(head, made)
    assert len(far) == 6
    assert np.median(list(far.values())) >= 8.0
    assert min(far.values()) >= 3.0
    assert max(landmark_distances(head, head.pixels).values()) <= 3.0


def test_the_marks_say_what_was_done(obfuscated: list[Dataset]) -> None:
    assert {one.RecognizableVisualFeatures for one in obfuscated} == {"NO"}
    for one in obfuscated:
        codes = {item.CodeValue for item in one.DeidentificationMethodCodeSequence}
        assert "113102" in codes


def test_nothing_is_changed_behind_the_ears(head: PhantomHead, obfuscated: list[Dataset]) -> None:
    changed = np.argwhere(pixels_of(obfuscated) != head.pixels)
    places = changed @ head.axes.T + head.origin
    assert len(changed)
    assert places[:, 1].max() < 20.0


def test_a_patient_has_one_new_face_and_others_have_others(
    head: PhantomHead, obfuscated: list[Dataset]
) -> None:
    def face(**attributes: Any) -> NDArray[np.bool_]:
        return pixels_of(cleaned(head.slices(**attributes))) > head.threshold

    first = pixels_of(obfuscated) > head.threshold
    assert np.mean(first != face(SeriesInstanceUID="1.2.3.4")) < 0.001
    assert np.mean(first != face(PatientID="4712")) > 0.003
    other_key = DeidentificationKey(bytes(range(1, 33)))
    assert np.mean(first != (pixels_of(cleaned(head.slices(), key=other_key)) > -500)) > 0.003


def test_the_old_skin_does_not_show_below_the_new(
    head: PhantomHead, obfuscated: list[Dataset]
) -> None:
    made = pixels_of(obfuscated)
    at = np.rint(head.index_of(head.landmarks["nose"])).astype(int)
    around = made[at[0] - 1 : at[0] + 2, at[1] - 1 : at[1] + 4, at[2] - 1 : at[2] + 2]
    old = head.pixels[at[0] - 1 : at[0] + 2, at[1] - 1 : at[1] + 4, at[2] - 1 : at[2] + 2]
    assert old.std() > 200
    assert around.std() < 30


def test_the_order_of_the_files_changes_nothing(
    head: PhantomHead, obfuscated: list[Dataset]
) -> None:
    turned = cleaned(head.slices()[::-1])[::-1]
    for one, other in zip(obfuscated, turned, strict=True):
        assert one.SOPInstanceUID == other.SOPInstanceUID
        assert one.PixelData == other.PixelData


def test_a_finding_on_the_skin_stays_where_it_is_asked_for(head: PhantomHead) -> None:
    x, y, z = head.landmarks["left cheek"]
    made = pixels_of(cleaned(head.slices(), replace(OBFUSCATING, kept_regions=((x, y, z, 12.0),))))
    grid = np.moveaxis(np.indices(made.shape), 0, -1) @ head.axes.T + head.origin
    ball = np.linalg.norm(grid - np.array([x, y, z]), axis=-1) <= 12.0
    assert np.array_equal(made[ball], head.pixels[ball])
    assert (made != head.pixels).any()


def test_an_enhanced_object_is_a_volume_of_its_own(head: PhantomHead) -> None:
    made = cleaned([enhanced(head)])[0]
    assert np.array_equal(made.pixel_array[head.inside], head.pixels[head.inside])
    assert np.median(list(landmark_distances(head, made.pixel_array).values())) >= 8.0


def enhanced(head: PhantomHead) -> Dataset:
    slices = head.slices()
    dataset = slices[0]
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = dataset.PixelSpacing
    orientation.ImageOrientationPatient = dataset.ImageOrientationPatient
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    frames = []
    for one in slices:
        position, frame = Dataset(), Dataset()
        position.ImagePositionPatient = one.ImagePositionPatient
        frame.PlanePositionSequence = Sequence([position])
        frames.append(frame)
    del dataset.PixelSpacing, dataset.ImageOrientationPatient, dataset.ImagePositionPatient
    dataset.SOPClassUID = EnhancedCTImageStorage
    dataset.NumberOfFrames = len(slices)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.PixelData = head.pixels.tobytes()
    return dataset


def test_compressed_slices_without_a_face_stay_as_they_are(
    head: PhantomHead, obfuscated: list[Dataset]
) -> None:
    compressed = [dcmread(BytesIO(file_of(one))) for one in head.slices()]
    for one in compressed:
        one.compress(RLELossless, generate_instance_uid=False)
    made = cleaned(compressed, syntax=RLELossless)
    assert np.array_equal(pixels_of(made), pixels_of(obfuscated))
    assert made[-1].PixelData == compressed[-1].PixelData


@pytest.mark.parametrize(
    "how",
    [
        replace(CT, above=60.0),
        replace(CT, below=-10.0),
        replace(CT, above=-20.0),
        replace(CT, front=20.0),
        replace(CT, weighting="T2", front=40.0),
    ],
    ids=[
        "top cut off",
        "ends at the brow",
        "below the eyes alone",
        "front half cut off",
        "front third cut off",
    ],
)
def test_a_head_that_is_seen_in_part_is_refused(how: Acquisition) -> None:
    with pytest.raises(FaceMaskError):
        cleaned(phantom_head(1, how).slices())


def test_a_head_that_ends_at_the_nose_is_treated_as_far_as_it_goes() -> None:
    head = phantom_head(1, replace(CT, below=25.0))
    made = pixels_of(cleaned(head.slices()))
    assert np.array_equal(made[head.inside], head.pixels[head.inside])
    far = landmark_distances(head, made)
    assert far.keys() == {"brow"}
    assert far["brow"] >= 6.0


def test_a_slice_alone_and_a_series_with_a_gap_are_refused(head: PhantomHead) -> None:
    slices = head.slices()
    with pytest.raises(FaceMaskError):
        cleaned(slices[20:21])
    with pytest.raises(FaceMaskError, match="missing"):
        cleaned(slices[:16] + slices[19:])
    with pytest.raises(FaceMaskError, match="where its pixels lie"):
        cleaned(head.slices(ImagePositionPatient=None))
    with pytest.raises(FaceMaskError, match="where its pixels lie"):
        cleaned(head.slices(PixelSpacing=[0.0, 3.0]))


def test_images_in_colour_are_refused(head: PhantomHead) -> None:
    colours = np.repeat(head.pixels[0].astype(np.uint8)[..., np.newaxis], 3, axis=-1)
    slices = head.slices(
        SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
        PixelData=colours.tobytes(),
    )  # fmt: skip
    with pytest.raises(FaceMaskError, match="colour"):
        cleaned(slices)


def test_padding_outside_of_the_gantry_is_not_taken_for_air(head: PhantomHead) -> None:
    rows, columns = np.indices(head.pixels.shape[1:])
    circle = np.hypot(rows - rows.mean(), columns - columns.mean()) > max(rows.shape) / 2 - 2
    padded = head.pixels.copy()
    padded[:, circle] = -2000
    slices = head.slices()
    for one, values in zip(slices, padded, strict=True):
        one.PixelData = values.tobytes()
    made = pixels_of(cleaned(slices))
    assert not ((made == -2000) & (padded != -2000)).any()


def test_a_head_whose_orientation_is_wrong_is_refused(head: PhantomHead) -> None:
    turned = []
    for one in head.slices():
        x, y, z, a, b, c = map(float, one.ImageOrientationPatient)
        one.ImageOrientationPatient = [-x, -y, -z, -a, -b, -c]
        one.ImagePositionPatient = [-float(v) for v in one.ImagePositionPatient[:2]] + [
            one.ImagePositionPatient[2]
        ]
        turned.append(one)
    with pytest.raises(FaceMaskError):
        cleaned(turned)


def test_a_head_without_a_scalp_is_refused() -> None:
    how = Acquisition("T1", spacing=COARSE)
    head = phantom_head(3, how)
    head.pixels[~head.inside] = head.pixels[~head.inside] // 30
    with pytest.raises(FaceMaskError):
        cleaned(head.slices())


def test_slices_above_the_brows_pass_untouched_and_say_so() -> None:
    head = phantom_head(1, replace(CT, below=-45.0))
    made = cleaned(head.slices())
    assert np.array_equal(pixels_of(made), head.pixels)
    assert made[0].RecognizableVisualFeatures == "NO"


def trunk(words: str) -> list[Dataset]:
    """Slices of 360 by 240 mm of tissue."""
    head = phantom_head(1, replace(CT, spacing=(5.0, 4.0)))
    rows, columns = np.mgrid[:90, :110]
    oval = ((rows - 45) / 30.0) ** 2 + ((columns - 55) / 45.0) ** 2 < 1
    pixels = np.where(oval, 40, -1000).astype(np.int16)
    return head.slices(
        Rows=90, Columns=110, PixelSpacing=[4.0, 4.0], BodyPartExamined=words,
        PixelData=pixels.tobytes(),
    )  # fmt: skip


def test_a_trunk_passes_untouched() -> None:
    made = cleaned(trunk("CHEST"))
    assert {one.PixelData for one in made} == {trunk("CHEST")[0].PixelData}
    assert made[0].RecognizableVisualFeatures == "NO"


def test_a_long_scan_that_ends_above_in_air_may_have_a_head_whatever_its_header_says() -> None:
    """Arms beside the head make it another shape than a head's."""
    with pytest.raises(FaceMaskError, match="girth"):
        cleaned(arms_up("CHEST"))


def arms_up(words: str) -> list[Dataset]:
    """A body of 400 mm whose top is two arms and what is between them."""
    pixels = np.full((80, 90, 110), -1000, np.int16)
    rows, columns = np.mgrid[:90, :110]
    for at in range(80):
        wide = 12 if at > 60 else 45
        pixels[at][((rows - 45) / (wide * 0.7)) ** 2 + ((columns - 55) / wide) ** 2 < 1] = 40
        for side in (25, 85) if 50 < at < 78 else ():
            pixels[at][(rows - 45) ** 2 + (columns - side) ** 2 < 40] = 40
    head = phantom_head(1, replace(CT, spacing=(5.0, 4.0), below=300.0))
    slices = head.slices(
        Rows=90, Columns=110, PixelSpacing=[4.0, 4.0], BodyPartExamined=words
    )[:80]  # fmt: skip
    for one, values in zip(slices, pixels, strict=True):
        one.PixelData = values.tobytes()
    return slices


def test_nothing_is_claimed_of_another_part_that_could_not_be_looked_at() -> None:
    made = cleaned(trunk("KNEE")[:1])[0]
    assert "RecognizableVisualFeatures" not in made
    assert "113102" not in {item.CodeValue for item in made.DeidentificationMethodCodeSequence}


def test_a_flagged_object_that_shows_no_slices_is_refused() -> None:
    photograph = ct(
        SOPClassUID=SecondaryCaptureImageStorage, Modality="OT", RecognizableVisualFeatures="YES"
    )
    with pytest.raises(FaceMaskError):
        cleaned([photograph])


def test_flagging_changes_no_pixel(head: PhantomHead) -> None:
    flagging = Policy(faces=Faces.FLAG)
    made = cleaned(head.slices(), flagging)
    assert np.array_equal(pixels_of(made), head.pixels)
    assert {one.RecognizableVisualFeatures for one in made} == {"YES"}
    unsure = cleaned(head.slices()[20:21], flagging)[0]
    assert unsure.RecognizableVisualFeatures == "YES"
    assert cleaned(trunk("CHEST"), flagging)[0].RecognizableVisualFeatures == "NO"


def test_without_the_policy_nothing_is_looked_at(head: PhantomHead) -> None:
    made = cleaned(head.slices(), Policy())
    assert np.array_equal(pixels_of(made), head.pixels)
    assert "RecognizableVisualFeatures" not in made[0]


def test_the_shipped_face_is_the_one_that_training_makes() -> None:
    from deid.faces.generic import generic_face
    from deid.faces.training import learnt

    made, shipped = learnt(), generic_face()
    assert np.abs(made.mean - shipped.mean).max() < 1e-3
    assert np.abs(np.abs(made.modes[0]) - np.abs(shipped.modes[0])).max() < 1e-3
