"""Counts the parameters and multiply-adds of one stage, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg.config.model import ModelConfig
from marsseg.config.sizing.features import Features


@dataclass(frozen=True, slots=True)
class LevelSize:
    """One stage of a network, in the order in which an image passes through.

    Args:
        name: "encoder_1" …, "bottleneck", then the decoder's levels, "decoder_1" the finest, "head".
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


class Tally:
    """Adds up what the layers of one stage cost; each method stands for the layers of the same name.

    Args:
        config: the network.
        level: of the stage, 1 the finest, depth + 1 the deepest.
    """

    def __init__(self, config: ModelConfig, level: int) -> None:
        self.config = config
        self.level = level
        self.parameters = 0
        self.multiply_adds = 0

    def conv(self, x: Features, filters: int, size: int, *, bias: bool = True, dilation: int = 1) -> Features:
        """A convolution."""
        kernel = size * size * x.channels * filters
        self.parameters += kernel + bias * filters
        self.multiply_adds += kernel * x.pixels
        return x.convolved(filters, size, dilation)

    def up_conv(self, x: Features, filters: int) -> Features:
        """A 2×2 transposed convolution of stride 2: each output pixel is reached by one kernel position."""
        self.parameters += 4 * x.channels * filters + filters
        self.multiply_adds += 4 * x.channels * filters * x.pixels
        return x.repeated(filters)

    def normalize(self, x: Features) -> Features:
        """Scale and shift; batch normalisation keeps running mean and variance beside them."""
        self.parameters += {"batch": 4, "group": 2, "none": 0}[self.config.normalization] * x.channels
        return x

    def conv_norm(self, x: Features, filters: int, size: int, dilation: int = 1) -> Features:
        """A convolution, without bias where a normalisation follows."""
        bias = self.config.normalization == "none"
        return self.normalize(self.conv(x, filters, size, bias=bias, dilation=dilation))

    def dense(self, inputs: int, units: int) -> None:
        """A dense layer over one pixel."""
        self.parameters += inputs * units + units
        self.multiply_adds += inputs * units

    def squeeze_excite(self, x: Features) -> Features:
        """Squeeze-and-Excitation, where this level has it."""
        config = self.config
        if not config.squeeze_excite or (config.se_placement == "bottleneck" and self.level <= config.depth):
            return x
        if config.se_kind in {"channel", "both"}:
            units = max(1, x.channels // config.se_ratio)
            self.dense(x.channels, units)
            self.dense(units, x.channels)
        if config.se_kind in {"spatial", "both"}:
            self.conv(x, 1, 1)
        return x

    def double_conv(self, x: Features, filters: int) -> Features:
        """Two 3×3 convolutions with what belongs to them."""
        y = self.conv_norm(self.conv_norm(x, filters, 3), filters, 3)
        y = self.squeeze_excite(y)
        return self.add(x, y) if self.config.residual else y

    def add(self, x: Features, y: Features) -> Features:
        """A residual connection."""
        if x.channels != y.channels:
            self.conv_norm(x, y.channels, 1)
        return y  # which sees all that x sees

    def gate(self, e: Features, d: Features) -> Features:
        """A skip gate for encoder features e and decoder features d."""
        kind, channels = self.config.skip_gate, e.channels
        if kind == "none":
            return e
        if kind == "attention":
            inner = max(1, channels // 2)
            self.conv(e, inner, 1, bias=False)
            self.conv(self.conv(d, inner, 1), 1, 1)
        else:
            fitted = d if d.channels == channels else self.conv(d, channels, 1)
            self.conv(fitted, channels, 1)
        return e

    def level_size(self, name: str, x: Features) -> LevelSize:
        """The stage, once x has come out of it."""
        return LevelSize(name, x.height, x.width, x.channels, self.parameters, self.multiply_adds)
