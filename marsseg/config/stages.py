"""What each stage of a network is made of, counted."""

from __future__ import annotations

from marsseg.config.anatomy import (
    ATROUS_RATES,
    DENSE_LAYERS,
    RESNET_UNITS,
    deepest,
    filters_at,
    low_level,
    pooling_windows,
    pyramid_filters,
)
from marsseg.config.tally import Tally


def count_encoder(tally: Tally, level: int) -> None:
    """One level of the configured encoder."""
    channels = 1 if level == 1 else filters_at(tally.config, level - 1)
    filters = filters_at(tally.config, level)
    if tally.config.encoder == "plain":
        tally.double_conv(channels, filters, level)
    elif tally.config.encoder == "resnet":
        _resnet_level(tally, channels, filters, level)
    else:
        _densenet_level(tally, channels, filters, level)


def count_pyramid(tally: Tally) -> int:
    """What follows the deepest encoder level; returns the channels that it gives."""
    config = tally.config
    filters = filters_at(config, deepest(config))
    if config.architecture == "deeplabv3plus":
        given = filters_at(config, low_level(config))
        _atrous_pyramid(tally, filters, given)
        return given
    if config.bottleneck == "aspp":
        _atrous_pyramid(tally, filters, filters)
    elif config.bottleneck == "pyramid_pooling":
        _pooling_pyramid(tally, filters)
    return filters


def count_decoder(tally: Tally, level: int) -> int:
    """One decoder level of the configured architecture; returns the channels that it gives."""
    count = {"unet": _unet_level, "unet3plus": _unet3plus_level, "deeplabv3plus": _deeplab_level}
    return count[tally.config.architecture](tally, level)


def _resnet_level(tally: Tally, channels: int, filters: int, level: int) -> None:
    for unit in range(RESNET_UNITS):
        given = filters if unit else channels
        tally.conv_norm(given, filters, 3)
        tally.unnormalized_conv(filters, filters, 3)
        tally.squeeze_excite(filters, level)
        if given != filters:
            tally.unnormalized_conv(given, filters, 1)
        tally.norm(filters)


def _densenet_level(tally: Tally, channels: int, filters: int, level: int) -> None:
    growth = tally.config.filters
    for layer in range(DENSE_LAYERS):
        tally.conv_norm(channels + layer * growth, growth, 3)
    tally.conv_norm(channels + DENSE_LAYERS * growth, filters, 1)
    tally.squeeze_excite(filters, level)


def _atrous_pyramid(tally: Tally, channels: int, filters: int) -> None:
    inner = pyramid_filters(tally.config)
    tally.conv_norm(channels, inner, 1)
    for _ in ATROUS_RATES:
        tally.conv_norm(channels, inner, 3)
    tally.dense(channels, inner)  # of the tile's mean
    tally.conv_norm((2 + len(ATROUS_RATES)) * inner, filters, 1)


def _pooling_pyramid(tally: Tally, channels: int) -> None:
    inner, windows = pyramid_filters(tally.config), pooling_windows(tally.config)
    for window in windows:
        tally.conv(channels, inner, 1, window=window)
    tally.dense(channels, inner)  # of the tile's mean
    tally.conv_norm(channels + (1 + len(windows)) * inner, channels, 1)


def _unet_level(tally: Tally, level: int) -> int:
    filters = filters_at(tally.config, level)
    tally.up_conv(2 * filters, filters)
    tally.gate(filters, filters)
    tally.double_conv(2 * filters, filters, level)
    return filters


def _unet3plus_level(tally: Tally, level: int) -> int:
    config, budget = tally.config, tally.config.filters
    for source in range(1, level + 1):
        tally.conv_norm(filters_at(config, source), budget, 3)
    for source in range(level + 1, deepest(config) + 1):
        decoded = source < deepest(config)
        tally.conv_norm(budget if decoded else filters_at(config, source), budget, 3)
    tally.gate(budget, budget)
    tally.double_conv(deepest(config) * budget, budget, level)
    return budget


def _deeplab_level(tally: Tally, level: int) -> int:
    config = tally.config
    filters = filters_at(config, level)
    tally.conv_norm(filters, config.filters, 1)
    tally.gate(config.filters, filters)
    tally.double_conv(config.filters + filters, filters, level)
    return filters
