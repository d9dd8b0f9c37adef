"""Periodic textures that all surfaces are made of: fractal noise, scattered pebbles, broken plates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.floating]
SIZE = 512
_WRAP = SIZE - 1
"""A power of two less one: `& _WRAP` wraps grid indices around, also negative ones, and faster than `%`."""


@dataclass(frozen=True, slots=True)
class Texture:
    """A square (512, 512) float32 texture that repeats without a seam."""

    values: NDArray[np.float32]

    def at(self, x: Floats, z: Floats, *, nearest: bool = False) -> NDArray[np.float32]:
        """Values at world coordinates, wrapped around; linear between grid points, or of the nearest one."""
        flat = self.values.reshape(-1)
        if nearest:
            rows, columns = (np.rint(c).astype(np.intp) & _WRAP for c in (z, x))
            return np.take(flat, rows * SIZE + columns)
        (top, down), (left, right) = _split(z), _split(x)
        below, beside = ((top + 1) & _WRAP) * SIZE, (left + 1) & _WRAP
        top = top * SIZE
        upper = np.take(flat, top + left) * (1 - right) + np.take(flat, top + beside) * right
        lower = np.take(flat, below + left) * (1 - right) + np.take(flat, below + beside) * right
        return np.asarray(upper * (1 - down) + lower * down, np.float32)


def _split(coordinate: Floats) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Grid index, wrapped around, and the fraction that is left."""
    whole = np.floor(coordinate)
    return whole.astype(np.intp) & _WRAP, (coordinate - whole).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Plates:
    """Broken plates: distance to the nearest crack, a tilted height, and two random numbers a plate."""

    crack: Texture
    tilt: Texture
    rank: Texture
    tone: Texture


class TextureBank:
    """All textures of one dataset; a surface reads them at its own place, angle and scale."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.grain = fractal(rng, decay=1.0)
        self.lumps = fractal(rng, decay=2.2)
        self.swells = fractal(rng, decay=3.6)
        self.pebbles = _scatter(rng, stones=900, smallest=1.4, largest=7.0)
        self.gravel = _scatter(rng, stones=4200, smallest=1.0, largest=3.0)
        self.plates = _break(rng, self.lumps, across=20)


def fractal(rng: np.random.Generator, decay: float) -> Texture:
    """Noise with a power spectrum ∝ f^-(2 · decay), mean 0 and standard deviation 1."""
    white = np.fft.rfft2(rng.standard_normal((SIZE, SIZE)))
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :])
    frequency[0, 0] = np.inf
    values = np.fft.irfft2(white * frequency**-decay, (SIZE, SIZE))
    return Texture((values / values.std()).astype(np.float32))


def _scatter(rng: np.random.Generator, stones: int, smallest: float, largest: float) -> Texture:
    """Height of half-buried stones whose sizes follow a power law, as on real regolith."""
    height = np.zeros((SIZE, SIZE), np.float32)
    radii = smallest * (1 - rng.random(stones)) ** -0.45
    for radius in np.minimum(radii, largest):
        reach = int(1.5 * radius) + 2
        steps = np.arange(-reach, reach + 1, dtype=np.float32)
        dz, dx = (steps - rng.random())[:, None], steps - rng.random()
        turn, flat = rng.uniform(0, np.pi), rng.uniform(1.0, 1.9)
        along, across = dx * np.cos(turn) + dz * np.sin(turn), dz * np.cos(turn) - dx * np.sin(turn)
        inside = 1 - (along / radius) ** 2 - (across * flat / radius) ** 2
        stone = 0.75 * radius * np.sqrt(np.maximum(inside, 0))
        rows, columns = (rng.integers(SIZE, size=2)[:, None] + np.arange(-reach, reach + 1)) % SIZE
        place = rows[:, None], columns
        height[place] = np.maximum(height[place], stone)
    return Texture(height)


def _break(rng: np.random.Generator, warp: Texture, across: int) -> Plates:
    """Voronoi cells of scattered points, some in clusters, with warped edges; about `across`² of them."""
    parents = rng.uniform(0, SIZE, (across * across // 3, 2))
    children = np.repeat(parents, 2, axis=0) + rng.normal(0, 0.45 * SIZE / across, (2 * len(parents), 2))
    points = np.concatenate([parents, children]) % SIZE
    grid = np.moveaxis(np.indices((SIZE, SIZE), np.float64), 0, -1)  # (S, S, 2)
    shifted = np.roll(warp.values, (SIZE // 3, SIZE // 5), (0, 1))
    bent = (grid + 4.0 * np.stack([warp.values, shifted], -1)) % SIZE
    distance, owner = cKDTree(points, boxsize=SIZE).query(bent, k=2)
    nearest = owner[..., 0]
    offset = (bent - points[nearest] + SIZE / 2) % SIZE - SIZE / 2
    slopes = rng.normal(0, 0.07, (len(points), 2))
    random = rng.random((len(points), 2)).astype(np.float32)
    tilt = (offset * slopes[nearest]).sum(-1)
    return Plates(
        crack=Texture((distance[..., 1] - distance[..., 0]).astype(np.float32)),
        tilt=Texture(tilt.astype(np.float32)),
        rank=Texture(random[nearest, 0]),
        tone=Texture(random[nearest, 1]),
    )
