"""Changes of place: crop and resize, elastic bending, grid shuffle. Masks go the way of their images."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from marsseg.config import AugmentConfig
from marsseg.data.augmenting.draws import Tiles, chosen

NODE_DISTANCE = 32
"""Pixels between the nodes of an elastic field: what lies closer together moves together."""

_TILES_AT_ONCE = 4
"""Keeps intermediate arrays small enough to be reused; giving memory back and forth took most of the time."""

Floats = NDArray[np.float32]


def crop_and_bend(
    images: Tiles,
    masks: Tiles,
    config: AugmentConfig,
    crop_draws: np.random.Generator,
    bend_draws: np.random.Generator,
) -> None:
    """Enlarge a part of some tiles, then bend some, in place and by resampling each tile once at most.

    A part keeps the tile's proportions; its side is `U(crop_smallest, 1)` of the tile's, and it lies anywhere
    inside. What bending would fetch from outside is the reflection of what is inside.
    """
    count, height, width = images.shape
    cropped, bent = chosen(crop_draws, count, config.crop_resize), chosen(bend_draws, count, config.elastic)
    side = np.ones(count, np.float32)
    side[cropped] = crop_draws.uniform(config.crop_smallest, 1, cropped.sum())
    corner = crop_draws.random((count, 2), np.float32)
    nodes = np.zeros((count, 2, *_nodes(height, width)), np.float32)
    nodes[bent] = bend_draws.uniform(-1, 1, (bent.sum(), *nodes.shape[1:]))
    changed = np.flatnonzero(cropped | bent)
    for start in range(0, len(changed), _TILES_AT_ONCE):
        part = changed[start : start + _TILES_AT_ONCE]
        shifts = elastic_shifts(nodes[part], height, width, config.elastic_pixels)
        rows = np.arange(height, dtype=np.float32)[:, np.newaxis] + shifts[:, 0]
        columns = np.arange(width, dtype=np.float32) + shifts[:, 1]
        images[part], masks[part] = resample(
            images[part],
            masks[part],
            _within_part(rows, height, side[part], corner[part, 0]),
            _within_part(columns, width, side[part], corner[part, 1]),
        )


def elastic_shifts(nodes: Floats, height: int, width: int, pixels: float) -> Floats:
    """Join random nodes to smooth displacement fields (Simard 2003), by a cubic B-spline.

    The paper smooths noise at every pixel instead. Each field is scaled so that its farthest pixel moves by
    exactly `pixels` along each axis; nodes that are all 0 move nothing.

    Args:
        nodes: (B, 2, Y, X) float32.

    Returns:
        (B, 2, height, width) float32, along rows and columns.
    """
    fields: Floats = np.matmul(_spline(height), np.matmul(nodes, _spline(width).T))
    farthest = np.maximum(fields.max(axis=(2, 3)), -fields.min(axis=(2, 3)))
    scale = np.float32(pixels) / np.where(farthest > 0, farthest, np.float32(1))
    fields *= scale[:, :, np.newaxis, np.newaxis]
    return fields


def resample(images: Tiles, masks: Tiles, rows: Floats, columns: Floats) -> tuple[Tiles, Tiles]:
    """Fetch each pixel from elsewhere in its tile: images bilinearly, masks from the nearest pixel.

    Args:
        images, masks: (B, H, W) uint8; H and W at least 2.
        rows, columns: (B, H, W) float32 within 0 … H − 1 and 0 … W − 1, where each pixel comes from.
    """
    _, height, width = images.shape
    above, down = _split(rows, height)
    left, right = _split(columns, width)
    index = above * width + left + np.arange(0, images.size, height * width)[:, np.newaxis, np.newaxis]
    gray = images.reshape(-1).astype(np.float32)
    upper, lower = _between(gray, index, right), _between(gray[width:], index, right)
    lower -= upper
    lower *= down
    upper += lower
    upper += np.float32(0.5)
    index += (down >= 0.5) * width
    index += right >= 0.5
    return upper.astype(np.uint8), masks.reshape(-1).take(index)


def shuffle_cells(images: Tiles, masks: Tiles, config: AugmentConfig, generator: np.random.Generator) -> None:
    """Deal the cells of some tiles anew (Chen 2019), in place; any order but the old one, equally likely.

    All cells are alike: where the cells do not divide height or width, the last rows or columns stay.
    """
    cells = config.grid_shuffle_cells
    changed = np.flatnonzero(chosen(generator, len(images), config.grid_shuffle))
    height, width = images.shape[1] // cells, images.shape[2] // cells
    if not len(changed) or not height or not width:
        return
    order = _new_orders(len(changed), cells * cells, generator)
    within = np.s_[:, : height * cells, : width * cells]
    for tiles in (images, masks):
        moved = tiles[changed]
        cut = moved[within].reshape(-1, cells, height, cells, width).swapaxes(2, 3)
        dealt = cut.reshape(-1, cells * cells, height, width)[np.arange(len(changed))[:, np.newaxis], order]
        joined = dealt.reshape(-1, cells, cells, height, width).swapaxes(2, 3)
        moved[within] = joined.reshape(-1, height * cells, width * cells)
        tiles[changed] = moved


def _new_orders(count: int, cells: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """(count, cells) permutations, none of which leaves everything in place."""
    order = generator.random((count, cells)).argsort(axis=1)
    while (same := (order == np.arange(cells)).all(axis=1)).any():
        order[same] = generator.random((int(same.sum()), cells)).argsort(axis=1)
    return order


def _within_part(positions: Floats, size: int, side: Floats, corner: Floats) -> Floats:
    """Where positions on the enlarged part lie in the tile, along one axis; beyond the border is a mirror."""
    last = np.float32(size - 1)
    inside = last - np.abs(last - np.abs(positions))
    side, corner = side[:, np.newaxis, np.newaxis], corner[:, np.newaxis, np.newaxis]
    placed = (inside + np.float32(0.5)) * side + (corner * (1 - side) * size - np.float32(0.5))
    return np.clip(placed, 0, last)


def _split(positions: Floats, size: int) -> tuple[NDArray[np.int32], Floats]:
    """The pixel before each position, but for the last one, and how far behind it the position is, 0–1."""
    before = positions.astype(np.int32)
    np.minimum(before, size - 2, out=before)
    return before, np.subtract(positions, before, dtype=np.float32)


def _between(gray: Floats, index: NDArray[np.int64], share: Floats) -> Floats:
    """Values at `index` where `share` is 0, and one place further on where it is 1.

    In place, here as above: new arrays of this size cost more than what is computed.
    """
    values, following = gray.take(index), gray[1:].take(index)
    following -= values
    following *= share
    values += following
    return values


def _nodes(height: int, width: int) -> tuple[int, int]:
    """How many nodes an elastic field has along each axis."""
    return _spline(height).shape[1], _spline(width).shape[1]


@cache
def _spline(size: int) -> Floats:
    """(size, nodes) float32: weights of the nodes of a uniform cubic B-spline at each pixel."""
    first, u = np.divmod(np.arange(size) / NODE_DISTANCE, 1)
    basis = ((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, 3 * (u + u**2 - u**3) + 1, u**3)
    weights = np.zeros((size, int(first[-1]) + len(basis)), np.float32)
    for offset, values in enumerate(basis):
        weights[np.arange(size), first.astype(int) + offset] = values / 6
    return weights
