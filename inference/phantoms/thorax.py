# SPDX-License-Identifier: Apache-2.0
"""A frontal chest as seen by X-rays: outlines and densities of a varied, procedural thorax.

Coordinates are of the patient frame: ``x`` from -1 (image left, the patient's right) to 1, ``y``
from -1 (top) to 1 (bottom). Brightness grows with attenuation, as in MONOCHROME2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.phantoms.shapes import Field, ellipse, rotated, smooth_noise, soft


@dataclass(frozen=True)
class Thorax:
    """Shape parameters of one thorax; lengths in units of half the image side."""

    turn: float
    shift: tuple[float, float]
    zoom: float
    asymmetry: float
    width: float
    apex: float
    diaphragm: tuple[float, float]
    dome: float
    heart_ratio: float
    heart_y: float
    heart_tilt: float
    mediastinum: float
    lung_contrast: float
    soft_tissue: float
    bone: float
    rib_spacing: float
    rib_phase: float
    rib_slope: float
    vessels: float
    breast: float
    bubble: float
    shoulders: float

    @staticmethod
    def sample(rng: np.random.Generator, *, enlarged_heart: bool) -> Thorax:
        """Draw one thorax; an enlarged heart has a ratio of 0.55..0.70, a normal one 0.38..0.50."""
        right = rng.uniform(0.46, 0.64)
        return Thorax(
            turn=rng.normal(0.0, 3.0),
            shift=(rng.normal(0.0, 0.035), rng.normal(0.0, 0.035)),
            zoom=rng.uniform(0.92, 1.10),
            asymmetry=rng.normal(0.0, 0.03),
            width=rng.uniform(0.70, 0.82),
            apex=rng.uniform(-0.80, -0.70),
            diaphragm=(right, right + rng.uniform(-0.01, 0.08)),
            dome=rng.uniform(0.13, 0.24),
            heart_ratio=rng.uniform(0.55, 0.70) if enlarged_heart else rng.uniform(0.38, 0.50),
            heart_y=rng.uniform(0.14, 0.24),
            heart_tilt=rng.uniform(22.0, 40.0),
            mediastinum=rng.uniform(0.10, 0.15),
            lung_contrast=rng.uniform(0.30, 0.44),
            soft_tissue=rng.uniform(0.30, 0.42),
            bone=rng.uniform(0.03, 0.09),
            rib_spacing=rng.uniform(0.145, 0.175),
            rib_phase=rng.uniform(0.0, 1.0),
            rib_slope=rng.uniform(0.25, 0.55),
            vessels=rng.uniform(0.5, 1.3),
            breast=rng.uniform(0.03, 0.09) if rng.random() < 0.45 else 0.0,
            bubble=rng.uniform(0.5, 1.0) if rng.random() < 0.6 else 0.0,
            shoulders=rng.uniform(0.82, 1.05),
        )

    def coordinates(self, size: int) -> tuple[Field, Field]:
        """Patient coordinates of the pixel centres of a ``size x size`` image."""
        line = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)
        x, y = np.meshgrid(line, line)
        x, y = rotated(x, y, self.shift, self.turn)
        zoom = np.float32(1.0 / self.zoom)
        x, y = x * zoom, y * zoom
        return x * (np.float32(1.0) + np.float32(self.asymmetry) * np.sign(x)), y

    def chest_wall(self, y: Field) -> Field:
        """Distance of the inner chest wall from the midline at height ``y``."""
        t = np.clip((y - np.float32(self.apex)) * np.float32(1.15), 0.0, 1.0)
        arch = (1.0 - (1.0 - t) ** np.float32(2.3)) ** np.float32(1.0 / 2.3)
        return np.asarray(0.10 + (self.width - 0.10) * arch, dtype=np.float32)

    def diaphragm_line(self, u: Field, side: int) -> Field:
        """Height of the diaphragm at distance ``u`` from the midline, of one side (-1 or 1)."""
        level = self.diaphragm[0] if side < 0 else self.diaphragm[1]
        centre = 0.48 * self.width
        bend = ((u - centre) / np.float32(self.width - centre)) ** 2
        return np.asarray(level - self.dome * (1.0 - bend), dtype=np.float32)

    def hemithorax(self, x: Field, y: Field, side: int) -> Field:
        """Signed distance (positive inside) to the lung field of one side, heart not removed."""
        u = x * np.float32(side)
        lateral = self.chest_wall(y) - u
        medial = u - np.float32(0.55 * self.mediastinum + 0.02)
        inferior = self.diaphragm_line(u, side) - y
        apical = y - np.float32(self.apex)
        return np.asarray(
            np.minimum(np.minimum(lateral, medial), np.minimum(inferior, apical)), dtype=np.float32
        )

    def heart(self, x: Field, y: Field) -> Field:
        """Signed distance (positive inside) to the heart's silhouette."""
        half = self.heart_ratio * self.width
        centre = (0.32 * half, self.heart_y + 0.06)
        tx, ty = rotated(x, y, centre, self.heart_tilt)
        left = ellipse(tx, ty, (0.0, 0.0), (half, 0.72 * half))
        right = ellipse(x, y, (-0.28 * half, self.heart_y), (0.46 * half, 0.70 * half))
        return np.asarray(np.maximum(left, right), dtype=np.float32)


def _body(thorax: Thorax, x: Field, y: Field) -> Field:
    """Attenuation of soft tissue: neck, shoulders, chest and abdomen."""
    rise = np.clip((y + 1.05) / np.float32(0.42), 0.0, 1.0)
    outline = 0.20 + (thorax.shoulders - 0.12) * rise * rise * (3.0 - 2.0 * rise)
    distance = np.asarray(outline - np.abs(x), dtype=np.float32)
    depth = np.sqrt(np.clip(1.0 - (x / (outline + np.float32(0.15))) ** 2, 0.0, 1.0))
    return np.asarray(soft(distance, 0.03) * (thorax.soft_tissue + 0.22 * depth), dtype=np.float32)


def _ribs(thorax: Thorax, x: Field, y: Field, cage: Field) -> Field:
    """Posterior and anterior ribs inside the cage, brighter at their borders."""
    u = np.abs(x)
    spacing = np.float32(1.0 / thorax.rib_spacing)
    posterior = (y + thorax.rib_slope * (u - 0.30) ** 2 * 1.6 - 0.10 * u) * spacing
    anterior = (y - thorax.rib_slope * 1.5 * (u - 0.85)) * spacing
    total = np.zeros_like(x)
    for line, strength in ((posterior, 1.0), (anterior, 0.55)):
        phase = np.abs(((line + np.float32(thorax.rib_phase)) % 1.0) - 0.5)
        inside = soft(np.asarray(0.21 - phase, dtype=np.float32), 0.05)
        border = soft(np.asarray(0.05 - np.abs(phase - 0.18), dtype=np.float32), 0.05)
        total += np.float32(strength) * (inside + np.float32(0.6) * border)
    return np.asarray(total * cage * np.float32(thorax.bone), dtype=np.float32)


def _bones(thorax: Thorax, x: Field, y: Field) -> Field:
    """Clavicles, spine and the shoulder blades' borders."""
    u = np.abs(x)
    clavicle_y = -0.60 - 0.28 * u + 0.22 * (u - 0.1) ** 2
    tube = 0.040 - np.abs(y - clavicle_y)
    clavicle = soft(np.asarray(np.minimum(tube, np.minimum(u - 0.05, 0.78 - u))), 0.014)
    blade_x = 0.70 * thorax.width / 0.76 + 0.18 * (y + 0.45) ** 2
    blade = soft(np.asarray(np.minimum(0.035 - np.abs(u - blade_x), 0.38 - np.abs(y + 0.30))), 0.03)
    vertebra = 0.8 + 0.2 * np.cos(y * np.float32(2.0 * np.pi / 0.135))
    spine = soft(np.asarray(0.075 - u, dtype=np.float32), 0.02) * vertebra
    bone = np.float32(thorax.bone)
    return np.asarray(
        bone * (1.7 * clavicle + 0.5 * blade) + (0.5 * bone + 0.015) * spine, dtype=np.float32
    )


def _mediastinum(thorax: Thorax, x: Field, y: Field) -> Field:
    """Great vessels and aortic arch, with the trachea's air column."""
    lower = np.clip(y + 0.75, 0.0, 1.0)
    half = thorax.mediastinum * (0.75 + 0.35 * lower)
    band = soft(np.asarray(half - np.abs(x - 0.015), dtype=np.float32), 0.03)
    arch = soft(ellipse(x, y, (thorax.mediastinum * 0.95, -0.28), (0.085, 0.10)), 0.025)
    trachea = soft(np.asarray(np.minimum(0.032 - np.abs(x), -0.18 - y), dtype=np.float32), 0.012)
    return np.asarray(0.13 * np.maximum(band, arch) - 0.10 * trachea, dtype=np.float32)


def _vessels(thorax: Thorax, x: Field, y: Field, rng: np.random.Generator) -> Field:
    """Branching-like lung markings, densest at the hila."""
    coarse = smooth_noise(x, y, 9, rng)
    fine = smooth_noise(x, y, 22, rng)
    u = np.abs(x)
    hilum = np.exp(-(((u - 0.20) / 0.16) ** 2 + ((y + 0.02) / 0.28) ** 2))
    branch = np.maximum(0.0, 1.0 - np.abs(coarse) * 2.2) * 0.6 + np.maximum(0.0, fine) * 0.18
    spread = 0.25 + np.exp(-((u - 0.25) ** 2 + y * y) * 3.0)
    markings = 0.055 * thorax.vessels * branch * spread + 0.07 * hilum
    return np.asarray(markings, dtype=np.float32)


@dataclass(frozen=True)
class Anatomy:
    """Brightness of a healthy chest with the fields that findings are drawn from."""

    thorax: Thorax
    x: Field
    y: Field
    brightness: Field
    lungs: tuple[Field, Field]
    heart: Field

    @property
    def lung_fields(self) -> Field:
        """Signed distance (positive inside) to visible lung of either side, heart removed."""
        both = np.maximum(self.lungs[0], self.lungs[1])
        return np.asarray(np.minimum(both, -self.heart), dtype=np.float32)


def draw_anatomy(thorax: Thorax, size: int, rng: np.random.Generator) -> Anatomy:
    """Render the healthy chest at ``size x size``."""
    x, y = thorax.coordinates(size)
    lungs = (thorax.hemithorax(x, y, -1), thorax.hemithorax(x, y, 1))
    heart = thorax.heart(x, y)
    air = soft(np.maximum(lungs[0], lungs[1]), 0.018)
    heart_shape = soft(heart, 0.022)
    aerated = air * (1.0 - heart_shape)

    brightness: NDArray[Any] = _body(thorax, x, y)
    wall = soft(thorax.chest_wall(y) - np.abs(x), 0.02)
    below = soft(np.asarray(y - np.float32(0.30), dtype=np.float32), 0.15) * (1.0 - air)
    brightness = brightness + 0.14 * below * wall
    brightness = brightness - np.float32(thorax.lung_contrast) * aerated
    brightness = brightness + 0.10 * heart_shape * (1.0 - 0.4 * (1.0 - air))
    brightness = brightness + _mediastinum(thorax, x, y) + _bones(thorax, x, y)
    cage = soft(np.minimum(thorax.chest_wall(y) + np.float32(0.03) - np.abs(x), 0.75 - y), 0.02)
    brightness = brightness + _ribs(thorax, x, y, cage)
    brightness = brightness + _vessels(thorax, x, y, rng) * aerated
    if thorax.breast:
        fold = ellipse(np.abs(x), y, (0.45, 0.38), (0.34, 0.30))
        brightness = brightness + np.float32(thorax.breast) * soft(fold, 0.05)
    if thorax.bubble:
        top = thorax.diaphragm[1] - thorax.dome
        gas = soft(ellipse(x, y, (0.36, top + 0.16), (0.14, 0.08)), 0.03)
        brightness = brightness - np.float32(0.16 * thorax.bubble) * gas * (1.0 - air)
    return Anatomy(thorax, x, y, np.asarray(brightness, dtype=np.float32), lungs, heart)
