"""Shapes that no field sets, chosen for tiles of 64×128: the network and the count of its size share them."""

from __future__ import annotations

from marsseg.classes import TILE_HEIGHT
from marsseg.config.model import ModelConfig

RESIDUAL_UNITS = 2
"""Units of two convolutions in a level of the residual encoder, as in ResNet-18 (He 2016)."""

DENSE_LAYERS = 4
"""Layers in a level of the dense encoder; each adds `filters` channels, its growth rate (Huang 2017)."""

ATROUS_RATES = (2, 4, 6)
"""Dilation of the atrous pyramid's 3×3 convolutions: on 8×16 features, Chen's 12 and 18 see padding."""


def level_filters(config: ModelConfig, level: int) -> int:
    """Channels of an encoder level; 1 is the finest, depth + 1 the deepest."""
    return config.filters << (level - 1)


def deepest_filters(config: ModelConfig) -> int:
    """Channels of the deepest level."""
    return level_filters(config, config.depth + 1)


def pyramid_windows(config: ModelConfig) -> tuple[int, ...]:
    """Edges of pyramid pooling's square windows, in pixels of the deepest level.

    They cover the height of a tile, half of it, and a quarter; a window of one pixel would pool nothing.
    """
    rows = TILE_HEIGHT >> config.depth
    return tuple(edge for edge in (rows, rows // 2, rows // 4) if edge > 1)


def low_level(config: ModelConfig) -> int:
    """The encoder level that DeepLabV3+ decodes at: one above the last, as far as there is one."""
    return max(1, config.depth - 1)
