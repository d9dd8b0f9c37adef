"""Networks for terrain segmentation: encoder, pyramid, decoder, head."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from marsseg.classes import N_CLASSES
from marsseg.config import ModelConfig
from marsseg.training.blocks import Blocks
from marsseg.training.decoders import Decoded, decode
from marsseg.training.encoders import encode
from marsseg.training.keras_layers import ResizeTo, Tensor
from marsseg.training.pyramids import build_pyramid


@dataclass(frozen=True, slots=True)
class Networks:
    """One network as it is trained and as it is used; both have the same layers and weights.

    Args:
        training: gives a list of logits (B, H, W, 5) with deep supervision, the finished network's first,
            then those of coarser levels. Without, it is `inference` itself.
        inference: has one output and nothing that only training needs.
        output_weights: of each training output's loss; they sum to 1.
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
    """Build the network that `config` describes, with deep supervision's further outputs while training.

    Seeds are drawn for these last: with and without them, a seed gives the same network.

    Args:
        config: as for `build_network`.
        seed: as for `build_network`.
    """
    blocks = Blocks(config, seed)
    image = keras.Input((None, None, 1), name="image")
    encoded = encode(image, blocks)
    encoded[-1] = build_pyramid(blocks)(encoded[-1])
    finest, *coarser = decode(encoded, blocks)
    logits = _head(finest, image, blocks)
    inference = keras.Model(image, logits, name=config.architecture)
    if not config.deep_supervision:
        return Networks(inference, inference, (1.0,))
    outputs = [logits, *(_head(decoded, image, blocks, f"_{decoded.level}") for decoded in coarser)]
    training = keras.Model(image, outputs, name=f"{config.architecture}_training")
    return Networks(training, inference, _output_weights(len(outputs), config.supervision_decay))


def _output_weights(outputs: int, decay: float) -> tuple[float, ...]:
    """1, decay, decay², … scaled to sum to 1."""
    weights = [decay**place for place in range(outputs)]
    return tuple(weight / sum(weights) for weight in weights)


def _head(decoded: Decoded, image: Tensor, blocks: Blocks, suffix: str = "") -> Tensor:
    """Five logits a pixel of the image, in float32 whatever precision the network computes in."""
    logits = blocks.conv(N_CLASSES, 1, f"head{suffix}")(decoded.features)
    if decoded.level > 1:
        logits = ResizeTo(dtype="float32", name=f"head{suffix}_up")([logits, image])
    return layers.Activation("linear", dtype="float32", name=f"logits{suffix}")(logits)
