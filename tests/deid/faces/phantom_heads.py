# SPDX-License-Identifier: Apache-2.0
"""Made-up heads of CT and MR with known faces and a known inside of the skull.

Solids in the head's own millimetres (x to the left, y to the back, z up, the middle of the skull at
0), turned and scanned in any direction; not made by what makes the heads of the generic face.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import MRImageStorage
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial.transform import Rotation

from tests.deid.made_scans import ROOT, ct

Floats = NDArray[np.float64]
Solid = tuple[tuple[float, float, float], tuple[float, float, float]]
DIRECTIONS = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
}
_TISSUES = {
    # air, skin, fat, muscle, bone, brain, fluid, noise
    "CT": (-1000.0, 30.0, -90.0, 50.0, 900.0, 36.0, 8.0, 10.0),
    "T1": (0.0, 350.0, 800.0, 320.0, 60.0, 520.0, 130.0, 14.0),
    "T2": (0.0, 300.0, 620.0, 180.0, 40.0, 380.0, 900.0, 14.0),
}


@dataclass(frozen=True)
class Acquisition:
    """How a head is scanned.

    ``angles`` are pitch, yaw and roll of the head in degrees, ``tilt`` turns the slices themselves.
    ``above`` and ``below`` are mm scanned from the middle of the skull.
    """

    weighting: str = "CT"
    direction: str = "axial"
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tilt: float = 0.0
    spacing: tuple[float, float] = (2.5, 1.4)
    above: float = 110.0
    below: float = 150.0
    front: float = 140.0
    noise: float = 1.0


@dataclass(frozen=True)
class PhantomHead:
    """A scanned head: stored values ``(slices, rows, columns)`` and what is known of them."""

    pixels: NDArray[np.int16]
    inside: NDArray[np.bool_]
    """Voxels inside the skull."""
    landmarks: dict[str, Floats]
    """Patient coordinates in mm."""
    axes: Floats
    origin: Floats
    acquisition: Acquisition
    threshold: float
    """Value half way between air and skin."""

    def index_of(self, place: Floats) -> Floats:
        """Fractional indices of patient coordinates."""
        return np.asarray(np.linalg.solve(self.axes, place - self.origin))

    def slices(self, **attributes: Any) -> list[Dataset]:
        """The series as single-frame images."""
        return [self._slice(at, attributes) for at in range(len(self.pixels))]

    def _slice(self, at: int, attributes: dict[str, Any]) -> Dataset:
        rows, columns = self.pixels.shape[1:]
        spacing = np.linalg.norm(self.axes, axis=0)
        place = self.origin + at * self.axes[:, 0]
        computed = self.acquisition.weighting == "CT"
        values: dict[str, Any] = {
            "SOPInstanceUID": f"{ROOT}.3.{at + 1}",
            "InstanceNumber": at + 1,
            "Rows": rows,
            "Columns": columns,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 1,
            "ImageOrientationPatient": _written(
                [*self.axes[:, 2] / spacing[2], *self.axes[:, 1] / spacing[1]]
            ),
            "ImagePositionPatient": _written(place),
            "PixelSpacing": _written(spacing[1:]),
            "SliceThickness": f"{spacing[0]:.4f}",
            "BodyPartExamined": "HEAD",
            "PixelData": self.pixels[at].tobytes(),
        }
        if computed:
            values |= {"RescaleSlope": "1", "RescaleIntercept": "0"}
        else:
            values |= {"SOPClassUID": MRImageStorage, "Modality": "MR"}
        return ct(**(values | attributes))


def _written(numbers: Any) -> list[str]:
    return [f"{number:.6f}" for number in numbers]


@dataclass
class _Anatomy:
    """The solids of one head."""

    rng: np.random.Generator
    skin: list[Solid] = field(default_factory=list)
    hollows: list[Solid] = field(default_factory=list)
    brain: list[Solid] = field(default_factory=list)
    bone: list[Solid] = field(default_factory=list)
    fluid: list[Solid] = field(default_factory=list)
    airways: list[Solid] = field(default_factory=list)
    eyes: list[Solid] = field(default_factory=list)

    def __post_init__(self) -> None:
        draw = self.rng.normal
        wide, deep, high = draw(74, 3), draw(94, 3.5), draw(88, 3)
        self.scalp, self.skull = self.rng.uniform(4.5, 8.0), self.rng.uniform(4.5, 8.5)
        self.low = draw(1.0, 0.035)
        self.size = (wide, deep, high)
        front = -deep
        within = self.scalp + self.skull
        self._braincase(wide - within, deep - within, high - within)
        self._face(front, wide, draw)
        self._inner_face(front)

    def _braincase(self, wide: float, deep: float, high: float) -> None:
        self.brain += [((0, 0, 0), (wide, deep, high * 0.999))]
        # What would be the lower half of the ellipsoid is cut off by the skull's base.
        self.base = -38.0
        self.brain += [
            ((wide * 0.5, -deep * 0.22, -32), (wide * 0.32, deep * 0.3, 18)),
            ((-wide * 0.5, -deep * 0.22, -32), (wide * 0.32, deep * 0.3, 18)),
            ((0, deep * 0.48, -44), (wide * 0.66, deep * 0.42, 26)),
        ]
        self.fluid += [((9, 0, 8), (6, 28, 9)), ((-9, 0, 8), (6, 28, 9))]

    def _face(self, front: float, wide: float, draw: Any) -> None:
        low = self.low
        mouth, chin, tip = -80 * low, -112 * low, -57 * low
        nose = draw(23, 3.5)
        self.skin += [
            ((0, 0, 0), self.size),
            ((0, front + 58, -58 * low), (wide * 0.84, 57, 62)),
            ((0, front + 60, -92 * low), (draw(52, 3), 56, 34)),
            ((0, front + draw(19, 3), chin), (draw(17, 2), 15, 13)),
            ((0, front + 4, mouth), (draw(23, 2), draw(9, 1.5), 5.5)),
            ((0, front + 5, mouth - 9), (draw(20, 2), draw(9, 1.5), 5.5)),
            ((0, front - nose * 0.45, tip), (draw(9, 1), nose * 0.62, draw(9, 1))),
            ((9, front + 2, tip - 2), (8, 12, 8)),
            ((-9, front + 2, tip - 2), (8, 12, 8)),
            ((0, 12, -150), (54, 52, 90)),
        ]
        self.skin += [
            (
                (0, front + 13 - nose * 0.45 * share, -16 * low + (tip + 16 * low) * share),
                (7, 20, 8),
            )
            for share in np.linspace(0.0, 0.9, 12)
        ]
        aside, out = draw(38, 3), draw(21, 3)
        for side in (-1.0, 1.0):
            self.skin += [
                ((side * aside, front + out + 6, -46 * low), (20, draw(18, 2), 20)),
                ((side * draw(24, 2), front + draw(11, 1.5), -4), (20, 9, 8)),
                ((side * wide * 0.98, 10, -35), (7, 16, 27)),
            ]
            self.hollows += [((side * 32, front - 6, -21 * low), (14, 17, 9))]
            self.eyes += [((side * 31, front + 24, -21 * low), (12, 12, 12))]
        self.heights = {"brow": -3.0, "nose": tip, "lips": mouth, "chin": chin, "cheek": -46 * low}
        self.aside = aside

    def _inner_face(self, front: float) -> None:
        low = self.low
        self.bone += [
            ((0, front + 42, -62 * low), (34, 24, 20)),
            ((0, front + 34, -94 * low), (36, 22, 12)),
            ((0, front + 22, -110 * low), (12, 10, 8)),
            ((0, 30, -140), (16, 15, 80)),
            *(((side * 50, front + 45, -42), (9, 22, 7)) for side in (-1, 1)),
            *(((side * 46, front + 68, -85), (7, 14, 32)) for side in (-1, 1)),
        ]
        self.airways += [
            ((0, front + 30, -48 * low), (9, 26, 18)),
            *(((side * 26, front + 40, -52 * low), (11, 13, 13)) for side in (-1, 1)),
            ((0, front + 62, -80), (8, 9, 40)),
            ((0, front + 44, -82 * low), (16, 22, 4)),
        ]

    def outside(self, place: Floats) -> NDArray[np.bool_]:
        """Whether places ``(..., 3)`` are in the patient."""
        return _in(self.skin, place) & ~_in(self.hollows, place)

    def within_skull(self, place: Floats, grown: float = 0.0) -> NDArray[np.bool_]:
        """Whether places are inside the skull, or inside it grown by so many mm."""
        above = place[..., 2] > self.base - grown
        return (_in(self.brain[:1], place, grown) & above) | _in(self.brain[1:], place, grown)


def _in(solids: list[Solid], place: Floats, grown: float = 0.0) -> NDArray[np.bool_]:
    found = np.zeros(place.shape[:-1], np.bool_)
    x, y, z = (place[..., axis].ravel() for axis in range(3))
    for (x0, y0, z0), (a, b, c) in solids:
        near = np.flatnonzero(np.abs(z - z0) <= c + grown)
        near = near[np.abs(y[near] - y0) <= b + grown]
        far = ((x[near] - x0) / (a + grown)) ** 2 + ((y[near] - y0) / (b + grown)) ** 2
        far += ((z[near] - z0) / (c + grown)) ** 2
        found.ravel()[near[far <= 1.0]] = True
    return found


def phantom_head(seed: int, acquisition: Acquisition | None = None) -> PhantomHead:
    """Make and scan one head; the seed determines all of it."""
    how = acquisition or Acquisition()
    rng = np.random.default_rng(seed)
    anatomy = _Anatomy(rng)
    pose = Rotation.from_euler("xzy", how.angles, degrees=True)
    shift = rng.normal(0.0, 4.0, 3)
    axes, origin, shape = _grid(how)
    indices = np.moveaxis(np.indices(shape, np.float32), 0, -1)
    patient = indices @ axes.T.astype(np.float32) + origin.astype(np.float32)
    place = (patient - shift.astype(np.float32)) @ pose.as_matrix().astype(np.float32)
    values, inside = _painted(anatomy, place, how, rng, np.linalg.norm(axes, axis=0))
    landmarks = {name: pose.apply(at) + shift for name, at in _landmarks(anatomy).items()}
    air, skin = _TISSUES[how.weighting][:2]
    return PhantomHead(
        np.clip(np.rint(values), -1024, 4000).astype(np.int16),
        inside, landmarks, axes, origin, how, (air + skin) / 2,
    )  # fmt: skip


def _grid(how: Acquisition) -> tuple[Floats, Floats, tuple[int, int, int]]:
    """Axes, origin and shape of the box from the front, above and below, in its direction."""
    along_row, along_column = np.array(DIRECTIONS[how.direction])
    normal = np.cross(along_row, along_column)
    bounds = np.array([(-100.0, 100.0), (-how.front, 115.0), (-how.below, how.above)])
    between, within = how.spacing
    axes = np.stack([normal * between, along_column * within, along_row * within], axis=1)
    corners = np.array([bounds[at][(axes[at] < 0).any() * 1] for at in range(3)])
    reach = (
        np.abs((bounds[:, 1] - bounds[:, 0]) @ np.abs(axes))
        / np.array([between, within, within]) ** 2
    )
    shape = tuple(round(count) for count in reach)
    turn = Rotation.from_euler("x", how.tilt, degrees=True).as_matrix()
    return turn @ axes, turn @ corners, shape  # type: ignore[return-value]


def _painted(
    anatomy: _Anatomy, place: Floats, how: Acquisition, rng: np.random.Generator, spacing: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    air, skin, fat, muscle, bone, brain, fluid, noise = _TISSUES[how.weighting]
    # Every coordinate of its own in memory: solids are looked up in one after the other.
    place = np.moveaxis(np.ascontiguousarray(np.moveaxis(place, -1, 0)), 0, -1)
    body = anatomy.outside(place)
    inside = anatomy.within_skull(place)
    depth = distance_transform_edt(body, sampling=spacing)
    values = np.where(body, muscle, air).astype(np.float32)
    values[body & (depth < 6.0)] = fat
    values[body & (depth < 2.0)] = skin
    for solids, value in ((anatomy.bone, bone), (anatomy.airways, air), (anatomy.eyes, fluid)):
        values[_in(solids, place) & body & (depth > 3.0)] = value
    skull = anatomy.within_skull(place, anatomy.skull) & (depth > 2.0)
    values[skull] = bone
    values[inside] = fluid
    values[anatomy.within_skull(place, -3.0)] = brain
    values[_in(anatomy.fluid, place)] = fluid
    values = gaussian_filter(values, 0.5)
    if how.weighting == "CT":
        return values + rng.normal(0.0, noise * how.noise, values.shape), inside
    coarse = rng.normal(1.0, 0.12, (3, 3, 3))
    at = (np.moveaxis(place, -1, 0) / 130.0 + 1.0).clip(0, 2)
    from scipy.ndimage import map_coordinates

    values = values * map_coordinates(coarse, at, order=1)
    real, imaginary = rng.normal(0.0, noise * how.noise, (2, *values.shape))
    return np.hypot(values + real, imaginary), inside


def _landmarks(anatomy: _Anatomy) -> dict[str, Floats]:
    """Places on the skin straight in front, in the head's own coordinates."""
    heights = anatomy.heights
    wanted = {
        "brow": (0.0, heights["brow"]),
        "nose": (0.0, heights["nose"]),
        "lips": (0.0, heights["lips"]),
        "chin": (0.0, heights["chin"]),
        "left cheek": (anatomy.aside, heights["cheek"]),
        "right cheek": (-anatomy.aside, heights["cheek"]),
    }
    depths = np.arange(-150.0, 0.0, 0.1)
    found = {}
    for name, (x, z) in wanted.items():
        line = np.stack([np.full_like(depths, x), depths, np.full_like(depths, z)], axis=-1)
        found[name] = line[int(np.argmax(anatomy.outside(line)))]
    return found
