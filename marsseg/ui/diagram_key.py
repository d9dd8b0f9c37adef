"""The key to a network's drawing: what its blocks are made of, and what each mark means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marsseg.config import ModelConfig
from marsseg.config.anatomy import (
    ATROUS_RATES,
    DENSE_LAYERS,
    RESNET_UNITS,
    drop_path_rate,
    has_pyramid,
    output_weights,
    pooling_windows,
)
from marsseg.config.describe import format_value
from marsseg.ui import svg
from marsseg.ui.diagram_lines import GATES

EXCITATIONS = {"channel": "SE", "spatial": "sSE", "both": "scSE"}
_EXCITATION_WORDS = {
    "channel": "Squeeze-and-Excitation: a weight for each channel",
    "spatial": "spatial excitation: a weight for each pixel",
    "both": "excitation by channel and by pixel, the larger of both",
}
_GATE_WORDS = {
    "gated": "gated skip: σ(conv(e + d)) turns the encoder's features up and down",
    "attention": "attention gate: the decoder weighs the encoder's features by place",
    "sigmoid_only": "sigmoid only: the gate's map is passed on, not the features",
}
_MARK_WIDTH, _MARK_HEIGHT = 40, 20


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A line of the key.

    Args:
        mark: SVG elements within 40×20 as in the drawing; empty for a line about all blocks.
        words: what it means.
    """

    mark: str
    words: str

    def picture(self) -> str:
        """The mark as an SVG document; empty if there is none."""
        if not self.mark:
            return ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_MARK_WIDTH} {_MARK_HEIGHT}" '
            f'width="{_MARK_WIDTH}" height="{_MARK_HEIGHT}" aria-hidden="true" font-size="12" '
            f'fill="currentColor">{self.mark}</svg>'
        )


def key_entries(config: ModelConfig) -> list[KeyEntry]:
    """The key, with nothing in it that the drawing does not hold."""
    return [*_blocks(config), *_within_blocks(config), *_between_blocks(config)]


def encoder_mark(config: ModelConfig, left: float, right: float, y: float) -> str:
    """What stands over an encoder block: nothing, or the connections that it has within."""
    if config.encoder == "resnet":
        middle = (left + right) / 2
        return "".join(_shortcut(a, b, y, 12) for a, b in ((left, middle - 2), (middle + 2, right)))
    if config.encoder == "densenet":
        ends = [left + (right - left) * share for share in (0.4, 0.7, 1.0)]
        return "".join(_shortcut(left, end, y, 7 + 4 * place) for place, end in enumerate(ends))
    return decoder_mark(config, left, right, y)


def decoder_mark(config: ModelConfig, left: float, right: float, y: float) -> str:
    """What stands over a decoder block: nothing, or the residual connection over it."""
    return _shortcut(left, right, y, 15) if config.residual else ""


def _shortcut(left: float, right: float, y: float, rise: float) -> str:
    return svg.arc(left, right, y, rise) + svg.arrow_head(right, y, "down", accent=True)


def _blocks(config: ModelConfig) -> Iterator[KeyEntry]:
    dropout = f", dropout {config.dropout:g}" if config.dropout else ""
    usual = f"2 × ({_convolution_words(config)}){dropout}"
    if config.encoder == "plain":
        yield KeyEntry("", f"block: {usual}")
        return
    words = {
        "resnet": f"encoder block: {RESNET_UNITS} residual units of two 3×3 convolutions each, pre-activated",
        "densenet": f"encoder block: {DENSE_LAYERS} convolutions to {config.filters} channels, each of which "
        "sees all before it, then 1×1",
    }
    yield KeyEntry(encoder_mark(config, 4, 36, 18), words[config.encoder] + dropout)
    yield KeyEntry("", f"decoder block: {usual}")


def _within_blocks(config: ModelConfig) -> Iterator[KeyEntry]:
    if config.residual:
        yield KeyEntry(decoder_mark(config, 8, 32, 17), "residual connection")
    if config.drop_path and (config.residual or config.encoder == "resnet"):
        yield KeyEntry("", _drop_path_words(config))
    if config.squeeze_excite:
        ratio = "" if config.se_kind == "spatial" else f", ratio {config.se_ratio}"
        words = _EXCITATION_WORDS[config.se_kind] + ratio
        yield KeyEntry(svg.badge(20, 10, EXCITATIONS[config.se_kind]), words)
    if weights := output_weights(config)[1:]:
        listed = ", ".join(f"{weight:.2g}" for weight in weights)
        words = f"predicts a mask too while training; weight of its loss {listed}, finest first"
        yield KeyEntry(
            svg.classes_strip(17, 1, 18), words if weights[1:] else words.removesuffix(", finest first")
        )


def _between_blocks(config: ModelConfig) -> Iterator[KeyEntry]:
    if has_pyramid(config):
        is_pooling = config.bottleneck == "pyramid_pooling" and config.architecture != "deeplabv3plus"
        yield KeyEntry("", _pooling_words(config) if is_pooling else _atrous_words())
    if config.architecture == "unet3plus":
        words = "joins a decoder block: finer levels pooled, coarser ones enlarged"
        yield KeyEntry(svg.line("M6 10 H34") + svg.dot(20, 10), words)
    if config.skip_gate != "none":
        yield KeyEntry(svg.badge(20, 10, GATES[config.skip_gate]), _GATE_WORDS[config.skip_gate])


def _drop_path_words(config: ModelConfig) -> str:
    first, last = drop_path_rate(config, 1), config.drop_path
    return f"drop path: {first:.1%} of tiles skip a branch at level 1, {last:.1%} at the bottleneck"


def _atrous_words() -> str:
    rates = ", ".join(map(str, ATROUS_RATES))
    return f"ASPP: 1×1 and 3×3 convolutions at rates {rates}, and the tile's mean"


def _pooling_words(config: ModelConfig) -> str:
    windows = " and ".join(f"{edge}×{edge}" for edge in pooling_windows(config))
    return f"pooling: means over windows of {windows} pixels and over the tile"


def _convolution_words(config: ModelConfig) -> str:
    norm = {"batch": ", batch norm", "group": f", group norm in {config.groups}", "none": ""}
    activation = format_value(config.activation)
    slope = f" {config.leaky_slope:g}" if config.activation == "leaky_relu" else ""
    return f"3×3 convolution{norm[config.normalization]}, {activation}{slope}"
