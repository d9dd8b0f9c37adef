"""The receptive field: which input rows reach a row of logits, followed back through a network.

Only rows are followed: kernels, windows and factors are square. A span is the first and last row of features
that some rows depend on; branches give the span that holds all of theirs.
"""

from __future__ import annotations

from marsseg.classes import TILE_HEIGHT
from marsseg.config.anatomy import (
    ATROUS_RATES,
    DENSE_LAYERS,
    RESNET_UNITS,
    deepest,
    has_pyramid,
    low_level,
    pooling_windows,
)
from marsseg.config.model import ModelConfig

Span = tuple[int, int]


def receptive_field(config: ModelConfig) -> int:
    """Widest span of input rows behind a row of logits, over all places within the coarsest pooling cell."""
    widths = (last - first + 1 for first, last in (_from_logits(config, row) for row in range(TILE_HEIGHT)))
    return max(widths)


def summarises_tile(config: ModelConfig) -> bool:
    """Whether every logit also depends on means over the whole tile, however far away."""
    squeezes = config.squeeze_excite and config.se_kind != "spatial"
    return squeezes or has_pyramid(config) or config.normalization == "group"


def _from_logits(config: ModelConfig, row: int) -> Span:
    span = (row, row)
    if config.architecture == "unet":
        return _through_unet(config, 1, span)
    if config.architecture == "unet3plus":
        return _through_unet3plus(config, 1, span)
    return _through_deeplab(config, span)


def _through_unet(config: ModelConfig, level: int, span: Span) -> Span:
    if level == deepest(config):
        return _through_bottleneck(config, span)
    first, last = _widen(span, 2)
    below = (first // 2, last // 2)  # an up-convolution looks at one coarser pixel
    return _hull(_through_encoder(config, level, (first, last)), _through_unet(config, level + 1, below))


def _through_unet3plus(config: ModelConfig, level: int, span: Span) -> Span:
    if level == deepest(config):
        return _through_bottleneck(config, span)
    span = _widen(span, 2 + 1)  # the block, and the convolution of each branch
    spans = []
    for source in range(1, level + 1):
        first, last = (edge << (level - source) for edge in span)
        spans.append(_through_encoder(config, source, (first, last + (1 << (level - source)) - 1)))
    for source in range(level + 1, deepest(config) + 1):
        spans.append(_through_unet3plus(config, source, _interpolated(span, 1 << (source - level))))
    return _hull(*spans)


def _through_deeplab(config: ModelConfig, span: Span) -> Span:
    level = low_level(config)
    span = _widen(_interpolated(span, 1 << (level - 1)), 2)
    below = _interpolated(span, 1 << (deepest(config) - level))
    pyramid = _through_encoder(config, deepest(config), _widen(below, max(ATROUS_RATES)))
    return _hull(_through_encoder(config, level, span), pyramid)


def _through_bottleneck(config: ModelConfig, span: Span) -> Span:
    """Back through the pyramid, if there is one, and the whole encoder."""
    if config.bottleneck == "aspp":
        span = _widen(span, max(ATROUS_RATES))
    elif config.bottleneck == "pyramid_pooling":
        span = _hull(span, *(_pooled(span, window) for window in pooling_windows(config)))
    return _through_encoder(config, deepest(config), span)


def _through_encoder(config: ModelConfig, level: int, span: Span) -> Span:
    convolutions = {"plain": 2, "resnet": 2 * RESNET_UNITS, "densenet": DENSE_LAYERS}[config.encoder]
    first, last = _widen(span, convolutions)
    if level == 1:
        return first, last
    return _through_encoder(config, level - 1, (2 * first, 2 * last + 1))


def _widen(span: Span, radius: int) -> Span:
    return span[0] - radius, span[1] + radius


def _interpolated(span: Span, factor: int) -> Span:
    """Coarse rows that bilinear upsampling by an even factor mixes: those on both sides of a fine row."""
    if factor == 1:
        return span
    first, last = ((2 * edge + 1 - factor) // (2 * factor) for edge in span)
    return first, last + 1


def _pooled(span: Span, window: int) -> Span:
    first, last = _interpolated(span, window)
    return first * window, last * window + window - 1


def _hull(*spans: Span) -> Span:
    return min(first for first, _ in spans), max(last for _, last in spans)
