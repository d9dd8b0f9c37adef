"""The built-in demo dataset: a few hundred procedural Mars tiles in the course format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from marsseg.classes import TILE_HEIGHT, TILE_WIDTH
from marsseg.data.cleaning import MIN_REPEATS
from marsseg.data.terrain.noise import TextureBank
from marsseg.data.terrain.scenes import RECIPES, Recipe, draw_tile

MIN_TILES = 24
DEMO_FRAME_SIZE = 256
"""The scale at which the scenes are drawn: that of 64×128 tiles cut from 256×256 frames."""

_ROCKY_SHARE = 0.066
_SAUCERS = Recipe(0, (1, 2), saucer=True)


def write_demo_dataset(path: Path, *, tiles: int = 320, seed: int = 0) -> None:
    """Draw the demo tiles and write them to `path` as an npz.

    `training_set` is (tiles, 2, 64, 128) uint8, pasted flying saucers among them for cleaning to find;
    `test_set` is (tiles // 8, 64, 128) uint8. The same seed gives the same file, byte for byte, on the same
    machine.

    Args:
        path: the file to write; its folder must exist.
        tiles: number of image/mask pairs, at least 24.
        seed: where all randomness comes from.

    Raises:
        ValueError: fewer than 24 tiles are asked for.
    """
    if tiles < MIN_TILES:
        raise ValueError(f"A demo dataset has at least {MIN_TILES} tiles; {tiles} were asked for.")
    rng = np.random.default_rng(seed)
    bank = TextureBank(rng)
    training = np.empty((tiles, 2, TILE_HEIGHT, TILE_WIDTH), np.uint8)
    for row, recipe in enumerate(plan(tiles, rng)):
        training[row] = draw_tile(recipe, bank, rng)
    test = [draw_tile(recipe, bank, rng)[0] for recipe in plan(max(MIN_TILES, tiles // 8), rng, saucers=0)]
    with path.open("wb") as file:
        np.savez_compressed(file, training_set=training, test_set=np.stack(test[: tiles // 8]))


def plan(tiles: int, rng: np.random.Generator, *, saucers: int | None = None) -> list[Recipe]:
    """Choose a recipe for each tile, in the recipes' shares as exactly as whole tiles allow.

    Args:
        tiles: how many.
        rng: decides the order, and which tiles get big rocks.
        saucers: number of pasted outliers; one in forty if None, and enough to be a group.
    """
    pasted = max(MIN_REPEATS + 1, tiles // 40) if saucers is None else saucers
    shares = np.array([recipe.share for recipe in RECIPES])
    bounds = np.rint(np.cumsum(shares) / shares.sum() * (tiles - pasted)).astype(int)
    counts = np.diff(bounds, prepend=0)
    recipes = [recipe for recipe, count in zip(RECIPES, counts, strict=True) for _ in range(count)]
    eligible = [number for number, recipe in enumerate(recipes) if recipe.takes_rocks]
    rocky = rng.choice(eligible, max(3, round(_ROCKY_SHARE * tiles)), replace=False)
    for number in rocky:
        recipes[number] = recipes[number].with_rocks(int(rng.integers(1, 4)))
    recipes += [_SAUCERS] * pasted
    return [recipes[number] for number in rng.permutation(len(recipes))]
