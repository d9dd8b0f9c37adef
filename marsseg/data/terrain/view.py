"""The camera and the sun: where a canvas pixel lies on the ground, and how bright a relief looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from marsseg.classes import TILE_HEIGHT, TILE_WIDTH

Canvas = NDArray[np.floating]
SCALE = 2
"""Canvas pixels a tile pixel: everything is drawn twice as large and averaged down, so edges are smooth."""
HEIGHT, WIDTH = TILE_HEIGHT * SCALE, TILE_WIDTH * SCALE
_AMBIENT = 0.34
_SHADOW_REACH = 44


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees.

    Args:
        x, z: ground coordinates of each canvas pixel, in canvas pixels of the foreground.
        distance: (HEIGHT, 1), 1 in the foreground and larger further up.
    """

    x: Canvas
    z: Canvas
    distance: Canvas

    def turned(self, angle: float, zoom: float, rng: np.random.Generator) -> tuple[Canvas, Canvas]:
        """Ground coordinates rotated, scaled and moved to a random place of a texture."""
        x0, z0 = rng.uniform(0, 512, 2)
        cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
        x, z = self.x * cos + self.z * sin + x0, self.z * cos - self.x * sin + z0
        return x.astype(np.float32), z.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Sun:
    """Direction towards the light on the canvas, as a unit vector, and the tangent of its elevation."""

    right: float
    down: float
    tangent: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Sun:
        """A sun from either side or from behind the scene, 14° to 42° high."""
        azimuth = rng.uniform(np.pi * 0.95, np.pi * 2.05)
        return cls(np.cos(azimuth), 0.75 * np.sin(azimuth), np.tan(np.radians(rng.uniform(14, 42))))


def look(rng: np.random.Generator, *, steep: bool = False) -> View:
    """A view of level ground; `steep` looks down at the rover's feet, so that size hardly changes."""
    far = rng.uniform(1.1, 1.6) if steep else rng.uniform(1.5, 3.4)
    squash = rng.uniform(1.0, 1.4) if steep else rng.uniform(1.3, 2.2)
    distance = 1 / np.linspace(1 / far, 1, HEIGHT)[:, None]
    depth = np.cumsum(distance[::-1], axis=0)[::-1] * squash
    x = (np.arange(WIDTH) - WIDTH * rng.uniform(0.2, 0.8))[None, :] * distance
    z = np.broadcast_to(depth, x.shape)
    return View(x.astype(np.float32), z.astype(np.float32), distance.astype(np.float32))


def shade(height: Canvas, sun: Sun) -> Canvas:
    """Brightness of a relief of even colour: Lambert's law with ambient light and cast shadows; flat is 1."""
    down, right = np.gradient(height)
    facing = (sun.tangent - sun.right * right - sun.down * down) / np.sqrt(1 + right**2 + down**2)
    lambert = np.clip(facing / sun.tangent, 0, 2.1)
    light = 1 - gaussian_filter(shadow(height, sun), 0.7)
    return np.asarray(_AMBIENT + (1 - _AMBIENT) * lambert * light, np.float32)


def shadow(height: Canvas, sun: Sun) -> Canvas:
    """Share of the light that relief nearer to the sun takes away, 0-1: a march towards the sun."""
    deepest = np.zeros_like(height)
    padded = np.pad(height, _SHADOW_REACH, mode="edge")
    for step in range(1, _SHADOW_REACH):
        top = _SHADOW_REACH + round(step * sun.down)
        left = _SHADOW_REACH + round(step * sun.right)
        blocker = padded[top : top + HEIGHT, left : left + WIDTH] - np.float32(step * sun.tangent)
        np.maximum(deepest, blocker - height, out=deepest)
    return np.asarray(np.clip(deepest / 0.8, 0, 1))


def to_tile(canvas: Canvas) -> Canvas:
    """Average a canvas (128, 256) down to a tile (64, 128)."""
    blocks = canvas.reshape(TILE_HEIGHT, SCALE, TILE_WIDTH, SCALE)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
