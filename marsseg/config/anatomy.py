"""How each network is laid out: numbers that its construction and the count of its size share."""

from __future__ import annotations

from marsseg.classes import TILE_HEIGHT
from marsseg.config.model import ModelConfig

RESNET_UNITS = 2
"""Residual units a level, as in an 18-layer ResNet (He 2016)."""

DENSE_LAYERS = 4
"""Layers a level of a dense encoder, each adding `filters` channels."""

ATROUS_RATES = (2, 4, 6)
"""Dilation of the atrous pyramid: 6, 12, 18 of Chen 2018 would reach past a feature map of 8×16."""

WINDOWS_A_TILE = (2, 4)
"""How many pooling windows of the pyramid stand on top of each other in a tile; one for all comes besides."""


def filters_at(config: ModelConfig, level: int) -> int:
    """Channels of encoder level 1 … depth, and of the deepest one, depth + 1."""
    return config.filters << (level - 1)


def deepest(config: ModelConfig) -> int:
    """The level below the last pooling, the bottleneck."""
    return config.depth + 1


def level_name(config: ModelConfig, level: int) -> str:
    """What names of the encoder's layers at this level start with."""
    return "bottleneck" if level == deepest(config) else f"encoder_{level}"


def pyramid_filters(config: ModelConfig) -> int:
    """Channels of each branch of a pyramid: a quarter of the deepest level's, at least `filters`."""
    return max(config.filters, filters_at(config, deepest(config)) // 4)


def pooling_windows(config: ModelConfig) -> tuple[int, ...]:
    """Edges of the pyramid's square windows, in pixels of the deepest level."""
    return tuple(max(1, (TILE_HEIGHT >> config.depth) // count) for count in WINDOWS_A_TILE)


def low_level(config: ModelConfig) -> int:
    """The encoder level that DeepLabV3+ joins to what comes up from below."""
    return max(1, config.depth - 1)


def decoder_levels(config: ModelConfig) -> list[int]:
    """The levels that have a decoder, coarsest first."""
    if config.architecture == "deeplabv3plus":
        return [low_level(config)]
    return list(range(config.depth, 0, -1))


def drop_path_rate(config: ModelConfig, level: int) -> float:
    """How often a branch at this level is left out: all of `drop_path` at the deepest (after Huang 2016)."""
    return config.drop_path * level / deepest(config)


def excites(config: ModelConfig, level: int) -> bool:
    """Whether blocks at this level have Squeeze-and-Excitation."""
    return config.squeeze_excite and (config.se_placement == "all" or level == deepest(config))


def has_pyramid(config: ModelConfig) -> bool:
    """Whether a pyramid follows the deepest level of the encoder."""
    return config.architecture == "deeplabv3plus" or config.bottleneck != "none"


def supervised_stages(config: ModelConfig) -> list[str]:
    """The stages whose features predict masks while training, finest first; the first is the one in use.

    A U-Net supervises its decoder levels, and is left with one output at depth 1; DeepLabV3+ supervises its
    atrous pyramid.
    """
    stages = [f"decoder_{level}" for level in reversed(decoder_levels(config))]
    if not config.deep_supervision:
        return stages[:1]
    return [*stages, "bottleneck"] if config.architecture == "deeplabv3plus" else stages


def output_weights(config: ModelConfig) -> tuple[float, ...]:
    """Weight of each prediction's loss: `supervision_decay` times that of the next finer one, 1 in sum."""
    weights = [config.supervision_decay**place for place in range(len(supervised_stages(config)))]
    return tuple(weight / sum(weights) for weight in weights)
