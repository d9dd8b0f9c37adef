"""Counts the levels of an encoder and what the deepest adds, as `marsseg.training` builds them."""

from __future__ import annotations

from collections.abc import Callable

from marsseg.config.model import ModelConfig
from marsseg.config.shapes import (
    ATROUS_RATES,
    DENSE_LAYERS,
    RESIDUAL_UNITS,
    deepest_filters,
    level_filters,
    pyramid_windows,
)
from marsseg.config.sizing.features import Features, joined
from marsseg.config.sizing.tally import LevelSize, Tally


def count_encoder(config: ModelConfig, x: Features) -> tuple[list[Features], list[LevelSize]]:
    """Features and sizes of each level, the deepest, with its pyramid, last."""
    features, sizes = [], []
    for level in range(1, config.depth + 2):
        deepest = level == config.depth + 1
        tally = Tally(config, level)
        x = _count_level(tally, x)
        if deepest:
            x = _count_pyramid(tally, x)
        features.append(x)
        sizes.append(tally.level_size("bottleneck" if deepest else f"encoder_{level}", x))
        x = x if deepest else x.pooled(2)
    return features, sizes


def _count_level(tally: Tally, x: Features) -> Features:
    kinds: dict[str, Callable[[Tally, Features, int], Features]] = {
        "plain": Tally.double_conv,
        "resnet": _residual_level,
        "densenet": _dense_level,
    }
    return kinds[tally.config.encoder](tally, x, level_filters(tally.config, tally.level))


def _residual_level(tally: Tally, x: Features, filters: int) -> Features:
    for unit in range(RESIDUAL_UNITS):
        y = tally.normalize(x) if unit else x
        y = tally.conv_norm(y, filters, 3)
        y = tally.conv(y, filters, 3, bias=tally.config.normalization == "none")
        x = tally.add(x, tally.squeeze_excite(y))
    return tally.normalize(x)


def _dense_level(tally: Tally, x: Features, filters: int) -> Features:
    for _ in range(DENSE_LAYERS):
        x = joined(x, tally.conv_norm(x, tally.config.filters, 3))
    return tally.squeeze_excite(tally.conv_norm(x, filters, 1))


def _count_pyramid(tally: Tally, x: Features) -> Features:
    if tally.config.architecture == "deeplabv3plus" or tally.config.bottleneck == "aspp":
        return _atrous_pyramid(tally, x)
    return _pooling_pyramid(tally, x) if tally.config.bottleneck == "pyramid_pooling" else x


def _atrous_pyramid(tally: Tally, x: Features) -> Features:
    filters = deepest_filters(tally.config) // 2
    branches = [tally.conv_norm(x, filters, 1)]
    branches += [tally.conv_norm(x, filters, 3, rate) for rate in ATROUS_RATES]
    branches.append(_mean_of_tile(tally, x, filters))
    return tally.conv_norm(joined(*branches), x.channels, 1)


def _pooling_pyramid(tally: Tally, x: Features) -> Features:
    filters = deepest_filters(tally.config) // 4
    branches = [x]
    for edge in pyramid_windows(tally.config):
        branches.append(tally.conv(x.pooled(edge), filters, 1).resized(x))
    branches.append(_mean_of_tile(tally, x, filters))
    return tally.conv_norm(joined(*branches), x.channels, 1)


def _mean_of_tile(tally: Tally, x: Features, filters: int) -> Features:
    """A summary of the whole tile, which the receptive field leaves out."""
    tally.dense(x.channels, filters)
    return x.convolved(filters, 1)
