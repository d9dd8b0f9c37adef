"""Networks for terrain segmentation: encoder, bottleneck, decoder, head."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from marsseg.classes import N_CLASSES
from marsseg.config import ModelConfig
from marsseg.training.blocks import Blocks, Tensor


def build_network(config: ModelConfig, seed: int | None = None) -> keras.Model:
    """Build the U-Net (Ronneberger 2015) that `config` describes.

    Args:
        config: depth, filters and toggles.
        seed: draws the initial weights and dropout masks: same seed, same numbers; None leaves that to
            `keras.utils.set_random_seed`.

    Returns:
        A functional model from `image` (B, H, W, 1), standardised, H and W multiples of 2^depth, to
        `logits` (B, H, W, 5), float32 and linear. `marsseg.config.sizing.network_size` gives its size.
    """
    blocks = Blocks(config, seed)
    image = keras.Input((None, None, 1), name="image")
    x, skips = encode(image, config, blocks)
    x = blocks.double_conv(config.filters * 2**config.depth, "bottleneck")(x)
    x = decode(x, skips, config, blocks)
    return keras.Model(image, head(x, blocks), name="unet")


def encode(x: Tensor, config: ModelConfig, blocks: Blocks) -> tuple[Tensor, list[Tensor]]:
    """Halve the image `depth` times; returns the last level and what each level passes to the decoder."""
    skips = []
    for level in range(1, config.depth + 1):
        x = blocks.double_conv(config.filters * 2 ** (level - 1), f"encoder_{level}")(x)
        skips.append(x)
        x = layers.MaxPooling2D(name=f"encoder_{level}_pool")(x)
    return x, skips


def decode(x: Tensor, skips: list[Tensor], config: ModelConfig, blocks: Blocks) -> Tensor:
    """Double the image level by level, `decoder_1` last, joining what the skip gate lets pass."""
    for level in range(config.depth, 0, -1):
        name, filters = f"decoder_{level}", config.filters * 2 ** (level - 1)
        x = blocks.upsample(filters, f"{name}_up")(x)
        passed = blocks.gate(f"{name}_gate")(skips[level - 1], x)
        x = layers.Concatenate(name=f"{name}_join")([passed, x])
        x = blocks.double_conv(filters, name)(x)
    return x


def head(x: Tensor, blocks: Blocks) -> Tensor:
    """Five logits a pixel, in float32 whatever precision the network computes in."""
    logits = blocks.conv(N_CLASSES, 1, "head")(x)
    return layers.Activation("linear", dtype="float32", name="logits")(logits)


@dataclass(frozen=True, slots=True)
class Networks:
    """One network as it is trained and as it is used: both share their layers.

    Args:
        training: gives a list of logits, main output first, or one tensor of logits.
        inference: gives one tensor of logits; the same object if `training` does so too.
        output_weights: of each output's loss; their sum is 1.
    """

    training: keras.Model
    inference: keras.Model
    output_weights: tuple[float, ...]


def build_networks(config: ModelConfig, seed: int | None = None) -> Networks:
    """Build the network that `config` describes."""
    network = build_network(config, seed)
    return Networks(network, network, (1.0,))
