"""Runs beside one another, a row each: differences to a baseline with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from marsseg.ui import formats, text
from marsseg.ui.charts.base import known, new_figure, row_labels, zero_line

_ROW = 26
_AROUND = 96
"""Pixels for the axis, its title and the margins."""
_WHISKER = "rgb(128, 120, 112)"
_HOVER = "%{customdata}<extra></extra>"


@dataclass(frozen=True, slots=True)
class Interval:
    """One row of a comparison: a value with its interval; None where unknown.

    Args:
        label: a run's name, as typed.
        value: a difference of scores (0–1 scale).
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of repeats behind it.
        emphasis: drawn in the accent colour, e.g. the baseline or a difference clear of zero.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    emphasis: bool = True


def forest_plot(rows: Sequence[Interval], *, baseline: str) -> go.Figure:
    """Differences to the baseline in points, with intervals and a line at zero: a forest plot."""
    figure = _row_figure(rows, f"Difference of each run to {text.chart_label(baseline)}, in points")
    figure.add_shape(zero_line("x"))
    figure.add_trace(
        go.Scatter(
            x=[None if v is None else v * 100 for v in known(row.value for row in rows)],
            y=list(range(len(rows))),
            mode="markers",
            error_x=_whiskers(rows, 100.0),
            marker={"size": 10, "symbol": ["circle" if row.emphasis else "circle-open" for row in rows]},
            customdata=[_difference_hover(row) for row in rows],
            hovertemplate=_HOVER,
        )
    )
    figure.update_xaxes(title="Δ points of mean IoU", tickformat="~g")
    return figure


def _row_figure(rows: Sequence[Interval], description: str) -> go.Figure:
    figure = new_figure(height=_AROUND + _ROW * max(1, len(rows)), description=description, showlegend=False)
    figure.update_yaxes(**row_labels([row.label for row in rows]))
    for place, row in enumerate(rows):
        if not formats.is_known(row.value):
            figure.add_annotation(
                xref="paper", x=0, xanchor="left", y=place, text=formats.UNKNOWN, showarrow=False
            )
    return figure


def _whiskers(rows: Sequence[Interval], scale: float) -> dict[str, object]:
    """Distances from value to interval ends; none where an end is unknown."""
    above: list[float | None] = []
    below: list[float | None] = []
    for row in rows:
        value, low, high = known([row.value, row.low, row.high])
        if value is None or low is None or high is None:
            above.append(None)
            below.append(None)
        else:
            above.append((high - value) * scale)
            below.append((value - low) * scale)
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": _WHISKER,
        "thickness": 2,
        "width": 5,
    }


def _difference_hover(row: Interval) -> str:
    low, high = known([row.low, row.high])
    between = (
        ""
        if low is None or high is None
        else (f"<br>{formats.signed(low * 100)} to {formats.signed(high * 100)}")
    )
    return f"{text.chart_label(row.label)}<br>{formats.points(row.value)}{between}{_repeats(row)}"


def _repeats(row: Interval) -> str:
    return "" if row.n is None else f"<br>n = {row.n}"
