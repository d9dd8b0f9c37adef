"""How large a network is, counted from its configuration alone: the UI process never loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marsseg.classes import N_CLASSES, TILE_HEIGHT, TILE_WIDTH
from marsseg.config.anatomy import decoder_levels, deepest, filters_at, level_name
from marsseg.config.model import ModelConfig
from marsseg.config.receptive import receptive_field, summarises_tile
from marsseg.config.stages import count_decoder, count_encoder, count_pyramid
from marsseg.config.tally import Tally


@dataclass(frozen=True, slots=True)
class LevelSize:
    """One stage of a network, in the order in which an image passes through.

    Args:
        name: "encoder_1" …, "bottleneck", "decoder_N" … "decoder_1", "head"; DeepLabV3+ has one decoder.
        height: rows of its output.
        width: columns of its output.
        channels: channels of its output.
        parameters: trained and running values in its layers.
        multiply_adds: of its convolutions and dense layers, for one tile.
    """

    name: str
    height: int
    width: int
    channels: int
    parameters: int
    multiply_adds: int


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """What a network costs and sees.

    Args:
        parameters: trainable and not, as Keras' `count_params` gives them.
        multiply_adds: for one tile, of convolutions and dense layers; the rest is a few per cent.
        receptive_field: edge of the square of input pixels, at most, that one logit depends on by way of
            convolutions and pooling windows.
        summarises_tile: whether Squeeze-and-Excitation, group normalisation or the tile's mean in a pyramid
            add a summary of the whole tile.
        levels: the stages, in order.
    """

    parameters: int
    multiply_adds: int
    receptive_field: int
    summarises_tile: bool
    levels: tuple[LevelSize, ...]


def network_size(config: ModelConfig, height: int = TILE_HEIGHT, width: int = TILE_WIDTH) -> NetworkSize:
    """Count what `marsseg.training.networks.build_network` would build, without heads that only train.

    Args:
        config: the network.
        height: rows of a tile, a multiple of 2^depth.
        width: columns of a tile, a multiple of 2^depth.
    """
    levels = [*_way_down(config, height, width), *_way_up(config, height, width)]
    return NetworkSize(
        parameters=sum(level.parameters for level in levels),
        multiply_adds=sum(level.multiply_adds for level in levels),
        receptive_field=receptive_field(config),
        summarises_tile=summarises_tile(config),
        levels=tuple(levels),
    )


def _way_down(config: ModelConfig, height: int, width: int) -> Iterator[LevelSize]:
    for level in range(1, deepest(config) + 1):
        tally = _tally_at(config, level, height, width)
        count_encoder(tally, level)
        last = level == deepest(config)
        channels = count_pyramid(tally) if last else filters_at(config, level)
        yield _row(level_name(config, level), tally, channels)


def _way_up(config: ModelConfig, height: int, width: int) -> Iterator[LevelSize]:
    channels = 0
    levels = decoder_levels(config)
    for level in levels:
        tally = _tally_at(config, level, height, width)
        channels = count_decoder(tally, level)
        yield _row(f"decoder_{level}", tally, channels)
    head = _tally_at(config, levels[-1], height, width)
    head.conv(channels, N_CLASSES, 1)
    yield LevelSize("head", height, width, N_CLASSES, head.parameters, head.multiply_adds)


def _tally_at(config: ModelConfig, level: int, height: int, width: int) -> Tally:
    return Tally(config, height >> (level - 1), width >> (level - 1))


def _row(name: str, tally: Tally, channels: int) -> LevelSize:
    return LevelSize(name, tally.height, tally.width, channels, tally.parameters, tally.multiply_adds)
