"""Decoders: from the encoder's levels back to features fine enough for a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keras import layers

from marsseg.config.shapes import level_filters, low_level
from marsseg.training.blocks import Blocks
from marsseg.training.gates import build_gate
from marsseg.training.keras_layers import Tensor


@dataclass(frozen=True, slots=True)
class Decoded:
    """Features that masks can be predicted from.

    Args:
        level: 1 is as large as the image, each further one half as large.
        features: (B, H / 2^(level - 1), W / 2^(level - 1), C).
    """

    level: int
    features: Tensor


def decode(encoded: Sequence[Tensor], blocks: Blocks) -> list[Decoded]:
    """Run the configured decoder over the encoder's levels; returns its levels, finest first."""
    decoders: dict[str, Callable[[Sequence[Tensor], Blocks], list[Decoded]]] = {
        "unet": _unet,
        "unet3plus": _unet_3_plus,
        "deeplabv3plus": _deeplab_v3_plus,
    }
    return decoders[blocks.config.architecture](encoded, blocks)


def _unet(encoded: Sequence[Tensor], blocks: Blocks) -> list[Decoded]:
    """Double the image level by level, joining what the skip gate lets pass (Ronneberger 2015)."""
    decoded = [Decoded(len(encoded), encoded[-1])]
    for level in range(blocks.config.depth, 0, -1):
        name, filters = f"decoder_{level}", level_filters(blocks.config, level)
        x = blocks.upsample(filters, f"{name}_up")(decoded[0].features)
        passed = build_gate(blocks, f"{name}_gate")(encoded[level - 1], x)
        x = layers.Concatenate(name=f"{name}_join")([passed, x])
        decoded.insert(0, Decoded(level, blocks.double_conv(filters, name, level)(x)))
    return decoded


def _unet_3_plus(encoded: Sequence[Tensor], blocks: Blocks) -> list[Decoded]:
    """Show each level all scales, with `filters` channels from each, and fuse them (Huang 2020).

    The fused features have `filters` channels too, where the paper keeps those of all branches together: at
    full size that block alone would cost more than a U-Net.
    """
    decoded = [Decoded(len(encoded), encoded[-1])]
    for level in range(blocks.config.depth, 0, -1):
        name, filters = f"decoder_{level}", blocks.config.filters
        branches = [
            blocks.conv_norm_act(filters, 3, f"{name}_from_{origin}")(x)
            for origin, x in _all_scales(encoded, decoded, blocks, level)
        ]
        x = layers.Concatenate(name=f"{name}_join")(branches)
        decoded.insert(0, Decoded(level, blocks.double_conv(filters, name, level)(x)))
    return decoded


def _all_scales(
    encoded: Sequence[Tensor], decoded: Sequence[Decoded], blocks: Blocks, level: int
) -> list[tuple[str, Tensor]]:
    """Every finer encoder level pooled, this one through the gate, every coarser decoder level upsampled."""
    name, same = f"decoder_{level}", encoded[level - 1]
    finer = [
        (
            f"encoder_{below}",
            layers.MaxPooling2D(2 ** (level - below), name=f"{name}_from_encoder_{below}_pool")(x),
        )
        for below, x in enumerate(encoded[: level - 1], start=1)
    ]
    coarser = [
        (f"decoder_{d.level}", blocks.resize(d.features, same, f"{name}_from_decoder_{d.level}_up"))
        for d in decoded
    ]
    passed = build_gate(blocks, f"{name}_gate")(same, coarser[0][1])
    return [*finer, (f"encoder_{level}", passed), *coarser]


def _deeplab_v3_plus(encoded: Sequence[Tensor], blocks: Blocks) -> list[Decoded]:
    """Join the deepest features with one low-level branch and fuse them (Chen 2018).

    The branch is reduced to `filters` channels by a 1×1 convolution before the skip gate.
    """
    level, deepest = low_level(blocks.config), encoded[-1]
    name = f"decoder_{level}"
    low = blocks.conv_norm_act(blocks.config.filters, 1, f"{name}_low")(encoded[level - 1])
    x = blocks.resize(deepest, low, f"{name}_up")
    passed = build_gate(blocks, f"{name}_gate")(low, x)
    x = layers.Concatenate(name=f"{name}_join")([passed, x])
    x = blocks.double_conv(level_filters(blocks.config, level), name, level)(x)
    return [Decoded(level, x), Decoded(len(encoded), deepest)]
