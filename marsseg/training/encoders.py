"""Encoders: levels of features, each half as large as the one before, all trained from scratch.

Each level takes activated features (or the image) and ends activated, so that any decoder fits any encoder.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import layers

from marsseg.config.shapes import DENSE_LAYERS, RESIDUAL_UNITS, level_filters
from marsseg.training.blocks import Blocks, Part
from marsseg.training.keras_layers import Tensor


def encode(x: Tensor, blocks: Blocks) -> list[Tensor]:
    """Halve the image `depth` times; returns the features of each level, the deepest ("bottleneck") last."""
    config = blocks.config
    features = []
    for level in range(1, config.depth + 1):
        x = build_level(blocks, level, f"encoder_{level}")(x)
        features.append(x)
        x = layers.MaxPooling2D(name=f"encoder_{level}_pool")(x)
    return [*features, build_level(blocks, config.depth + 1, "bottleneck")(x)]


def build_level(blocks: Blocks, level: int, name: str) -> Part:
    """Build one level of the configured encoder, (B, H, W, C) to (B, H, W, its filters)."""
    kinds: dict[str, Callable[[Blocks, int, str, int], Part]] = {
        "plain": Blocks.double_conv,
        "resnet": _residual_level,
        "densenet": _dense_level,
    }
    return kinds[blocks.config.encoder](blocks, level_filters(blocks.config, level), name, level)


def _residual_level(blocks: Blocks, filters: int, name: str, level: int) -> Part:
    """Pre-activation residual units (He 2016); x comes activated: the first starts with its convolution."""

    def build(x: Tensor) -> Tensor:
        for unit in range(1, RESIDUAL_UNITS + 1):
            prefix = f"{name}_unit_{unit}"
            y = x if unit == 1 else _norm_act(blocks, x, f"{prefix}_pre")
            y = blocks.conv_norm_act(filters, 3, f"{prefix}_conv_1")(y)
            y = blocks.conv(filters, 3, f"{prefix}_conv_2", bias=blocks.config.normalization == "none")(y)
            y = blocks.squeeze_excite(filters, f"{prefix}_se", level)(y)
            x = blocks.add(x, y, prefix, level)
        return blocks.drop(f"{name}_dropout")(_norm_act(blocks, x, f"{name}_out"))

    return build


def _dense_level(blocks: Blocks, filters: int, name: str, level: int) -> Part:
    """Layers that see all earlier ones, and a 1×1 transition to the level's filters (Huang 2017).

    Normalisation and nonlinearity follow the convolution, not the other way round as in the paper: each map
    is normalised once, not anew by every layer that reads it.
    """

    def build(x: Tensor) -> Tensor:
        seen = [x]
        for place in range(1, DENSE_LAYERS + 1):
            joined = x if place == 1 else layers.Concatenate(name=f"{name}_join_{place}")(seen)
            seen.append(blocks.conv_norm_act(blocks.config.filters, 3, f"{name}_layer_{place}")(joined))
        y = layers.Concatenate(name=f"{name}_join")(seen)
        y = blocks.conv_norm(filters, 1, f"{name}_transition")(y)
        y = blocks.squeeze_excite(filters, f"{name}_se", level)(y)
        return blocks.drop(f"{name}_dropout")(blocks.activate(f"{name}_transition_act")(y))

    return build


def _norm_act(blocks: Blocks, x: Tensor, name: str) -> Tensor:
    return blocks.activate(f"{name}_act")(blocks.normalize(f"{name}_norm")(x))
