"""One tile at a time: which surfaces it shows, what stands on them, and what a person would have labelled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from marsseg.classes import BEDROCK, BIG_ROCK, SAND, SOIL, TILE_HEIGHT, TILE_WIDTH
from marsseg.data.terrain import labels, surfaces
from marsseg.data.terrain.noise import TextureBank
from marsseg.data.terrain.objects import add_hardware, add_saucer, add_sky, saucer_mask
from marsseg.data.terrain.view import HEIGHT, SCALE, WIDTH, Canvas, Sun, look, shade, to_tile

Image = NDArray[np.uint8]
_DOWN, _RIGHT = np.linspace(-1, 1, TILE_HEIGHT)[:, None], np.linspace(-1, 1, TILE_WIDTH)
_SURFACES = {SOIL.index: surfaces.soil, BEDROCK.index: surfaces.bedrock, SAND.index: surfaces.sand}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a tile shows.

    Args:
        share: how many of a dataset's tiles follow the recipe, relative to the others.
        classes: the terrain, one or two classes.
        labelled: "all" of it, "most" of it, a hand-drawn "patch", or "none".
        hardware, sky, saucer: what else is in the picture.
        rocks: number of big rocks.
    """

    share: float
    classes: tuple[int, ...]
    labelled: str = "all"
    hardware: bool = False
    sky: bool = False
    saucer: bool = False
    rocks: int = 0

    def with_rocks(self, rocks: int) -> Recipe:
        """The same scene with big rocks in it."""
        return replace(self, rocks=rocks)

    @property
    def takes_rocks(self) -> bool:
        """Whether big rocks would be seen and labelled here."""
        return self.labelled != "none" and not (self.hardware or self.sky or self.saucer)


_SOIL, _BEDROCK, _SAND = SOIL.index, BEDROCK.index, SAND.index
RECIPES = (
    Recipe(0.060, (_SOIL,)),
    Recipe(0.096, (_SOIL,), "most"),
    Recipe(0.065, (_SOIL,), "patch"),
    Recipe(0.055, (_BEDROCK,)),
    Recipe(0.095, (_BEDROCK,), "most"),
    Recipe(0.095, (_BEDROCK,), "patch"),
    Recipe(0.010, (_SAND,)),
    Recipe(0.022, (_SAND,), "most"),
    Recipe(0.016, (_SAND,), "patch"),
    Recipe(0.055, (_BEDROCK, _SAND), "most"),
    Recipe(0.045, (_BEDROCK, _SOIL), "patch"),
    Recipe(0.022, (_SOIL, _SAND)),
    Recipe(0.045, (_BEDROCK,), hardware=True),
    Recipe(0.045, (_SOIL,), "none", hardware=True),
    Recipe(0.045, (_BEDROCK,), sky=True),
    Recipe(0.030, (_SOIL, _BEDROCK), "none", sky=True),
    Recipe(0.095, (_BEDROCK, _SOIL), "none"),
    Recipe(0.060, (_SAND, _BEDROCK), "none"),
)
"""Shares that lead to about as much of each class as in the real tiles."""


def draw_tile(recipe: Recipe, bank: TextureBank, rng: np.random.Generator) -> tuple[Image, Image]:
    """Draw a tile and its mask, both (64, 128) uint8."""
    field = labels.border_field(rng, (HEIGHT, WIDTH))
    relief = _ground(recipe, field, bank, rng)
    relief, rocks = _put_rocks(relief, recipe.rocks, bank, rng)
    canvas: Canvas = relief.albedo * shade(relief.height, Sun.draw(rng))
    hidden = np.zeros(canvas.shape, bool)
    if recipe.sky:
        canvas, hidden = add_sky(canvas, bank, rng)
    if recipe.hardware:
        canvas, hidden = add_hardware(canvas, bank, rng)
    if recipe.saucer:
        return expose(add_saucer(canvas, rng), rng), saucer_mask()
    return expose(canvas, rng), _label(recipe, field, hidden, rocks, rng)


def expose(canvas: Canvas, rng: np.random.Generator) -> Image:
    """Photograph a canvas: contrast, exposure, vignetting and sensor noise, to a (64, 128) uint8 tile.

    The exposure differs from tile to tile as much as in the real images, so that brightness alone does not
    tell a class.
    """
    tile = to_tile(canvas)
    relative = (np.maximum(tile, 0.02) / tile.mean()) ** rng.uniform(1.0, 1.3)
    relative -= 0.35 * np.maximum(relative - 1.5, 0)  # a soft shoulder, so that lit edges do not burn out
    exposure = np.clip(rng.normal(0.228, 0.075), 0.07, 0.45)
    slope = 1 + rng.normal(0, 0.09) * _RIGHT + rng.normal(0, 0.07) * _DOWN
    noise = rng.normal(0, 0.006, tile.shape)
    gray: Image = np.rint(255 * np.clip(exposure * relative * slope + noise, 0, 1)).astype(np.uint8)
    return gray


def _ground(recipe: Recipe, field: Canvas, bank: TextureBank, rng: np.random.Generator) -> surfaces.Relief:
    """One surface, or two that meet along the zero line of `field`."""
    view = look(rng, steep=recipe.hardware)
    first, *others = (_SURFACES[c](bank, view, rng) for c in recipe.classes)
    if not others:
        return first
    second = others[0]
    ragged = field + 0.07 * bank.lumps.at(view.x, view.z)
    share, soft = np.clip(0.5 + ragged / 0.14, 0, 1), np.clip(0.5 + ragged / 0.36, 0, 1)
    return surfaces.Relief(
        (first.height - first.height.mean()) * soft + (second.height - second.height.mean()) * (1 - soft),
        first.albedo * share + second.albedo * (1 - share),
    )


def _put_rocks(
    ground: surfaces.Relief, count: int, bank: TextureBank, rng: np.random.Generator
) -> tuple[surfaces.Relief, list[NDArray[np.bool_]]]:
    shapes = []
    for _ in range(count):
        center = rng.uniform(0.3, 0.75) * HEIGHT, rng.uniform(0.12, 0.88) * WIDTH
        rock = surfaces.big_rock(bank, rng, center, rng.uniform(20, 46) / count**0.5)
        solid = rock.height > 0
        height = np.where(solid, 0.25 * ground.height + rock.height, ground.height)
        ground = surfaces.Relief(height, np.where(solid, rock.albedo, ground.albedo))
        shapes.append(solid)
    return ground, shapes


def _label(
    recipe: Recipe,
    field: Canvas,
    hidden: NDArray[np.bool_],
    rocks: list[NDArray[np.bool_]],
    rng: np.random.Generator,
) -> Image:
    """The mask: classes with a gap between them, rocks outlined, everything hidden left blank."""
    coarse = field[::SCALE, ::SCALE]
    gap = rng.uniform(0.04, 0.16) if len(recipe.classes) > 1 else -np.inf
    mask = np.where(coarse > gap, recipe.classes[0], 0).astype(np.uint8)
    mask[coarse < -gap] = recipe.classes[-1]
    if recipe.labelled in {"most", "patch"}:
        mask[~labels.hand_drawn_patch(rng, generous=recipe.labelled == "most")] = 0
    if recipe.labelled == "none":
        mask[:] = 0
    for rock in rocks:
        shape = labels.outline(rock, rng)
        mask[labels.widen(shape, int(rng.integers(0, 3)))] = 0
        mask[shape] = BIG_ROCK.index
    unseen = hidden[::SCALE, ::SCALE]
    mask[labels.widen(unseen, int(rng.integers(1, 5))) if unseen.any() else unseen] = 0
    labels.leave_frame_edge(mask, rng)
    return mask
