"""Pyramids at the deepest level: the same features seen through fields of several sizes."""

from __future__ import annotations

from collections.abc import Callable

from keras import layers

from marsseg.config.anatomy import ATROUS_RATES, deepest, filters_at, pooling_windows, pyramid_filters
from marsseg.training.blocks import Blocks
from marsseg.training.custom_layers import Tensor

NAME = "bottleneck_pyramid"


def add_pyramid(x: Tensor, blocks: Blocks) -> Tensor:
    """What the configured bottleneck makes of the deepest features; their channels stay as they are."""
    filters = filters_at(blocks.config, deepest(blocks.config))
    pyramids: dict[str, Callable[[], Tensor]] = {
        "none": lambda: x,
        "aspp": lambda: atrous_pyramid(x, blocks, filters),
        "pyramid_pooling": lambda: pooling_pyramid(x, blocks, filters),
    }
    return pyramids[blocks.config.bottleneck]()


def atrous_pyramid(x: Tensor, blocks: Blocks, filters: int) -> Tensor:
    """Atrous spatial pyramid pooling (Chen 2018): 1×1, dilated 3×3 and the tile's mean, joined by 1×1."""
    inner = pyramid_filters(blocks.config)
    branches = [blocks.conv_norm_act(inner, 1, f"{NAME}_point")(x)]
    branches += [blocks.conv_norm_act(inner, 3, f"{NAME}_rate_{rate}", rate=rate)(x) for rate in ATROUS_RATES]
    branches.append(_mean_of_tile(x, blocks))
    return _join(branches, blocks, filters)


def pooling_pyramid(x: Tensor, blocks: Blocks, filters: int) -> Tensor:
    """Pyramid pooling (Zhao 2017): means over square windows and over the tile, beside the features.

    Windows have a fixed edge, so that a large image is seen at the scale of the tiles. At other sizes than
    a multiple of the window, those at the border take the mean of the pixels that they hold.
    """
    branches = [x]
    for place, edge in enumerate(pooling_windows(blocks.config), start=1):
        name = f"{NAME}_window_{place}"
        pooled = layers.AveragePooling2D(edge, padding="same", name=f"{name}_pool")(x)
        branches.append(blocks.resize(_summarise(pooled, blocks, name), x, f"{name}_resize"))
    branches.append(_mean_of_tile(x, blocks))
    return _join(branches, blocks, filters)


def _mean_of_tile(x: Tensor, blocks: Blocks) -> Tensor:
    name = f"{NAME}_tile"
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    return blocks.resize(_summarise(mean, blocks, name), x, f"{name}_resize")


def _summarise(x: Tensor, blocks: Blocks, name: str) -> Tensor:
    # Not normalised: of the one value a tile's mean has, a normalisation within the tile would leave nothing.
    return blocks.activate(f"{name}_act")(blocks.conv(pyramid_filters(blocks.config), 1, name)(x))


def _join(branches: list[Tensor], blocks: Blocks, filters: int) -> Tensor:
    joined = layers.Concatenate(name=f"{NAME}_join")(branches)
    return blocks.conv_norm_act(filters, 1, f"{NAME}_fuse")(joined)
