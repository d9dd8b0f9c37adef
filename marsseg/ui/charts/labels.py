"""Which points of a scatter carry a label: as many as can without covering one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""

_LETTER = 6.2
_LINE = 15.0
_MARK = 8.0
# Where the box's upper left corner stands from the point, in widths and heights of the box, and marks.
_PLACES = {
    "top center": (-0.5, -1.0, 0.0, -1.0),
    "bottom center": (-0.5, 0.0, 0.0, 1.0),
    "middle right": (0.0, -0.5, 1.0, 0.0),
    "middle left": (-1.0, -0.5, -1.0, 0.0),
}


def place_labels(
    points: Sequence[tuple[float, float]],
    labels: Sequence[str],
    size: tuple[float, float],
    order: Iterable[int],
) -> dict[int, str]:
    """Plotly's `textposition` for the points whose label finds room, by index.

    Args:
        points: x and y in pixels from the upper left corner of the plot.
        labels: one a point.
        size: width and height of the plot in pixels; a guess that is too small only leaves labels out.
        order: indices, those that most deserve a label first.
    """
    taken = [_mark(x, y) for x, y in points]
    placed: dict[int, str] = {}
    for index in order:
        for place in _PLACES:
            box = _box(points[index], labels[index], place)
            if _is_inside(box, size) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                placed[index] = place
                break
    return placed


def _mark(x: float, y: float) -> Box:
    """A little smaller than drawn, so that a label may touch the mark that it names."""
    return x - _MARK + 1, y - _MARK + 1, x + _MARK - 1, y + _MARK - 1


def _box(point: tuple[float, float], label: str, place: str) -> Box:
    width, height = _LETTER * len(label), _LINE
    across, down, marks_across, marks_down = _PLACES[place]
    left = point[0] + across * width + marks_across * _MARK
    top = point[1] + down * height + marks_down * _MARK
    return left, top, left + width, top + height


def _is_inside(box: Box, size: tuple[float, float]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
