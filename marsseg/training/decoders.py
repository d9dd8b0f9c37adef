"""Decoders: from the encoder's features back to the size of the image.

Each takes the features of levels 1 … depth + 1 and returns its own, finest first: what the main head reads,
then what coarser heads may read under deep supervision.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import layers

from marsseg.config.anatomy import decoder_levels, deepest, filters_at, low_level
from marsseg.training.blocks import Blocks
from marsseg.training.custom_layers import Tensor
from marsseg.training.pyramids import add_pyramid, atrous_pyramid

Decoder = Callable[[list[Tensor], Blocks], dict[str, Tensor]]


def decode_unet(features: list[Tensor], blocks: Blocks) -> dict[str, Tensor]:
    """Double the image level by level, joining what the skip gate lets pass (Ronneberger 2015)."""
    config = blocks.config
    x = add_pyramid(features[-1], blocks)
    decoded = {}
    for level in decoder_levels(config):
        name, filters = f"decoder_{level}", filters_at(config, level)
        x = blocks.upsample(filters, f"{name}_up")(x)
        passed = blocks.gate(f"{name}_gate")(features[level - 1], x)
        x = layers.Concatenate(name=f"{name}_join")([passed, x])
        x = blocks.double_conv(filters, name, level)(x)
        decoded[name] = x
    return _finest_first(decoded)


def decode_unet3plus(features: list[Tensor], blocks: Blocks) -> dict[str, Tensor]:
    """Join all scales at every level: finer ones from the encoder, coarser ones decoded (Huang 2020)."""
    config = blocks.config
    coarser = {deepest(config): add_pyramid(features[-1], blocks)}
    decoded = {}
    for level in decoder_levels(config):
        name = f"decoder_{level}"
        finer = [_from_finer(features[k - 1], blocks, level, k) for k in range(1, level)]
        here = blocks.conv_norm_act(config.filters, 3, f"{name}_from_{level}")(features[level - 1])
        like = features[level - 1]
        above = [
            _from_coarser(coarser[k], like, blocks, level, k) for k in range(level + 1, deepest(config) + 1)
        ]
        passed = blocks.gate(f"{name}_gate")(here, above[0])
        x = layers.Concatenate(name=f"{name}_join")([*finer, passed, *above])
        coarser[level] = decoded[name] = blocks.double_conv(config.filters, name, level)(x)
    return _finest_first(decoded)


def decode_deeplab(features: list[Tensor], blocks: Blocks) -> dict[str, Tensor]:
    """Join the atrous pyramid to one low level (DeepLabV3+, Chen 2018)."""
    config, level = blocks.config, low_level(blocks.config)
    name, filters, low = f"decoder_{level}", filters_at(config, level), features[level - 1]
    pyramid = atrous_pyramid(features[-1], blocks, filters)
    x = blocks.resize(pyramid, low, f"{name}_resize")
    reduced = blocks.conv_norm_act(config.filters, 1, f"{name}_reduce")(low)
    passed = blocks.gate(f"{name}_gate")(reduced, x)
    x = layers.Concatenate(name=f"{name}_join")([passed, x])
    return {name: blocks.double_conv(filters, name, level)(x), "bottleneck": pyramid}


def _from_finer(x: Tensor, blocks: Blocks, level: int, source: int) -> Tensor:
    name = f"decoder_{level}_from_{source}"
    pooled = layers.MaxPooling2D(2 ** (level - source), name=f"{name}_pool")(x)
    return blocks.conv_norm_act(blocks.config.filters, 3, name)(pooled)


def _from_coarser(x: Tensor, like: Tensor, blocks: Blocks, level: int, source: int) -> Tensor:
    name = f"decoder_{level}_from_{source}"
    return blocks.conv_norm_act(blocks.config.filters, 3, name)(blocks.resize(x, like, f"{name}_resize"))


def _finest_first(decoded: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(reversed(decoded.items()))


DECODERS: dict[str, Decoder] = {
    "unet": decode_unet,
    "unet3plus": decode_unet3plus,
    "deeplabv3plus": decode_deeplab,
}
