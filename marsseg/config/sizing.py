"""How large a network is, counted from its configuration alone: the UI process never loads TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg.classes import N_CLASSES, TILE_HEIGHT, TILE_WIDTH
from marsseg.config.model import ModelConfig


@dataclass(frozen=True, slots=True)
class LevelSize:
    """One stage of a network, in the order in which an image passes through.

    Args:
        name: "encoder_1" …, "bottleneck", "decoder_N" … "decoder_1", "head".
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
            convolutions. Squeeze-and-Excitation and group normalisation add a summary of the whole tile.
        levels: the stages, in order.
    """

    parameters: int
    multiply_adds: int
    receptive_field: int
    levels: tuple[LevelSize, ...]


def network_size(config: ModelConfig, height: int = TILE_HEIGHT, width: int = TILE_WIDTH) -> NetworkSize:
    """Count what `marsseg.training.networks.build_network` would build.

    Args:
        config: the network.
        height: rows of a tile, a multiple of 2^depth.
        width: columns of a tile, a multiple of 2^depth.
    """
    levels = [_encoder(config, level, height, width) for level in range(1, config.depth + 1)]
    levels.append(_bottleneck(config, height, width))
    levels += [_decoder(config, level, height, width) for level in range(config.depth, 0, -1)]
    head = _Tally(height * width)
    head.conv(config.filters, N_CLASSES, 1)
    levels.append(head.level("head", height, width, N_CLASSES))
    return NetworkSize(
        parameters=sum(level.parameters for level in levels),
        multiply_adds=sum(level.multiply_adds for level in levels),
        receptive_field=_receptive_field(config.depth),
        levels=tuple(levels),
    )


class _Tally:
    """Adds up parameters and multiply-adds of layers whose output has `pixels` pixels."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.parameters = 0
        self.multiply_adds = 0

    def conv(self, channels: int, filters: int, size: int, *, bias: bool = True) -> None:
        kernel = size * size * channels * filters
        self.parameters += kernel + bias * filters
        self.multiply_adds += kernel * self.pixels

    def up_conv(self, channels: int, filters: int) -> None:
        # 2×2 with stride 2: each output pixel is reached by one of the four kernel positions.
        self.parameters += 4 * channels * filters + filters
        self.multiply_adds += channels * filters * self.pixels

    def conv_norm(self, config: ModelConfig, channels: int, filters: int, size: int) -> None:
        self.conv(channels, filters, size, bias=config.normalization == "none")
        # scale and shift; batch normalisation keeps running mean and variance beside them
        self.parameters += {"batch": 4, "group": 2, "none": 0}[config.normalization] * filters

    def dense(self, inputs: int, units: int) -> None:
        self.parameters += inputs * units + units
        self.multiply_adds += inputs * units

    def double_conv(self, config: ModelConfig, channels: int, filters: int) -> None:
        self.conv_norm(config, channels, filters, 3)
        self.conv_norm(config, filters, filters, 3)
        if config.squeeze_excite:
            units = max(1, filters // config.se_ratio)
            self.dense(filters, units)
            self.dense(units, filters)
        if config.residual and channels != filters:
            self.conv_norm(config, channels, filters, 1)

    def gate(self, config: ModelConfig, channels: int) -> None:
        if config.skip_gate in {"gated", "sigmoid_only"}:
            self.conv(channels, channels, 1)
        elif config.skip_gate == "attention":
            inner = max(1, channels // 2)
            self.conv(channels, inner, 1, bias=False)
            self.conv(channels, inner, 1)
            self.conv(inner, 1, 1)

    def level(self, name: str, height: int, width: int, channels: int) -> LevelSize:
        return LevelSize(name, height, width, channels, self.parameters, self.multiply_adds)


def _encoder(config: ModelConfig, level: int, height: int, width: int) -> LevelSize:
    scale, filters = 2 ** (level - 1), _filters(config, level)
    tally = _Tally((height // scale) * (width // scale))
    tally.double_conv(config, 1 if level == 1 else filters // 2, filters)
    return tally.level(f"encoder_{level}", height // scale, width // scale, filters)


def _bottleneck(config: ModelConfig, height: int, width: int) -> LevelSize:
    scale, filters = 2**config.depth, _filters(config, config.depth + 1)
    tally = _Tally((height // scale) * (width // scale))
    tally.double_conv(config, filters // 2, filters)
    return tally.level("bottleneck", height // scale, width // scale, filters)


def _decoder(config: ModelConfig, level: int, height: int, width: int) -> LevelSize:
    scale, filters = 2 ** (level - 1), _filters(config, level)
    tally = _Tally((height // scale) * (width // scale))
    tally.up_conv(2 * filters, filters)
    tally.gate(config, filters)
    tally.double_conv(config, 2 * filters, filters)
    return tally.level(f"decoder_{level}", height // scale, width // scale, filters)


def _filters(config: ModelConfig, level: int) -> int:
    return config.filters << (level - 1)


def _receptive_field(depth: int) -> int:
    """Widest span of input rows that an output row depends on, over all places within a pooling cell."""
    spans = (_input_span(row, depth) for row in range(2**depth))
    return max(last - first + 1 for first, last in spans)


def _input_span(row: int, depth: int) -> tuple[int, int]:
    """First and last input row behind an output row, followed back from the head through the bottleneck."""
    first, last = row - 2, row + 2  # two 3×3 convolutions, here and below
    for _ in range(depth):  # back through decoder levels: an up-convolution looks at one coarser pixel
        first, last = first // 2 - 2, last // 2 + 2
    for _ in range(depth):  # back through pooling and encoder levels
        first, last = 2 * first - 2, 2 * last + 1 + 2
    return first, last
