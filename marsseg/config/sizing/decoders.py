"""Counts the levels of a decoder, as `marsseg.training` builds them."""

from __future__ import annotations

from collections.abc import Callable

from marsseg.config.model import ModelConfig
from marsseg.config.shapes import level_filters, low_level
from marsseg.config.sizing.features import Features, joined
from marsseg.config.sizing.tally import LevelSize, Tally

Counted = tuple[Features, list[LevelSize]]


def count_decoder(config: ModelConfig, encoded: list[Features]) -> Counted:
    """What comes out of the decoder, and the sizes of its levels, coarsest first."""
    decoders: dict[str, Callable[[ModelConfig, list[Features]], Counted]] = {
        "unet": _unet,
        "unet3plus": _unet_3_plus,
        "deeplabv3plus": _deeplab_v3_plus,
    }
    return decoders[config.architecture](config, encoded)


def _unet(config: ModelConfig, encoded: list[Features]) -> Counted:
    x, sizes = encoded[-1], []
    for level in range(config.depth, 0, -1):
        tally, filters = Tally(config, level), level_filters(config, level)
        x = tally.up_conv(x, filters)
        x = tally.double_conv(joined(tally.gate(encoded[level - 1], x), x), filters)
        sizes.append(tally.level_size(f"decoder_{level}", x))
    return x, sizes


def _unet_3_plus(config: ModelConfig, encoded: list[Features]) -> Counted:
    decoded, sizes = [encoded[-1]], []
    for level in range(config.depth, 0, -1):
        tally, same = Tally(config, level), encoded[level - 1]
        finer = [x.pooled(2 ** (level - below)) for below, x in enumerate(encoded[: level - 1], start=1)]
        coarser = [x.resized(same) for x in decoded]
        scales = [*finer, tally.gate(same, coarser[0]), *coarser]
        branches = [tally.conv_norm(x, config.filters, 3) for x in scales]
        decoded.insert(0, tally.double_conv(joined(*branches), config.filters))
        sizes.append(tally.level_size(f"decoder_{level}", decoded[0]))
    return decoded[0], sizes


def _deeplab_v3_plus(config: ModelConfig, encoded: list[Features]) -> Counted:
    level = low_level(config)
    tally = Tally(config, level)
    low = tally.conv_norm(encoded[level - 1], config.filters, 1)
    x = encoded[-1].resized(low)
    x = tally.double_conv(joined(tally.gate(low, x), x), level_filters(config, level))
    return x, [tally.level_size(f"decoder_{level}", x)]
