"""The lines of a network's drawing: what goes from block to block, and what goes in and comes out."""

from __future__ import annotations

from marsseg.classes import CLASSES
from marsseg.config import ModelConfig
from marsseg.ui import svg
from marsseg.ui.diagram_layout import Box, Layout, places_of_branches

GATES = {"gated": "g", "attention": "α", "sigmoid_only": "σ"}
_TIP = 5  # an arrow's line ends within its head


def connections(config: ModelConfig, layout: Layout) -> list[str]:
    """All lines between blocks."""
    parts = [_down(a, b) for a, b in zip(layout.encoder[:-1], layout.encoder[1:], strict=True)]
    parts += [_into_pyramid(a, b) for a, b in zip(layout.lowest[:-1], layout.lowest[1:], strict=True)]
    if config.architecture == "unet3plus":
        return parts + _all_scales(config, layout)
    decoder = layout.decoder
    parts += [_skip(config, layout.encoder[box.level - 1], box) for box in decoder]
    parts += [_up(a, b) for a, b in zip((layout.lowest[-1], *decoder), decoder, strict=False)]
    if config.architecture == "deeplabv3plus":
        (upper,), lower = decoder, layout.lowest[-1]
        parts.append(_times(1 << (lower.level - upper.level), _up_x(lower, upper) + 6, upper.bottom + 20))
    return parts


def ends(layout: Layout, height: int, width: int) -> str:
    """What goes in and what comes out."""
    first, last = layout.encoder[0], layout.decoder[-1]
    x_in, x_out = first.x + 6, last.right - 6
    enlarged = _times(1 << (last.level - 1), x_out + 6, last.y - 14) if last.level > 1 else ""
    return (
        svg.label(first.x, 12, f"image {height}×{width}", anchor="start", opacity=0.75)
        + svg.line(f"M{x_in:.1f} 19 V{first.y - _TIP:.1f}")
        + svg.arrow_head(x_in, first.y, "down")
        + swatches(last.x + 4, 3)
        + svg.label(last.x + 68, 12, "logits", anchor="start", opacity=0.75, kind="detail")
        + svg.line(f"M{x_out:.1f} {last.y:.1f} V21")
        + svg.arrow_head(x_out, 16, "up")
        + enlarged
    )


def swatches(x: float, y: float) -> str:
    """The five classes in a row: logits."""
    return "".join(
        f'<rect x="{x + 12 * terrain.index:.1f}" y="{y:.1f}" width="9" height="9" rx="1.5" '
        f'fill="{terrain.color}" stroke="currentColor" stroke-opacity="0.4" stroke-width="0.5"/>'
        for terrain in CLASSES
    )


def leaves_left(upper: Box, lower: Box) -> bool:
    """Whether the line between two levels meets the upper block left of its middle."""
    from_encoder = lower.x > upper.x
    return (_down_x(upper, lower) if from_encoder else _up_x(lower, upper)) < upper.middle[0]


def _skip(config: ModelConfig, encoder: Box, decoder: Box, gate_x: float | None = None) -> str:
    """What an encoder level passes to the decoder level of the same size, with its gate."""
    y = encoder.middle[1]
    arrow = svg.line(f"M{encoder.right:.1f} {y:.1f} H{decoder.x - _TIP:.1f}", dashed=True)
    arrow += svg.arrow_head(decoder.x, y, "right")
    if config.skip_gate == "none":
        return arrow
    return arrow + svg.badge(gate_x or (encoder.right + decoder.x) / 2, y, GATES[config.skip_gate])


def _down_x(upper: Box, lower: Box) -> float:
    x = max(upper.x + 24, min(upper.middle[0], lower.x - 14))
    return x if x < lower.x - 6 else min(upper.right - 16, lower.middle[0])


def _down(upper: Box, lower: Box) -> str:
    """From a level to the half as large one below: down, then into its left side or top."""
    x = _down_x(upper, lower)
    if x < lower.x - 6:
        path = f"M{x:.1f} {upper.bottom:.1f} V{lower.middle[1]:.1f} H{lower.x - _TIP:.1f}"
        return svg.line(path) + svg.arrow_head(lower.x, lower.middle[1], "right")
    return svg.line(f"M{x:.1f} {upper.bottom:.1f} V{lower.y - _TIP:.1f}") + svg.arrow_head(x, lower.y, "down")


def _up_x(lower: Box, upper: Box) -> float:
    x = min(upper.right - 24, max(upper.middle[0], lower.right + 14))
    return x if x > lower.right + 6 else max(upper.x + 16, lower.middle[0])


def _up(lower: Box, upper: Box) -> str:
    """From a level to a larger one above: out of its right side or top, then up."""
    x = _up_x(lower, upper)
    if x > lower.right + 6:
        path = f"M{lower.right:.1f} {lower.middle[1]:.1f} H{x:.1f} V{upper.bottom + _TIP:.1f}"
    else:
        path = f"M{x:.1f} {lower.y:.1f} V{upper.bottom + _TIP:.1f}"
    return svg.line(path) + svg.arrow_head(x, upper.bottom, "up")


def _into_pyramid(bottleneck: Box, pyramid: Box) -> str:
    x = bottleneck.middle[0]
    line = svg.line(f"M{x:.1f} {bottleneck.bottom:.1f} V{pyramid.y - _TIP:.1f}")
    return line + svg.arrow_head(x, pyramid.y, "down")


def _all_scales(config: ModelConfig, layout: Layout) -> list[str]:
    """UNet 3+: a line from each level, and a dot wherever it joins a decoder level."""
    branches = places_of_branches(layout)
    after = [layout.decoder[-1].x - 12, *branches, layout.encoder[-2].right]
    parts = []
    for decoder in layout.decoder:  # its gate acts after its own features have branched off
        gate_x = (after[decoder.level - 1] + after[decoder.level]) / 2
        parts.append(_skip(config, layout.encoder[decoder.level - 1], decoder, gate_x))
    parts += [_branch(layout, level, x) for level, x in enumerate(branches, start=1)]
    parts += [_bus(layout, decoder) for decoder in layout.decoder]
    return parts + [_feed(layout, source) for source in (layout.lowest[-1], *layout.decoder[:-1])]


def _branch(layout: Layout, level: int, x: float) -> str:
    """The features of an encoder level, pooled, to each lower decoder level."""
    rows = [box.middle[1] for box in layout.encoder[level - 1 : -1]]
    return svg.line(f"M{x:.1f} {rows[0]:.1f} V{rows[-1]:.1f}", dashed=True) + "".join(
        svg.dot(x, y) for y in rows[1:]
    )


def bus_x(layout: Layout, decoder: Box) -> float:
    """Where coarser levels come up to a decoder level of a UNet 3+."""
    return decoder.right - min(24.0, layout.step / 2)


def _bus(layout: Layout, decoder: Box) -> str:
    """The line by which all coarser levels come up to this one, enlarged."""
    x, start = bus_x(layout, decoder), layout.lowest[-1].middle[1]
    line = svg.line(f"M{x:.1f} {start:.1f} V{decoder.bottom + _TIP:.1f}")
    return line + svg.arrow_head(x, decoder.bottom, "up")


def _feed(layout: Layout, source: Box) -> str:
    """From the right side of a level to the line of each finer one."""
    x_of = [bus_x(layout, box) for box in layout.decoder if box.level < source.level]
    y = source.middle[1]
    return svg.line(f"M{source.right:.1f} {y:.1f} H{x_of[-1]:.1f}") + "".join(svg.dot(x, y) for x in x_of)


def _times(factor: int, x: float, y: float) -> str:
    return svg.label(x, y, f"×{factor}", anchor="start", opacity=0.75, size=11)
