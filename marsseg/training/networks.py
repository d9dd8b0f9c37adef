"""Networks for terrain segmentation: encoder, bottleneck, decoder, heads."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from marsseg.classes import N_CLASSES
from marsseg.config import ModelConfig
from marsseg.config.anatomy import decoder_levels
from marsseg.training.blocks import Blocks
from marsseg.training.custom_layers import Tensor
from marsseg.training.decoders import DECODERS
from marsseg.training.encoders import encode


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


def build_network(config: ModelConfig, seed: int | None = None) -> keras.Model:
    """Build the network that `config` describes, as it is used.

    Args:
        config: architecture, encoder, depth, filters and toggles.
        seed: draws the initial weights and dropout masks: same seed, same numbers; None leaves that to
            `keras.utils.set_random_seed`.

    Returns:
        A functional model from `image` (B, H, W, 1), standardised, H and W multiples of 2^depth, to
        `logits` (B, H, W, 5), float32 and linear. `marsseg.config.sizing.network_size` gives its size.
    """
    return build_networks(config, seed).inference


def build_networks(config: ModelConfig, seed: int | None = None) -> Networks:
    """Build the network that `config` describes, as it is trained and as it is used.

    With deep supervision (Lee 2015) the trained one gives logits (B, H, W, 5) of coarser features too; the
    loss of each weighs `supervision_decay` times that of the next finer one. A U-Net supervises its decoder
    levels, and is left with one output at depth 1; DeepLabV3+ supervises its atrous pyramid.

    Args:
        config: architecture, encoder, depth, filters and toggles.
        seed: as for `build_network`.
    """
    blocks = Blocks(config, seed)
    image = keras.Input((None, None, 1), name="image")
    decoded = DECODERS[config.architecture](encode(image, blocks), blocks)
    main, *coarser = decoded.items()
    logits = _main_head(main[1], image, blocks)
    inference = keras.Model(image, logits, name=config.architecture)
    if not config.deep_supervision or not coarser:
        return Networks(inference, inference, (1.0,))
    outputs = [logits, *(_coarse_head(x, image, blocks, name) for name, x in coarser)]
    training = keras.Model(image, outputs, name=f"{config.architecture}_supervised")
    return Networks(training, inference, _output_weights(len(outputs), config.supervision_decay))


def _main_head(x: Tensor, image: Tensor, blocks: Blocks) -> Tensor:
    """Five logits a pixel, in float32 whatever precision the network computes in."""
    logits = blocks.conv(N_CLASSES, 1, "head")(x)
    if decoder_levels(blocks.config)[-1] > 1:
        logits = blocks.resize(logits, image, "head_resize", dtype="float32")
    return layers.Activation("linear", dtype="float32", name="logits")(logits)


def _coarse_head(x: Tensor, image: Tensor, blocks: Blocks, name: str) -> Tensor:
    logits = blocks.conv(N_CLASSES, 1, f"{name}_head")(x)
    return blocks.resize(logits, image, f"{name}_logits", dtype="float32")


def _output_weights(count: int, decay: float) -> tuple[float, ...]:
    weights = [decay**place for place in range(count)]
    return tuple(weight / sum(weights) for weight in weights)
