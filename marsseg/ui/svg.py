"""Small pieces of SVG in the page's own colours: `currentColor`, and the accent for marks."""

from __future__ import annotations

from typing import Literal

from marsseg.classes import CLASSES
from marsseg.ui import text

Kind = Literal["label", "main", "detail"]

ACCENT = "var(--st-primary-color, currentColor)"
GROUND = "var(--st-background-color, white)"

_ANGLES = {"right": 0, "down": 90, "left": 180, "up": 270}


def label(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "middle",
    opacity: float = 1.0,
    weight: int = 400,
    size: float = 12,
    kind: Kind = "label",
) -> str:
    """A line of text; `words` may hold anything, as it is escaped.

    Args:
        kind: its class in style sheets, by which a small drawing leaves out details.
    """
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" '
        f'font-weight="{weight}" fill-opacity="{opacity:g}">{text.markup(words)}</text>'
    )


def line(path: str, *, dashed: bool = False) -> str:
    """A thin line along a path."""
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity="0.65"{dashes}/>'


def arc(left: float, right: float, y: float, rise: float) -> str:
    """An arc in the accent colour from (left, y) over and down to (right, y)."""
    top = y - rise
    path = f"M{left:.1f} {y:.1f} C{left:.1f} {top:.1f} {right:.1f} {top:.1f} {right:.1f} {y:.1f}"
    return f'<path d="{path}" fill="none" style="stroke:{ACCENT}" stroke-width="1.5"/>'


def arrow_head(x: float, y: float, direction: str, *, accent: bool = False) -> str:
    """A filled tip at (x, y) that points "right", "down", "left" or "up"."""
    color = f'style="fill:{ACCENT}"' if accent else 'fill-opacity="0.75"'
    turn = f"translate({x:.1f} {y:.1f}) rotate({_ANGLES[direction]})"
    return f'<path d="M0 0 L-6 -3.2 V3.2 Z" transform="{turn}" {color}/>'


def dot(x: float, y: float) -> str:
    """A dot at (x, y), where lines join."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="currentColor"/>'


def classes_strip(x: float, y: float, height: float) -> str:
    """The colours of the classes from top to bottom, 6 wide."""
    each = height / len(CLASSES)
    colors = "".join(
        f'<rect x="{x:.1f}" y="{y + each * terrain.index:.1f}" width="6" height="{each:.1f}" '
        f'fill="{terrain.color}"/>'
        for terrain in CLASSES
    )
    frame = f'<rect x="{x:.1f}" y="{y:.1f}" width="6" height="{height:.1f}" fill="none" '
    return f'{colors}{frame}stroke="currentColor" stroke-opacity="0.4" stroke-width="0.5"/>'


def badge_width(letters: str) -> float:
    """How wide a badge of these letters is."""
    return 12 + 6.5 * len(letters)


def badge(x: float, y: float, letters: str) -> str:
    """Letters in a rounded mark of the accent colour, centred at (x, y)."""
    width = badge_width(letters)
    return (
        f'<g class="badge"><rect x="{x - width / 2:.1f}" y="{y - 8.5:.1f}" width="{width:.1f}" '
        f'height="17" rx="8.5" style="fill:{GROUND};stroke:{ACCENT}" stroke-width="1.3"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11" font-weight="600" '
        f'style="fill:{ACCENT}">{text.markup(letters)}</text></g>'
    )
