"""Encoders: each level maps what comes from above, pooled, to its own number of channels."""

from __future__ import annotations

from collections.abc import Callable

from keras import layers

from marsseg.config.anatomy import DENSE_LAYERS, RESNET_UNITS, deepest, filters_at, level_name
from marsseg.training.blocks import Blocks
from marsseg.training.custom_layers import Tensor

Level = Callable[[Tensor, Blocks, int], Tensor]


def encode(image: Tensor, blocks: Blocks) -> list[Tensor]:
    """Halve the image `depth` times.

    Args:
        image: (B, H, W, 1).
        blocks: build the levels; their configuration names the encoder.

    Returns:
        What levels 1 … depth + 1 give, (B, H / 2^(level - 1), W / 2^(level - 1), filters · 2^(level - 1)),
        normalised and activated.
    """
    config = blocks.config
    build_level = LEVELS[config.encoder]
    features = [build_level(image, blocks, 1)]
    for level in range(2, deepest(config) + 1):
        pool = layers.MaxPooling2D(name=f"{level_name(config, level - 1)}_pool")
        features.append(build_level(pool(features[-1]), blocks, level))
    return features


def plain_level(x: Tensor, blocks: Blocks, level: int) -> Tensor:
    """Two convolutions, with the toggles of `double_conv` (Ronneberger 2015)."""
    config = blocks.config
    return blocks.double_conv(filters_at(config, level), level_name(config, level), level)(x)


def resnet_level(x: Tensor, blocks: Blocks, level: int) -> Tensor:
    """Residual units with full pre-activation (He 2016, "Identity mappings").

    What a level gives is activated, so it is the first unit's pre-activation below; that unit changes the
    channels, and takes its shortcut from the activated features as He 2016 does.
    """
    name = level_name(blocks.config, level)
    activated = x
    for unit in range(1, RESNET_UNITS + 1):
        x = _residual_unit(x, activated, blocks, f"{name}_unit_{unit}", level)
        activated = blocks.activate(f"{name}_unit_{unit}_act")(
            blocks.normalize(f"{name}_unit_{unit}_norm")(x)
        )
    return blocks.drop(f"{name}_dropout")(activated)


def densenet_level(x: Tensor, blocks: Blocks, level: int) -> Tensor:
    """Layers of `filters` channels that see all earlier ones of their level, and a transition (Huang 2017).

    Each convolution is followed by its normalisation and nonlinearity, as everywhere else in these networks,
    which spares normalising the growing stack anew for every layer.
    """
    config, name = blocks.config, level_name(blocks.config, level)
    for layer in range(1, DENSE_LAYERS + 1):
        grown = blocks.conv_norm_act(config.filters, 3, f"{name}_layer_{layer}")(x)
        x = layers.Concatenate(name=f"{name}_stack_{layer}")([x, grown])
    filters = filters_at(config, level)
    x = blocks.conv_norm(filters, 1, f"{name}_transition")(x)
    x = blocks.squeeze_excite(filters, f"{name}_se", level)(x)
    x = blocks.activate(f"{name}_act")(x)
    return blocks.drop(f"{name}_dropout")(x)


def _residual_unit(x: Tensor, activated: Tensor, blocks: Blocks, name: str, level: int) -> Tensor:
    filters = filters_at(blocks.config, level)
    y = blocks.conv_norm_act(filters, 3, f"{name}_conv_1")(activated)
    y = blocks.conv(filters, 3, f"{name}_conv_2", bias=blocks.has_bias)(y)
    y = blocks.squeeze_excite(filters, f"{name}_se", level)(y)
    y = blocks.drop_path(f"{name}_drop_path", level)(y)
    if x.shape[-1] != filters:
        x = blocks.conv(filters, 1, f"{name}_shortcut", bias=blocks.has_bias)(activated)
    return layers.Add(name=f"{name}_residual")([x, y])


LEVELS: dict[str, Level] = {"plain": plain_level, "resnet": resnet_level, "densenet": densenet_level}
