"""The network as a drawing that follows the toggles: a U of blocks with their channels and sizes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from marsseg.classes import TILE_HEIGHT, TILE_WIDTH
from marsseg.config import ModelConfig
from marsseg.config.describe import format_value
from marsseg.ui import formats, svg, text
from marsseg.ui.diagram_key import EXCITATIONS, decoder_mark, encoder_mark, key_entries
from marsseg.ui.diagram_layout import BLOCK_HEIGHT, BLOCK_WIDTH, PYRAMID, WIDTH, Box, Layout, lay_out
from marsseg.ui.diagram_lines import connections, ends, leaves_left

_ASSETS = Path(__file__).parent / "assets"


def render_diagram(config: ModelConfig, *, key: str = "diagram") -> None:
    """Show the network's drawing as wide as its container, in the page's colours, and its key."""
    entries = [{"mark": entry.picture(), "words": entry.words} for entry in key_entries(config)]
    _component()(data={"svg": network_svg(config), "key": entries}, key=key)


def network_svg(config: ModelConfig, height: int = TILE_HEIGHT, width: int = TILE_WIDTH) -> str:
    """The network as an SVG document drawn in `currentColor`, marks in `--st-primary-color`.

    Args:
        config: the network.
        height: rows of the tile whose sizes are written into the blocks.
        width: columns of that tile.
    """
    layout = lay_out(config, height, width)
    parts = [ends(layout, height, width), *connections(config, layout)]
    parts += [_block(config, layout, box) for box in layout.boxes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {layout.bottom + 14:.0f}" role="img" '
        f'font-size="12" fill="currentColor"><title>{text.markup(_title(config))}</title>'
        f"{''.join(parts)}</svg>"
    )


def _block(config: ModelConfig, layout: Layout, box: Box) -> str:
    parts = [
        f"<title>{text.markup(_words(box))}</title>",
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{BLOCK_WIDTH}" height="{BLOCK_HEIGHT}" rx="5" '
        'fill="currentColor" fill-opacity="0.07" stroke="currentColor" stroke-opacity="0.55"/>',
        _inscription(config, box),
    ]
    if box.name != PYRAMID:
        mark = decoder_mark if box in layout.decoder else encoder_mark
        parts.append(mark(config, box.x + 16, box.right - 16, box.y))
    if box.excited:
        letters = EXCITATIONS[config.se_kind]
        parts.append(svg.badge(_badge_x(config, layout, box, letters), box.bottom + 5, letters))
    if box.predicts:
        parts.append(svg.classes_strip(box.right - 9, box.y + 3, BLOCK_HEIGHT - 6))
    return f"<g>{''.join(parts)}</g>"


def _inscription(config: ModelConfig, box: Box) -> str:
    """Two lines in a block; where there is little room, the second is left out."""
    x, y = box.middle
    channels = f"{box.channels} ch"
    lines = (channels, f"{box.size.height}×{box.size.width}")
    if box.name == PYRAMID:
        is_pooling = config.bottleneck == "pyramid_pooling" and config.architecture != "deeplabv3plus"
        lines = ("pooling" if is_pooling else "ASPP", channels)
    return svg.label(x, y - 3, lines[0], weight=600, kind="main") + svg.label(
        x, y + 12, lines[1], opacity=0.75, size=11, kind="detail"
    )


def _badge_x(config: ModelConfig, layout: Layout, box: Box, letters: str) -> float:
    """The middle of a mark at the lower edge of a block, on the side where no line comes or goes."""
    half = svg.badge_width(letters) / 2
    left, right = box.x + half - 3, box.right - half + 3
    if box in layout.decoder:
        upwards = [layout.lowest[-1], *layout.decoder]
        below = upwards[upwards.index(box) - 1]
        is_left = config.architecture == "unet3plus" or not leaves_left(box, below)
    elif box is layout.encoder[-1]:
        is_left = False
    else:
        is_left = not leaves_left(box, layout.encoder[box.level])
    return left if is_left else right


def _words(box: Box) -> str:
    """What a block says when someone points at it."""
    size = box.size
    name = "pyramid at the bottleneck" if box.name == PYRAMID else size.name.replace("_", " ")
    count = "" if box.name == PYRAMID else f", {formats.compact(size.parameters)} parameters"
    return f"{name}: {box.channels} channels of {size.height}×{size.width}{count}"


def _title(config: ModelConfig) -> str:
    encoder = "" if config.encoder == "plain" else f" with a {format_value(config.encoder)} encoder"
    return (
        f"{format_value(config.architecture)}{encoder}"
        f" of {config.depth} levels from {config.filters} channels"
        f"{', residual' if config.residual else ''}"
        f"{', Squeeze-and-Excitation' if config.squeeze_excite else ''}"
        f"{'' if config.skip_gate == 'none' else f', skip gate {format_value(config.skip_gate)}'}"
        f"{', deep supervision' if config.deep_supervision else ''}"
    )


@cache
def _component() -> Any:
    return st.components.v2.component(
        "marsseg_diagram",
        html='<div class="diagram"><div class="drawing"></div><ul class="key"></ul></div>',
        css=(_ASSETS / "diagram.css").read_text("utf-8"),
        js=(_ASSETS / "diagram.js").read_text("utf-8"),
    )
