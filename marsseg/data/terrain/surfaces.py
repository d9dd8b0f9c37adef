"""The four terrain classes as reliefs: height in canvas pixels, and albedo relative to dust (1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from marsseg.data.terrain.noise import TextureBank
from marsseg.data.terrain.view import HEIGHT, WIDTH, Canvas, View


class Relief(NamedTuple):
    """A surface on the canvas: height in pixels and albedo, both (128, 256) float32."""

    height: Canvas
    albedo: Canvas


Surface = Callable[[TextureBank, View, np.random.Generator], Relief]


def soil(bank: TextureBank, view: View, rng: np.random.Generator) -> Relief:
    """Dusty regolith: fine grain, gentle lumps, and pebbles that are anything from rare to everywhere."""
    x, z = view.turned(rng.uniform(0, 6.3), rng.uniform(0.8, 1.3), rng)
    patches = bank.swells.at(x * 1.5, z * 1.5)
    stones = bank.pebbles.at(x, z) * _step(patches, rng.uniform(-1.6, 1.0), 0.8)
    gravel = bank.gravel.at(x * 1.2 + 99, z * 1.2) * _step(-patches, rng.uniform(-1.2, 1.2), 0.8)
    stones = np.maximum(stones, rng.uniform(0.3, 1.0) * gravel)
    grain = bank.grain.at(x, z)
    height = 0.35 * grain + 1.3 * bank.lumps.at(x, z) + stones
    darker = float(rng.uniform(-0.12, 0.3))
    albedo = 1 + 0.07 * patches + 0.05 * grain - darker * np.minimum(stones, 1.5) / 1.5
    return _relief(height, albedo, view)


def bedrock(bank: TextureBank, view: View, rng: np.random.Generator) -> Relief:
    """One of three outcrops: broken slabs in dust, tilted strata, or gnarled rock."""
    return (_slabs, _strata, _gnarled)[rng.choice(3, p=[0.5, 0.32, 0.18])](bank, view, rng)


def _slabs(bank: TextureBank, view: View, rng: np.random.Generator) -> Relief:
    x, z = view.turned(rng.normal(0, 0.5), rng.uniform(0.6, 1.3), rng)
    stretch = rng.uniform(1.1, 2.4)
    dust = _dust_under(bank, x, z)
    plates = bank.plates
    px, pz = x, z * stretch
    crack = plates.crack.at(px, pz)
    rank, tone = plates.rank.at(px, pz, nearest=True), plates.tone.at(px, pz, nearest=True)
    bare = _step(1.4 * bank.swells.at(x * 1.6, z * 1.6) + 2.6 * rank, rng.uniform(-0.2, 1.4), 0.3)
    chips = bank.lumps.at(x * 2, z * 2)
    gap: Canvas = rank * 1.8 + 1.6
    rise = bare * _step(crack + 1.2 * chips, gap, 1.4)
    beds = np.abs(bank.lumps.at(x * 0.6, z * 5)) + 0.35 * bank.grain.at(x * 1.6, z * 1.6)
    height = dust + rise * (1.0 + 3.2 * tone + plates.tilt.at(px, pz) * 2.2 - 0.8 * beds)
    albedo = 0.84 + rise * (0.3 + 0.42 * (tone - 0.45) - 0.1 * beds)
    return _relief(height, albedo, view)


def _strata(bank: TextureBank, view: View, rng: np.random.Generator) -> Relief:
    x, z = view.turned(rng.normal(0, 0.3), rng.uniform(0.7, 1.1), rng)
    bend = 14 * bank.swells.at(x * 0.9, z * 0.9) + 3.0 * bank.lumps.at(x, z)
    depth = (z + bend) / rng.uniform(14, 30)
    depth = depth + 0.35 * np.sin(depth * 1.7) + 0.25 * np.sin(depth * 0.61 + 1)  # uneven thickness
    layer = np.floor(depth)
    within = depth - layer
    tone = 0.5 * np.sin(layer * 12.9898 + 4.1)
    broken = _step(bank.lumps.at(x * 0.8, z * 0.4) + tone, rng.uniform(-1.4, -0.2), 0.35)
    joints = _step(bank.plates.crack.at(x, z * 1.8) + 0.8 * bank.grain.at(x, z), 0.9, 1.0)
    ledge = within**1.3 * broken * (0.35 + 0.65 * joints)
    rough = 0.8 * np.abs(bank.lumps.at(x * 1.4, z * 4)) + 0.22 * bank.grain.at(x * 1.5, z * 1.5)
    height = ledge * (8.5 + 4 * tone) + rough
    albedo = 0.88 + 0.3 * tone * broken + 0.3 * ledge - 0.07 * rough
    return _relief(height, albedo, view)


def _gnarled(bank: TextureBank, view: View, rng: np.random.Generator) -> Relief:
    x, z = view.turned(rng.normal(0, 0.5), rng.uniform(0.8, 1.3), rng)
    bend = 3 * bank.lumps.at(x, z)
    ridges = 1 - np.abs(bank.lumps.at(x * 1.6 + bend, z * 2.6))
    knobs = 1 - np.abs(bank.lumps.at(x * 3.5 + 50, z * 4.5 + bend))
    chips = _step(bank.plates.crack.at(x * 2.2, z * 3.2), 1.5, 1.5)
    height = 3.6 * ridges + 2.0 * knobs + 1.5 * chips + 0.3 * bank.grain.at(x, z)
    albedo = 0.82 + 0.3 * np.tanh(ridges) * chips + 0.1 * knobs
    return _relief(height, albedo, view)


def sand(bank: TextureBank, view: View, rng: np.random.Generator) -> Relief:
    """Wind-blown sand: long swells, and ripples with one steep flank that come, fork and go."""
    x, z = view.turned(rng.uniform(-0.9, 0.9), 1.0, rng)
    swells = bank.swells.at(x * 0.6, z * 0.6)
    length = rng.uniform(7, 17)
    phase = (z + 8 * bank.swells.at(x * 1.4, z * 1.4) + 1.6 * bank.lumps.at(x, z)) / length
    within = phase - np.floor(phase)
    crest = np.where(within < 0.72, within / 0.72, (1 - within) / 0.28)
    crest = gaussian_filter(crest**1.3, 0.8)
    patchy = _step(bank.swells.at(x * 1.6 + 200, z * 1.6), rng.uniform(-1.6, 0.6), 0.9)
    strength = rng.uniform(0.0, 0.2) * patchy
    height = 4.5 * swells + strength * length * crest + 0.1 * bank.grain.at(x, z)
    albedo = 0.93 + 0.05 * swells + 0.1 * strength * crest + 0.012 * bank.grain.at(x * 2, z * 2)
    return _relief(height, albedo, view)


def big_rock(
    bank: TextureBank, rng: np.random.Generator, center: tuple[float, float], radius: float
) -> Relief:
    """A boulder at (row, column) of the canvas: a dome with worn facets; height is 0 beside it.

    Its albedo is that of the rock alone and means nothing where the height is 0.
    """
    row, column = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x, z = column * 1.3 + rng.uniform(0, 512), row * 1.3 + rng.uniform(0, 512)
    bumps, pits = bank.lumps.at(x, z), bank.lumps.at(2.6 * x, 2.6 * z)
    ragged = 0.05 * bumps
    down = (row - center[0]) / radius + ragged
    right = (column - center[1]) / (radius * rng.uniform(1.0, 1.8)) + ragged
    sides = [1.5 * (1.05 - (down**2 + right**2))]
    for angle in np.linspace(0, 2 * np.pi, rng.integers(5, 9), endpoint=False) + rng.uniform(0, 1):
        across = np.cos(angle) * right + np.sin(angle) * down
        sides.append(rng.uniform(1.1, 3.2) * (rng.uniform(0.62, 1.0) - across))
    sides.append(np.full_like(down, rng.uniform(0.6, 1.0)) + rng.normal(0, 0.15) * right)
    worn = -np.logaddexp.reduce([-14 * side for side in sides]) / 14  # a minimum with rounded edges
    beds = np.abs(bank.lumps.at(x * 0.4, z * 2.4)) * rng.uniform(0, 0.07)
    height = np.where(worn > 0, np.maximum(worn + 0.05 * bumps + 0.03 * pits - beds, 0.02), 0)
    albedo = rng.uniform(0.7, 1.15) + 0.1 * bumps + 0.08 * bank.grain.at(x, z) - 1.2 * beds
    return Relief((radius * height).astype(np.float32), albedo.astype(np.float32))


def _dust_under(bank: TextureBank, x: Canvas, z: Canvas) -> Canvas:
    return 0.25 * bank.grain.at(x, z) + 1.2 * bank.lumps.at(x + 77, z)


def _step(values: Canvas, edge: Canvas | float, width: float) -> Canvas:
    """Smooth step from 0 below `edge` - `width` to 1 above `edge` + `width`."""
    t = np.clip((values - edge + width) / (2 * width), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _relief(height: Canvas, albedo: Canvas, view: View) -> Relief:
    """Shrink relief with distance, as everything else."""
    return Relief((height / view.distance).astype(np.float32), albedo.astype(np.float32))
