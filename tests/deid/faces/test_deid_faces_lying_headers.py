# SPDX-License-Identifier: Apache-2.0
"""Heads whose header names another part of the body: none passes, and what shows no head does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import MRImageStorage

from deid import FaceMaskError, Policy
from deid.policy import Faces
from tests.deid.faces.phantom_heads import Acquisition, PhantomHead, phantom_head
from tests.deid.faces.test_deid_faces import cleaned
from tests.deid.made_scans import ct

Values = NDArray[Any]


def head_of(weighting: str, direction: str = "axial") -> PhantomHead:
    return phantom_head(61, Acquisition(weighting, direction, (5.0, -6.0, 3.0), spacing=(4.0, 2.4)))


def lying(head: PhantomHead, values: Values, **attributes: Any) -> list[Dataset]:
    """Slices that say they show a knee."""
    rows, columns = values.shape[1:]
    said = {"BodyPartExamined": "KNEE", "Rows": rows, "Columns": columns} | attributes
    slices = head.slices(**said)
    for one, plane in zip(slices, values, strict=True):
        one.PixelData = np.ascontiguousarray(plane.astype("<i2")).tobytes()
    return slices


def on_foam(head: PhantomHead) -> Values:
    """The head lies in 6 cm of foam, which hides its girth."""
    values = np.pad(head.pixels, ((0, 0), (0, 40), (60, 60)), constant_values=head.pixels.min())
    behind = int(np.flatnonzero((head.pixels > head.threshold).any(axis=(0, 2)))[-1])
    foam = values[:, behind - 2 : behind + 24, 20:-20]
    foam[foam < head.threshold] = -150 if head.threshold < 0 else 150
    return values


def on_a_curved_table(head: PhantomHead) -> Values:
    values = np.pad(head.pixels, ((0, 0), (0, 40), (60, 60)), constant_values=head.pixels.min())
    behind = int(np.flatnonzero((head.pixels > head.threshold).any(axis=(0, 2)))[-1])
    rows, columns = np.indices(values.shape[1:])
    middle = values.shape[2] / 2
    top = behind + 2 - ((columns - middle) / middle) ** 2 * 25
    table = (rows >= top) & (rows <= top + 6)
    values[:, table] = np.maximum(values[:, table], 150)
    return values


def in_noise(head: PhantomHead) -> Values:
    """Air whose mean is a tissue's."""
    chance = np.random.default_rng(3).integers(0, 4096, head.pixels.shape)
    return np.where(head.pixels > 60, 2048 + head.pixels // 2, chance)


ODD: dict[str, tuple[str, Callable[[PhantomHead], Values]]] = {
    "CT on foam": ("CT", on_foam),
    "T2 on foam": ("T2", on_foam),
    "T1 on a curved table": ("T1", on_a_curved_table),
    "CT without rescaling": ("CT", lambda head: head.pixels.clip(-1024) + 1024),
    "CT of another scale": ("CT", lambda head: head.pixels.astype(int) * 8),
    "CT of 8 bits": ("CT", lambda head: (head.pixels.clip(-110, 190) + 110) * 0.85),
    "inverted CT": ("CT", lambda head: -head.pixels),
    "inverted T1": ("T1", lambda head: head.pixels.max() - head.pixels),
    "T2 with noise for air": ("T2", in_noise),
}


@pytest.mark.parametrize("name", ODD)
def test_a_head_in_an_odd_form_that_says_it_is_a_knee_waits_for_a_person(name: str) -> None:
    weighting, form = ODD[name]
    head = head_of(weighting)
    with pytest.raises(FaceMaskError):
        cleaned(lying(head, form(head)))


def test_where_faces_are_flagged_such_a_head_is() -> None:
    head = head_of("CT")
    made = cleaned(lying(head, on_foam(head)), Policy(faces=Faces.FLAG))
    assert {one.RecognizableVisualFeatures for one in made} == {"YES"}


@pytest.mark.parametrize(
    ("weighting", "direction", "share"),
    [("CT", "axial", 0.6), ("T1", "sagittal", 0.5), ("T2", "coronal", 0.5), ("T2", "axial", 0.6)],
)
def test_one_slice_of_a_head_that_says_it_is_a_knee_waits(
    weighting: str, direction: str, share: float
) -> None:
    """The middle of a sagittal localizer is a profile."""
    head = head_of(weighting, direction)
    slices = lying(head, head.pixels)
    with pytest.raises(FaceMaskError, match="shape"):
        cleaned([slices[round(share * len(slices))]])


def test_slices_of_a_head_that_make_up_no_volume_wait_too() -> None:
    head = head_of("CT")
    slices = lying(head, head.pixels)
    for some in (
        slices[:30] + slices[34:],
        lying(head, head.pixels, ImagePositionPatient=None),
        lying(head, head.pixels, ImagePositionPatient=None, PixelSpacing=None),
    ):
        with pytest.raises(FaceMaskError, match="shape"):
            cleaned(some)


def test_a_head_cut_off_above_that_says_it_is_a_knee_waits() -> None:
    head = phantom_head(62, Acquisition(spacing=(4.0, 2.4), above=30.0))
    with pytest.raises(FaceMaskError, match="shape"):
        cleaned(lying(head, head.pixels))


@pytest.mark.parametrize("weighting", ["CT", "T1"])
@pytest.mark.parametrize("yaw", [-90.0, 180.0])
def test_so_does_a_head_on_its_side_or_face_down(weighting: str, yaw: float) -> None:
    how = Acquisition(weighting, angles=(0.0, yaw, 0.0), spacing=(4.0, 2.4), front=160.0)
    head = phantom_head(63, how)
    values = np.pad(head.pixels, ((0, 0), (0, 24), (0, 0)), constant_values=head.pixels.min())
    values[:, -8:] = np.where(head.threshold < 0, -150, 150)
    with pytest.raises(FaceMaskError):
        cleaned(lying(head, values))


def test_a_localizer_beside_a_head_does_not_let_the_head_pass() -> None:
    head = head_of("CT")
    slices = lying(head, head.pixels)
    aside = ct(
        SOPInstanceUID="2.25.7", Rows=20, Columns=20, SamplesPerPixel=1, BitsAllocated=16,
        BitsStored=16, HighBit=15, PixelRepresentation=1, PhotometricInterpretation="MONOCHROME2",
        PixelSpacing=[9.0, 9.0], ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
        ImagePositionPatient=[0, -90, 90], BodyPartExamined="KNEE", PixelData=bytes(800),
    )  # fmt: skip
    with pytest.raises(FaceMaskError):
        cleaned([*slices, aside])


def grid(pixels: int = 100) -> tuple[Values, Values, Values]:
    """Millimetres up, to the back and to the left from the middle of 60 slices 4 mm apart."""
    up, back, left = np.indices((60, pixels, pixels)).astype(float)
    return (up - 29.5) * 4.0, (back - (pixels - 1) / 2) * 4.0, (left - (pixels - 1) / 2) * 4.0


def tube(at: float, wide: float, deep: float) -> NDArray[np.bool_]:
    _, back, left = grid()
    return ((left - at) / wide) ** 2 + (back / deep) ** 2 < 1


def chest() -> Values:
    """Skin, ribs, lungs and a spine, on a table."""
    values = np.where(tube(0, 160, 105), 40, -1000)
    values[tube(0, 148, 93) & ~tube(0, 140, 85)] = 700
    for side in (-70, 70):
        values[tube(side, 58, 70)] = -820
    _, back, left = grid()
    values[(back > 112) & (back < 124) & (np.abs(left) < 190)] = -150
    return values


def knees(apart: float = 90.0) -> Values:
    """Fat, muscle and condyles with a dark cortex, as T1 shows them."""
    values = np.zeros((60, 100, 100), int)
    for side in (-apart, apart):
        for radius, value in ((62, 800), (54, 260), (40, 40), (36, 700)):
            values[tube(side, radius * 0.9, radius)] = value
    return values


def cylinder() -> Values:
    """What quality is tested with."""
    up, _, _ = grid()
    values = np.where(tube(0, 90, 90) & (np.abs(up) < 80), 120, -1000)
    values[tube(0, 82, 82) & (np.abs(up) < 72)] = 0
    return values


def foot() -> Values:
    """A leg that ends in a foot below."""
    up, back, left = grid()
    leg = tube(0, 42, 48)
    sole = (up < -60) & (up > -100) & (np.abs(left) < 45) & (back < 60) & (back > -160)
    return np.where((leg & (up > -100)) | sole, 40, -1000)


@pytest.mark.parametrize(
    ("values", "modality"),
    [(chest, "CT"), (knees, "MR"), (cylinder, "CT"), (foot, "CT")],
    ids=["chest", "knees", "cylinder", "foot"],
)
@pytest.mark.parametrize("count", [60, 1])
def test_what_shows_no_head_passes(values: Callable[[], Values], modality: str, count: int) -> None:
    head = phantom_head(1, Acquisition(modality.replace("MR", "T1"), spacing=(4.0, 4.0)))
    noisy = values() + np.random.default_rng(1).normal(0.0, 8.0, (60, 100, 100))
    slices = []
    first = (60 - count) // 2
    for at, plane in enumerate(noisy[first : first + count]):
        one = head.slices()[0]
        one.SOPInstanceUID, one.Rows, one.Columns = f"2.25.{at + 1}", 100, 100
        one.PixelSpacing, one.BodyPartExamined = [4.0, 4.0], "KNEE"
        one.ImagePositionPatient = [-200.0, -200.0, at * 4.0]
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.PixelData = np.rint(plane).astype("<i2").tobytes()
        if modality == "MR":
            one.SOPClassUID, one.Modality = MRImageStorage, "MR"
        slices.append(one)
    assert len(slices) == count
    made = cleaned(slices)
    assert all(one.get("RecognizableVisualFeatures", "NO") == "NO" for one in made)
