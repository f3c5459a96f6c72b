# SPDX-License-Identifier: Apache-2.0
"""Frontal chest radiograph phantoms with known findings.

A phantom is wholly determined by its seed and the requested findings; the matrix size only changes
how finely it is drawn. Seeds are shared out (:class:`SeedRange`) so that training never sees a test
phantom.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from inference.phantoms.findings import FINDINGS, PAINTERS, Mask
from inference.phantoms.shapes import Field, soft
from inference.phantoms.thorax import Anatomy, Thorax, draw_anatomy

_HEALTHY_SHARE = 0.2
_PREVALENCE = 0.34
_DEVICE_SHARE = 0.15


class SeedRange(Enum):
    """First seed of each purpose; a purpose has one million seeds."""

    SAMPLES = 0
    TRAINING = 1_000_000
    VALIDATION = 2_000_000
    TEST = 3_000_000
    COMMISSIONING = 4_000_000
    BENCHMARK = 5_000_000


@dataclass(frozen=True)
class ChestPhantom:
    """One phantom radiograph and the truth about it.

    Attributes
    ----------
    seed:
        What it was made from.
    pixels:
        Stored values, ``(size, size)`` uint16, MONOCHROME2 (bright is dense).
    bits_stored:
        12 to 16; no stored value exceeds it.
    window:
        Centre and width that a device would have written.
    findings:
        Keys of the findings present, in the order of ``FINDINGS``.
    masks:
        ``(size, size)`` truth per present finding.
    """

    seed: int
    pixels: NDArray[np.uint16]
    bits_stored: int
    window: tuple[float, float]
    findings: tuple[str, ...]
    masks: dict[str, Mask]


def draw_findings(rng: np.random.Generator) -> frozenset[str]:
    """A random set of findings: a fifth of the phantoms have none, the others any combination."""
    if rng.random() < _HEALTHY_SHARE:
        return frozenset()
    return frozenset(key for key in FINDINGS if rng.random() < _PREVALENCE)


def chest_phantom(
    seed: int, size: int = 256, findings: Collection[str] | None = None
) -> ChestPhantom:
    """Make the phantom of ``seed`` as a ``size x size`` radiograph.

    Parameters
    ----------
    seed:
        Any integer >= 0; see :class:`SeedRange`.
    size:
        Matrix size, 32 to 4096.
    findings:
        Which findings to draw; random when None.

    Raises
    ------
    ValueError
        If the size is out of range or a finding is unknown.
    """
    if not 32 <= size <= 4096:
        raise ValueError(f"a phantom's size must be 32 to 4096, not {size}")
    unknown = set(findings or ()) - set(FINDINGS)
    if unknown:
        raise ValueError(f"unknown findings {sorted(unknown)}; known are {', '.join(FINDINGS)}")
    # One stream per stage: a stage that draws more numbers does not change the next one.
    stages = np.random.SeedSequence(seed).spawn(5)
    choice, shape, texture, painting, exposure = (np.random.default_rng(s) for s in stages)
    present = draw_findings(choice) if findings is None else frozenset(findings)
    heart = "cardiomegaly" in present
    anatomy = draw_anatomy(Thorax.sample(shape, enlarged_heart=heart), size, texture)
    brightness, masks = _paint(anatomy, present, painting)
    bits_stored, window, pixels = _expose(brightness, exposure)
    found = tuple(key for key in FINDINGS if key in masks)
    return ChestPhantom(seed, pixels, bits_stored, window, found, masks)


def _paint(
    anatomy: Anatomy, present: frozenset[str], rng: np.random.Generator
) -> tuple[Field, dict[str, Mask]]:
    """Draw the findings, each with numbers of its own, and foreign bodies now and then."""
    brightness = anatomy.brightness
    masks: dict[str, Mask] = {}
    streams = dict(zip(PAINTERS, rng.spawn(len(PAINTERS)), strict=True))
    for key, painter in PAINTERS.items():
        if key in present:
            brightness, masks[key] = painter(brightness, anatomy, streams[key])
    if rng.random() < _DEVICE_SHARE:
        brightness = _device(brightness, anatomy, rng)
    return brightness, masks


def _device(brightness: Field, anatomy: Anatomy, rng: np.random.Generator) -> Field:
    """A generator under the clavicle with a lead, which is no finding."""
    side = float(rng.choice((-1.0, 1.0)))
    x, y = anatomy.x - np.float32(0.52 * side), anatomy.y + np.float32(0.42)
    box = soft(np.asarray(np.minimum(0.09 - np.abs(x), 0.07 - np.abs(y)), np.float32), 0.012)
    path = 0.5 * side * np.exp(-((anatomy.y + 0.42) ** 2) * 9.0) + 0.06
    lead = np.minimum(0.010 - np.abs(anatomy.x - path), 0.35 - np.abs(anatomy.y + 0.08))
    metal = np.maximum(box, soft(np.asarray(lead, np.float32), 0.008))
    return np.asarray(brightness + 0.30 * metal, dtype=np.float32)


def _expose(
    brightness: Field, rng: np.random.Generator
) -> tuple[int, tuple[float, float], NDArray[np.uint16]]:
    """Turn brightness into stored values of one of several detectors, with quantum noise."""
    bits_stored = int(rng.choice((12, 12, 14, 15, 16)))
    top = float(2**bits_stored - 1)
    gamma = float(rng.uniform(0.75, 1.30))
    gain = float(rng.uniform(0.60, 0.80)) * top
    offset = float(rng.uniform(0.02, 0.12)) * top
    size = brightness.shape[0]
    # Finer detectors collect fewer quanta per pixel; averaged down, all look alike.
    noise = 10.0 ** float(rng.uniform(-2.9, -1.75)) * (size / 256.0) ** 0.5
    curve = np.clip(brightness, 0.0, 1.2) ** np.float32(gamma)
    grain = rng.standard_normal(brightness.shape, dtype=np.float32) * np.float32(noise)
    values = np.clip((curve + grain) * np.float32(gain) + np.float32(offset), 0.0, top)
    low, high = offset, offset + gain * float(rng.uniform(0.85, 1.0))
    window = ((low + high) / 2.0, high - low)
    return bits_stored, window, np.rint(values).astype(np.uint16)
