"""Networks for terrain segmentation: encoder, bottleneck, decoder, heads."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from marsseg.classes import N_CLASSES
from marsseg.config import ModelConfig
from marsseg.config.anatomy import decoder_levels, output_weights, supervised_stages
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

    With deep supervision (Lee 2015) the trained one gives logits (B, H, W, 5) of coarser features too, those
    of `supervised_stages`. Seeds are drawn for their heads last: with and without them, the network in use
    starts from the same numbers.

    Args:
        config: architecture, encoder, depth, filters and toggles.
        seed: as for `build_network`.
    """
    blocks = Blocks(config, seed)
    image = keras.Input((None, None, 1), name="image")
    decoded = DECODERS[config.architecture](encode(image, blocks), blocks)
    main, *coarser = supervised_stages(config)
    logits = _main_head(decoded[main], image, blocks)
    inference = keras.Model(image, logits, name=config.architecture)
    if not coarser:
        return Networks(inference, inference, (1.0,))
    outputs = [logits, *(_coarse_head(decoded[name], image, blocks, name) for name in coarser)]
    training = keras.Model(image, outputs, name=f"{config.architecture}_supervised")
    return Networks(training, inference, output_weights(config))


def _main_head(x: Tensor, image: Tensor, blocks: Blocks) -> Tensor:
    """Five logits a pixel, in float32 whatever precision the network computes in."""
    logits = blocks.conv(N_CLASSES, 1, "head")(x)
    if decoder_levels(blocks.config)[-1] > 1:
        logits = blocks.resize(logits, image, "head_resize", dtype="float32")
    return layers.Activation("linear", dtype="float32", name="logits")(logits)


def _coarse_head(x: Tensor, image: Tensor, blocks: Blocks, name: str) -> Tensor:
    logits = blocks.conv(N_CLASSES, 1, f"{name}_head")(x)
    return blocks.resize(logits, image, f"{name}_logits", dtype="float32")
