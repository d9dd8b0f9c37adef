"""The network as a drawing that follows the toggles: a U of blocks with their channels and sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from marsseg.classes import CLASSES, TILE_HEIGHT, TILE_WIDTH
from marsseg.config import ModelConfig
from marsseg.config.describe import format_value
from marsseg.config.sizing import LevelSize, network_size
from marsseg.ui import formats, svg, text

_ASSETS = Path(__file__).parent / "assets"
_WIDTH = 440
_BLOCK_WIDTH = 92
_BLOCK_HEIGHT = 38
_ROW = 68
_TOP = 46
_KEY_ROW = 21
_INSET = 100  # how far the lowest encoder block stands from the left edge
_GATES = {"gated": "g", "attention": "α", "sigmoid_only": "σ"}
_GATE_WORDS = {
    "gated": "gated skip: σ(conv(e + d)) turns the encoder's features up and down",
    "attention": "attention gate: the decoder weighs the encoder's features by place",
    "sigmoid_only": "sigmoid only: the gate's map is passed on, not the features",
}


@dataclass(frozen=True, slots=True)
class _Box:
    """A block's place; x and y of its upper left corner."""

    size: LevelSize
    x: float
    y: float

    @property
    def right(self) -> float:
        return self.x + _BLOCK_WIDTH

    @property
    def bottom(self) -> float:
        return self.y + _BLOCK_HEIGHT

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + _BLOCK_WIDTH / 2, self.y + _BLOCK_HEIGHT / 2


def render_diagram(config: ModelConfig, *, key: str = "diagram") -> None:
    """Show the network's drawing as wide as its container, in the page's colours."""
    _component()(data={"svg": network_svg(config)}, key=key)


def network_svg(config: ModelConfig, height: int = TILE_HEIGHT, width: int = TILE_WIDTH) -> str:
    """The network as an SVG document drawn in `currentColor`, marks in `--st-primary-color`.

    Args:
        config: the network.
        height: rows of the tile whose sizes are written into the blocks.
        width: columns of that tile.
    """
    boxes = _place(config, height, width)
    encoder, bottleneck, decoder = boxes[: config.depth], boxes[config.depth], boxes[config.depth + 1 :]
    legend = _legend(config, bottleneck.bottom + 36)
    total = bottleneck.bottom + 24 + _KEY_ROW * len(legend)
    parts = [_ends(encoder[0], decoder[-1], height, width)]
    as_high = {box.size.height: box for box in encoder}
    parts += [_skip(config, as_high[d.size.height], d) for d in reversed(decoder)]
    parts += [_down(a, b) for a, b in zip(encoder, [*encoder[1:], bottleneck], strict=True)]
    parts += [_up(a, b) for a, b in zip([bottleneck, *decoder], decoder, strict=False)]
    parts += [_block(config, box) for box in boxes]
    parts += legend
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {total:.0f}" role="img" '
        f'font-size="12" fill="currentColor"><title>{text.markup(_title(config))}</title>'
        f"{''.join(parts)}</svg>"
    )


def _place(config: ModelConfig, height: int, width: int) -> list[_Box]:
    """Encoder down the left, bottleneck in the middle, decoder up the right."""
    levels = [level for level in network_size(config, height, width).levels if level.name != "head"]
    step = _INSET / max(1, config.depth - 1)
    boxes = []
    for place, level in enumerate(levels):
        depth = (height // level.height).bit_length() - 1  # DeepLabV3+ leaves decoder levels out
        if depth == config.depth:
            x = (_WIDTH - _BLOCK_WIDTH) / 2
        else:
            x = 4 + depth * step
            x = x if place < config.depth else _WIDTH - _BLOCK_WIDTH - x
        boxes.append(_Box(level, x, _TOP + depth * _ROW))
    return boxes


def _block(config: ModelConfig, box: _Box) -> str:
    size = box.size
    words = (
        f"{size.name.replace('_', ' ')}: {size.channels} channels of {size.height}×{size.width}, "
        f"{formats.compact(size.parameters)} parameters"
    )
    x, y = box.middle
    parts = [
        f"<title>{text.markup(words)}</title>",
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{_BLOCK_WIDTH}" height="{_BLOCK_HEIGHT}" rx="5" '
        'fill="currentColor" fill-opacity="0.07" stroke="currentColor" stroke-opacity="0.55"/>',
        svg.label(x, y - 3, f"{size.channels} ch", weight=600),
        svg.label(x, y + 12, f"{size.height}×{size.width}", opacity=0.75, size=11),
    ]
    if config.residual:
        parts.append(_shortcut(box))
    if config.squeeze_excite:
        parts.append(svg.badge(box.right - 12, box.bottom, "SE"))
    return f"<g>{''.join(parts)}</g>"


def _shortcut(box: _Box) -> str:
    """The arc of a residual connection over its block."""
    left, right = box.x + 16, box.right - 16
    return svg.arc(left, right, box.y, 15) + svg.arrow_head(right, box.y, "down", accent=True)


def _skip(config: ModelConfig, encoder: _Box, decoder: _Box) -> str:
    """What an encoder level passes to the decoder level of the same size, with its gate."""
    y = encoder.middle[1]
    arrow = svg.line(f"M{encoder.right:.1f} {y:.1f} H{decoder.x - 5:.1f}", dashed=True)
    arrow += svg.arrow_head(decoder.x, y, "right")
    if config.skip_gate == "none":
        return arrow
    return arrow + svg.badge((encoder.right + decoder.x) / 2, y, _GATES[config.skip_gate])


def _down(upper: _Box, lower: _Box) -> str:
    """From a level to the half as large one below: down, then into its left side or top."""
    x = max(upper.x + 24, min(upper.middle[0], lower.x - 14))
    if x < lower.x - 6:
        path = f"M{x:.1f} {upper.bottom:.1f} V{lower.middle[1]:.1f} H{lower.x - 5:.1f}"
        return svg.line(path) + svg.arrow_head(lower.x, lower.middle[1], "right")
    x = min(upper.right - 16, lower.middle[0])
    return svg.line(f"M{x:.1f} {upper.bottom:.1f} V{lower.y - 5:.1f}") + svg.arrow_head(x, lower.y, "down")


def _up(lower: _Box, upper: _Box) -> str:
    """From a level to the twice as large one above: out of its right side or top, then up."""
    x = min(upper.right - 24, max(upper.middle[0], lower.right + 14))
    if x > lower.right + 6:
        path = f"M{lower.right:.1f} {lower.middle[1]:.1f} H{x:.1f} V{upper.bottom + 5:.1f}"
    else:
        x = max(upper.x + 16, lower.middle[0])
        path = f"M{x:.1f} {lower.y:.1f} V{upper.bottom + 5:.1f}"
    return svg.line(path) + svg.arrow_head(x, upper.bottom, "up")


def _ends(first: _Box, last: _Box, height: int, width: int) -> str:
    """What goes in and what comes out."""
    squares = "".join(
        f'<rect x="{last.x + 4 + 12 * terrain.index:.1f}" y="3" width="9" height="9" rx="1.5" '
        f'fill="{terrain.color}" stroke="currentColor" stroke-opacity="0.4" stroke-width="0.5"/>'
        for terrain in CLASSES
    )
    x_in, x_out = first.x + 6, last.right - 6
    return (
        svg.label(first.x, 12, f"image {height}×{width}", anchor="start", opacity=0.75)
        + svg.line(f"M{x_in:.1f} 19 V{first.y - 5:.1f}")
        + svg.arrow_head(x_in, first.y, "down")
        + squares
        + svg.label(last.x + 68, 12, "logits", anchor="start", opacity=0.75)
        + svg.line(f"M{x_out:.1f} {last.y:.1f} V21")
        + svg.arrow_head(x_out, 16, "up")
    )


def _legend(config: ModelConfig, top: float) -> list[str]:
    """The key: what a block is made of, and each mark that the drawing holds."""
    dropout = f", dropout {config.dropout:g}" if config.dropout else ""
    lines = [svg.label(4, top, f"block: 2 × ({_block_words(config)}){dropout}", anchor="start", opacity=0.8)]
    marks: list[tuple[str, str]] = []
    if config.residual:
        marks.append(("", "residual connection"))
    if config.squeeze_excite:
        marks.append(("SE", f"Squeeze-and-Excitation, ratio {config.se_ratio}"))
    if config.skip_gate != "none":
        marks.append((_GATES[config.skip_gate], _GATE_WORDS[config.skip_gate]))
    for place, (letters, words) in enumerate(marks, start=1):
        y = top + place * _KEY_ROW
        mark = svg.badge(17, y - 4, letters) if letters else svg.arc(6, 28, y, 13)
        lines.append(mark + svg.label(38, y, words, anchor="start", opacity=0.8))
    return lines


def _block_words(config: ModelConfig) -> str:
    norm = {"batch": ", batch norm", "group": f", group norm in {config.groups}", "none": ""}
    activation = format_value(config.activation)
    slope = f" {config.leaky_slope:g}" if config.activation == "leaky_relu" else ""
    return f"3×3 convolution{norm[config.normalization]}, {activation}{slope}"


def _title(config: ModelConfig) -> str:
    return (
        f"U-Net of {config.depth} levels from {config.filters} channels"
        f"{', residual' if config.residual else ''}"
        f"{', Squeeze-and-Excitation' if config.squeeze_excite else ''}"
        f"{'' if config.skip_gate == 'none' else f', skip gate {format_value(config.skip_gate)}'}"
    )


@cache
def _component() -> Any:
    return st.components.v2.component(
        "marsseg_diagram",
        html='<div class="diagram"></div>',
        css=(_ASSETS / "diagram.css").read_text("utf-8"),
        js=(_ASSETS / "diagram.js").read_text("utf-8"),
    )
