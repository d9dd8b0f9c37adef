"""The five terrain classes: index, name and colour, in the one order used everywhere.

Colours are those of Okabe and Ito (2008), which people with colour-blind eyes can tell apart.
This module imports nothing of the project, so every room may know it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TerrainClass:
    """One class of a mask: the pixel value, its name, and the colour it is drawn in."""

    index: int
    name: str
    color: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as red, green and blue, each 0-255."""
        return (int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16))


BACKGROUND = TerrainClass(0, "background", "#999999")
SOIL = TerrainClass(1, "soil", "#D55E00")
BEDROCK = TerrainClass(2, "bedrock", "#0072B2")
SAND = TerrainClass(3, "sand", "#F0E442")
BIG_ROCK = TerrainClass(4, "big rock", "#CC79A7")

CLASSES: tuple[TerrainClass, ...] = (BACKGROUND, SOIL, BEDROCK, SAND, BIG_ROCK)
CLASS_NAMES: tuple[str, ...] = tuple(terrain.name for terrain in CLASSES)
TERRAIN_CLASSES: tuple[TerrainClass, ...] = CLASSES[1:]
N_CLASSES = len(CLASSES)

TILE_HEIGHT = 64
TILE_WIDTH = 128
