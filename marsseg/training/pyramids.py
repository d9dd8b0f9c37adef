"""What the deepest level adds to see further: an atrous pyramid, or means over windows of several sizes."""

from __future__ import annotations

from keras import layers

from marsseg.config.shapes import ATROUS_RATES, deepest_filters, pyramid_windows
from marsseg.training.blocks import Blocks, Part, identity
from marsseg.training.keras_layers import Tensor


def build_pyramid(blocks: Blocks) -> Part:
    """Build the configured pyramid, (B, H, W, C) to the same shape; the identity if there is none."""
    if blocks.config.architecture == "deeplabv3plus":
        return lambda x: _atrous_pyramid(blocks, x)
    pyramids: dict[str, Part] = {
        "none": identity,
        "aspp": lambda x: _atrous_pyramid(blocks, x),
        "pyramid_pooling": lambda x: _pooling_pyramid(blocks, x),
    }
    return pyramids[blocks.config.bottleneck]


def _atrous_pyramid(blocks: Blocks, x: Tensor) -> Tensor:
    """Atrous spatial pyramid pooling: a 1×1 and dilated 3×3 convolutions beside the tile's mean (Chen 2018).

    Each branch has half the channels.
    """
    name, filters = "bottleneck_aspp", deepest_filters(blocks.config) // 2
    branches = [blocks.conv_norm_act(filters, 1, f"{name}_point")(x)]
    branches += [
        blocks.conv_norm_act(filters, 3, f"{name}_rate_{rate}", dilation=rate)(x) for rate in ATROUS_RATES
    ]
    branches.append(_mean_of_tile(blocks, x, filters, f"{name}_tile"))
    return _project(blocks, branches, name)


def _pooling_pyramid(blocks: Blocks, x: Tensor) -> Tensor:
    """Pyramid pooling: the features beside their means over windows and over the tile (Zhao 2017).

    Each branch has a quarter of the channels.
    """
    name, filters = "bottleneck_pyramid", deepest_filters(blocks.config) // 4
    branches = [x]
    for edge in pyramid_windows(blocks.config):
        pooled = layers.AveragePooling2D(edge, padding="same", name=f"{name}_window_{edge}")(x)
        branches.append(_spread(blocks, pooled, x, filters, f"{name}_window_{edge}"))
    branches.append(_mean_of_tile(blocks, x, filters, f"{name}_tile"))
    return _project(blocks, branches, name)


def _mean_of_tile(blocks: Blocks, x: Tensor, filters: int, name: str) -> Tensor:
    pooled = layers.GlobalAveragePooling2D(keepdims=True, name=name)(x)
    return _spread(blocks, pooled, x, filters, name)


def _spread(blocks: Blocks, pooled: Tensor, x: Tensor, filters: int, name: str) -> Tensor:
    """Pooled values through a 1×1 convolution back to the size of x.

    They are not normalised: of one value in a batch of one, or in a group of one channel, nothing is left.
    """
    y = blocks.conv(filters, 1, f"{name}_conv")(pooled)
    return blocks.resize(blocks.activate(f"{name}_act")(y), x, f"{name}_up")


def _project(blocks: Blocks, branches: list[Tensor], name: str) -> Tensor:
    joined = layers.Concatenate(name=f"{name}_join")(branches)
    return blocks.conv_norm_act(deepest_filters(blocks.config), 1, f"{name}_project")(joined)
