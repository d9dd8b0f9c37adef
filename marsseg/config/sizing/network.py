"""Counts a whole network, from the image to the logits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from marsseg.classes import N_CLASSES, TILE_HEIGHT, TILE_WIDTH
from marsseg.config.model import ModelConfig
from marsseg.config.sizing.decoders import count_decoder
from marsseg.config.sizing.encoders import count_encoder
from marsseg.config.sizing.features import image
from marsseg.config.sizing.tally import LevelSize, Tally


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """What a network costs and sees.

    Args:
        parameters: trainable and not, as Keras' `count_params` gives them.
        multiply_adds: for one tile, of convolutions and dense layers; the rest is a few per cent.
        receptive_field: edge of the square of input pixels, at most, that one logit depends on by way of
            convolutions, pooling and upsampling. Squeeze-and-Excitation, group normalisation and a pyramid's
            mean over the tile add a summary of the whole tile.
        levels: the stages, in order.
    """

    parameters: int
    multiply_adds: int
    receptive_field: int
    levels: tuple[LevelSize, ...]


@lru_cache(maxsize=1024)
def network_size(config: ModelConfig, height: int = TILE_HEIGHT, width: int = TILE_WIDTH) -> NetworkSize:
    """Count what `marsseg.training.networks.build_network` would build.

    Deep supervision's further outputs are left out: the finished network has none.

    Args:
        config: the network.
        height: rows of a tile, a multiple of 2^depth.
        width: columns of a tile, a multiple of 2^depth.
    """
    source = image(height, width, config.depth)
    encoded, encoder = count_encoder(config, source)
    decoded, decoder = count_decoder(config, encoded)
    tally = Tally(config, 1)
    logits = tally.conv(decoded, N_CLASSES, 1)
    if logits.height < height:
        logits = logits.resized(source)
    levels = (*encoder, *decoder, tally.level_size("head", logits))
    return NetworkSize(
        parameters=sum(level.parameters for level in levels),
        multiply_adds=sum(level.multiply_adds for level in levels),
        receptive_field=logits.receptive_field,
        levels=levels,
    )
