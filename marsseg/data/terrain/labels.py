"""Label shapes as a person draws them: straight strokes, gaps between classes, corners left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation, map_coordinates

from marsseg.classes import TILE_HEIGHT, TILE_WIDTH
from marsseg.data.terrain.view import SCALE, Canvas

Mask = NDArray[np.uint8]
Flags = NDArray[np.bool_]


def border_field(rng: np.random.Generator, shape: tuple[int, int]) -> Canvas:
    """A field whose zero line divides a canvas into two regions along a few nearly straight strokes."""
    knots = rng.normal(0, 0.45, (4, 6))
    angle = rng.uniform(0, 2 * np.pi)
    down, right = np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 6), indexing="ij")
    knots += 1.3 * (np.cos(angle) * right + np.sin(angle) * down)
    rows, columns = np.meshgrid(np.linspace(0, 3, shape[0]), np.linspace(0, 5, shape[1]), indexing="ij")
    return np.asarray(map_coordinates(knots, [rows, columns], order=1), np.float32)


def polygon(points: NDArray[np.floating], size: tuple[int, int] = (TILE_HEIGHT, TILE_WIDTH)) -> Flags:
    """Pixels inside a polygon with (x, y) corners."""
    image = Image.new("1", (size[1], size[0]))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in points], fill=1)
    return np.asarray(image)


def hand_drawn_patch(rng: np.random.Generator, *, generous: bool = False) -> Flags:
    """One polygon that leaves out corners and sides of the tile; a `generous` one leaves out little."""
    corners = int(rng.integers(6, 12))
    even = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    angles = even + rng.uniform(-2, 2, corners) / corners + rng.uniform(0, 6.3)
    reach = rng.uniform(1.0, 2.2, corners) if generous else rng.uniform(0.55, 1.35, corners)
    center = np.array([rng.uniform(0.3, 0.7) * TILE_WIDTH, rng.uniform(0.3, 0.7) * TILE_HEIGHT])
    spokes = np.stack([np.cos(angles) * TILE_WIDTH * 0.62, np.sin(angles) * TILE_HEIGHT * 0.72], -1)
    return polygon(center + spokes * reach[:, None])


def outline(shape: Flags, rng: np.random.Generator) -> Flags:
    """Redraw a canvas shape at tile size with a handful of strokes that go round it."""
    rows, columns = np.nonzero(shape)
    if not len(rows):
        return np.zeros((TILE_HEIGHT, TILE_WIDTH), bool)
    angles = np.linspace(0, 2 * np.pi, int(rng.integers(8, 14)), endpoint=False) + rng.uniform(0, 1)
    farthest = np.argmax(np.outer(np.cos(angles), columns) + np.outer(np.sin(angles), rows), axis=1)
    corners = np.stack([columns[farthest], rows[farthest]], -1) / SCALE
    return polygon(corners + rng.normal(0, 0.6, corners.shape))


def widen(shape: Flags, pixels: int) -> Flags:
    """Grow a shape by some pixels."""
    return np.asarray(binary_dilation(shape, iterations=pixels)) if pixels else shape


def leave_frame_edge(mask: Mask, rng: np.random.Generator) -> None:
    """Blank one of the thin strips that stay unlabelled where a tile touches the edge of its frame."""
    side = rng.choice(5, p=[0.42, 0.22, 0.22, 0.07, 0.07])
    strips = (np.s_[:0], np.s_[:, -1:], np.s_[:, :1], np.s_[-1:], np.s_[:1])
    mask[strips[side]] = 0
