"""Counts the layers of a network's parts and blocks, as `marsseg.training` builds them, without building."""

from __future__ import annotations

from marsseg.config.anatomy import excites
from marsseg.config.model import ModelConfig


class Tally:
    """Adds up parameters and multiply-adds of one stage.

    Args:
        config: the toggles.
        height: rows of the stage's features.
        width: columns of them.
    """

    def __init__(self, config: ModelConfig, height: int, width: int) -> None:
        self.config = config
        self.height, self.width = height, width
        self.parameters = 0
        self.multiply_adds = 0

    def conv(self, channels: int, filters: int, size: int, *, bias: bool = True, window: int = 1) -> None:
        """A convolution; with `window`, of features pooled over squares of that edge."""
        kernel = size * size * channels * filters
        self.parameters += kernel + bias * filters
        self.multiply_adds += kernel * -(-self.height // window) * -(-self.width // window)

    def up_conv(self, channels: int, filters: int) -> None:
        """A 2×2 up-convolution of stride 2: one of four kernel positions reaches each output pixel."""
        self.parameters += 4 * channels * filters + filters
        self.multiply_adds += channels * filters * self.height * self.width

    def norm(self, channels: int) -> None:
        """Scale and shift; batch normalisation keeps running mean and variance beside them."""
        self.parameters += {"batch": 4, "group": 2, "none": 0}[self.config.normalization] * channels

    def unnormalized_conv(self, channels: int, filters: int, size: int) -> None:
        """A convolution that a normalisation follows sooner or later, and takes the bias from."""
        self.conv(channels, filters, size, bias=self.config.normalization == "none")

    def conv_norm(self, channels: int, filters: int, size: int) -> None:
        """A convolution and its normalisation."""
        self.unnormalized_conv(channels, filters, size)
        self.norm(filters)

    def dense(self, inputs: int, units: int) -> None:
        """A dense layer over one vector a tile."""
        self.parameters += inputs * units + units
        self.multiply_adds += inputs * units

    def double_conv(self, channels: int, filters: int, level: int) -> None:
        """`Blocks.double_conv`."""
        self.conv_norm(channels, filters, 3)
        self.conv_norm(filters, filters, 3)
        self.squeeze_excite(filters, level)
        if self.config.residual and channels != filters:
            self.conv_norm(channels, filters, 1)

    def squeeze_excite(self, channels: int, level: int) -> None:
        """`Blocks.squeeze_excite`."""
        if not excites(self.config, level):
            return
        if self.config.se_kind in {"channel", "both"}:
            units = max(1, channels // self.config.se_ratio)
            self.dense(channels, units)
            self.dense(units, channels)
        if self.config.se_kind in {"spatial", "both"}:
            self.conv(channels, 1, 1)

    def gate(self, encoder: int, decoder: int) -> None:
        """`Blocks.gate`, of so many channels each."""
        if self.config.skip_gate in {"gated", "sigmoid_only"}:
            self.conv(encoder, encoder, 1)
            if encoder != decoder:
                self.conv(decoder, encoder, 1)
        elif self.config.skip_gate == "attention":
            inner = max(1, encoder // 2)
            self.conv(encoder, inner, 1, bias=False)
            self.conv(decoder, inner, 1)
            self.conv(inner, 1, 1)
