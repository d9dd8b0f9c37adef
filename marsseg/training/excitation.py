"""Squeeze-and-Excitation: features weighted by what the tile holds, channel by channel, place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import layers

from marsseg.training.keras_layers import Tensor

if TYPE_CHECKING:
    from marsseg.training.blocks import Blocks, Part


def excite(blocks: Blocks, channels: int, name: str) -> Part:
    """Build x · w with weights w between 0 and 1 of the configured kind.

    - channel: w = σ(W₂ ReLU(W₁ GAP(x))) with channels / ratio squeeze units, (B, 1, 1, C) (Hu 2018)
    - spatial: w = σ(conv₁ₓ₁(x)), (B, H, W, 1) (Roy 2018)
    - both: the larger of the two, (B, H, W, C); for x ≥ 0 the max-out of scSE (Roy 2018), which takes the
      larger of the weighted features
    """
    kinds = {"channel": _by_channel, "spatial": _by_place, "both": _by_both}
    weigh = kinds[blocks.config.se_kind](blocks, channels, name)
    # Broadcast as it is: of five ways to multiply, this had the cheapest gradient on a CPU. A training
    # step takes 1.07 times as long as without, 1.48 times by einsum (benchmarks/squeeze_excite.py).
    scale = layers.Multiply(name=f"{name}_scale")
    return lambda x: scale([x, weigh(x)])


def _by_channel(blocks: Blocks, channels: int, name: str) -> Part:
    units = max(1, channels // blocks.config.se_ratio)
    squeeze = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")
    reduce = blocks.dense(units, "relu", f"{name}_reduce")
    expand = blocks.dense(channels, "sigmoid", f"{name}_expand")
    return lambda x: expand(reduce(squeeze(x)))


def _by_place(blocks: Blocks, _channels: int, name: str) -> Part:
    conv = blocks.conv(1, 1, f"{name}_place")
    sigmoid = layers.Activation("sigmoid", name=f"{name}_place_sigmoid")
    return lambda x: sigmoid(conv(x))


def _by_both(blocks: Blocks, channels: int, name: str) -> Part:
    by_channel, by_place = _by_channel(blocks, channels, name), _by_place(blocks, channels, name)

    def weigh(x: Tensor) -> Tensor:
        return layers.Maximum(name=f"{name}_larger")([by_channel(x), by_place(x)])

    return weigh
