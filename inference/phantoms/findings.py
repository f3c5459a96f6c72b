# SPDX-License-Identifier: Apache-2.0
"""Findings drawn into a phantom chest, each with the mask of the pixels it occupies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inference.phantoms.shapes import Field, ellipse, rotated, smooth_noise, soft
from inference.phantoms.thorax import Anatomy

FINDINGS = ("nodule", "consolidation", "pleural-effusion", "pneumothorax", "cardiomegaly")

Mask = NDArray[np.bool_]
Painter = Callable[[Field, Anatomy, np.random.Generator], tuple[Field, Mask]]


def _lung_point(
    anatomy: Anatomy, margin: float, rng: np.random.Generator
) -> tuple[float, float] | None:
    """A point of visible lung at least ``margin`` from its border, the same at every size."""
    thorax = anatomy.thorax
    for _ in range(60):
        x = np.float32(rng.uniform(-0.75, 0.75))
        y = np.float32(rng.uniform(-0.65, 0.55))
        at = np.full((1, 1), x, np.float32), np.full((1, 1), y, np.float32)
        side = -1 if x < 0 else 1
        inside = float(thorax.hemithorax(*at, side)[0, 0])
        if min(inside, -float(thorax.heart(*at)[0, 0])) >= margin:
            return float(x), float(y)
    return None


def _nodule(brightness: Field, anatomy: Anatomy, rng: np.random.Generator) -> tuple[Field, Mask]:
    """One to three round opacities in the lung."""
    mask = np.zeros(brightness.shape, dtype=np.bool_)
    for _ in range(int(rng.choice((1, 1, 1, 2, 2)))):
        radius = float(rng.uniform(0.070, 0.135))
        centre = _lung_point(anatomy, 0.6 * radius, rng) or (-0.40, -0.10)
        x, y = rotated(anatomy.x, anatomy.y, centre, float(rng.uniform(0.0, 180.0)))
        axes = (radius, radius * float(rng.uniform(0.8, 1.0)))
        distance = ellipse(x, y, (0.0, 0.0), axes)
        profile = np.sqrt(np.clip(distance / min(axes), 0.0, 1.0))
        contrast = np.float32(rng.uniform(0.11, 0.28))
        brightness = brightness + contrast * np.maximum(profile, soft(distance, 0.015) * 0.6)
        mask |= distance > 0
    return brightness, mask


def _consolidation(
    brightness: Field, anatomy: Anatomy, rng: np.random.Generator
) -> tuple[Field, Mask]:
    """A cloudy opacity with ragged edges, bound to the lung."""
    reach = float(rng.uniform(0.14, 0.38))
    centre = _lung_point(anatomy, 0.08, rng) or (0.45, 0.10)
    x, y = rotated(anatomy.x, anatomy.y, centre, float(rng.uniform(0.0, 180.0)))
    axes = (reach, reach * float(rng.uniform(0.6, 1.0)))
    ragged = ellipse(x, y, (0.0, 0.0), axes) + 0.05 * smooth_noise(anatomy.x, anatomy.y, 6, rng)
    lung = soft(anatomy.lung_fields, 0.02)
    cloud = soft(np.asarray(ragged - 0.02, dtype=np.float32), 0.07) * lung
    texture = 1.0 + 0.16 * smooth_noise(anatomy.x, anatomy.y, 14, rng)
    contrast = np.float32(rng.uniform(0.13, 0.32))
    opacity = np.asarray(contrast * cloud * np.clip(texture, 0.6, 1.4), dtype=np.float32)
    return np.asarray(brightness + opacity, dtype=np.float32), np.asarray(cloud > 0.4)


def _effusion(brightness: Field, anatomy: Anatomy, rng: np.random.Generator) -> tuple[Field, Mask]:
    """Fluid over the diaphragm with a meniscus that rises along the chest wall."""
    mask = np.zeros(brightness.shape, dtype=np.bool_)
    sides = ((-1,), (1,), (-1, 1))[int(rng.choice(3, p=(0.4, 0.4, 0.2)))]
    thorax = anatomy.thorax
    for side in sides:
        u = anatomy.x * np.float32(side)
        angle = thorax.diaphragm[0] if side < 0 else thorax.diaphragm[1]
        level = np.float32(angle - rng.uniform(0.12, 0.65))
        rise = np.clip((u - 0.15) / np.float32(thorax.width - 0.15), 0.0, 1.0)
        surface = level + np.float32(0.10) - np.float32(0.22) * rise**2
        lung = anatomy.lungs[0] if side < 0 else anatomy.lungs[1]
        fluid = soft(np.asarray(anatomy.y - surface, dtype=np.float32), 0.03)
        visible = np.minimum(lung, -anatomy.heart)
        cover = fluid * soft(visible, 0.018)
        fill = np.float32(thorax.lung_contrast * rng.uniform(0.70, 1.05))
        brightness = brightness + fill * cover
        mask |= cover > 0.5
    return np.asarray(brightness, dtype=np.float32), mask


def _pneumothorax(
    brightness: Field, anatomy: Anatomy, rng: np.random.Generator
) -> tuple[Field, Mask]:
    """Air between chest wall and a collapsed lung, bounded by the visceral pleural line."""
    side = int(rng.choice((-1, 1)))
    thorax = anatomy.thorax
    u = anatomy.x * np.float32(side)
    lung = anatomy.lungs[0] if side < 0 else anatomy.lungs[1]
    apical = float(rng.uniform(0.07, 0.32))
    lateral = float(rng.uniform(0.05, 0.20))
    height = np.clip((anatomy.y - np.float32(thorax.apex)) / np.float32(0.95), 0.0, 1.0)
    gap = lateral * (1.0 - height) + 0.35 * lateral * height
    collapsed = np.minimum(
        thorax.chest_wall(anatomy.y - np.float32(apical)) - gap - u,
        anatomy.y - np.float32(thorax.apex + apical),
    ).astype(np.float32)
    space = np.minimum(np.minimum(lung, -anatomy.heart), -collapsed)
    reach = np.float32(rng.uniform(0.10, 0.45))
    space = np.asarray(np.minimum(space, reach - anatomy.y), dtype=np.float32)
    air = soft(space, 0.012)
    line = soft(np.asarray(0.010 - np.abs(collapsed), dtype=np.float32), 0.008)
    line = line * soft(np.minimum(lung, reach - anatomy.y), 0.012)
    clear = _clear_lung(anatomy)
    darkened = brightness * (1.0 - 0.75 * air) + clear * 0.75 * air
    return np.asarray(darkened - 0.05 * air + 0.10 * line, dtype=np.float32), space > 0


def _clear_lung(anatomy: Anatomy) -> Field:
    """What the chest would look like where nothing but air and the chest wall attenuates."""
    thorax = anatomy.thorax
    depth = np.sqrt(np.clip(1.0 - (anatomy.x / 1.05) ** 2, 0.0, 1.0))
    level = thorax.soft_tissue + 0.20 * depth - thorax.lung_contrast + thorax.bone * 0.5
    return np.asarray(level, dtype=np.float32)


def _cardiomegaly(
    brightness: Field, anatomy: Anatomy, rng: np.random.Generator
) -> tuple[Field, Mask]:
    """The heart itself: it was drawn enlarged with the anatomy."""
    del rng
    return brightness, np.asarray(anatomy.heart > 0)


# The order in which findings are drawn: air first, then what is denser than air.
PAINTERS: dict[str, Painter] = {
    "pneumothorax": _pneumothorax,
    "cardiomegaly": _cardiomegaly,
    "pleural-effusion": _effusion,
    "consolidation": _consolidation,
    "nodule": _nodule,
}
