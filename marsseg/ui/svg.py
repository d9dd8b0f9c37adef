"""Small pieces of SVG in the page's own colours: `currentColor`, and the accent for marks."""

from __future__ import annotations

from marsseg.ui import text

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
) -> str:
    """A line of text; `words` may hold anything, as it is escaped."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" '
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


def badge(x: float, y: float, letters: str) -> str:
    """Letters in a rounded mark of the accent colour, centred at (x, y)."""
    half = 7 + 3 * len(letters)
    return (
        f'<rect x="{x - half:.1f}" y="{y - 8.5:.1f}" width="{2 * half}" height="17" rx="8.5" '
        f'style="fill:{GROUND};stroke:{ACCENT}" stroke-width="1.3"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11" font-weight="600" '
        f'style="fill:{ACCENT}">{text.markup(letters)}</text>'
    )
