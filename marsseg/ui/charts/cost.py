"""What a better score costs: a plane of score and cost with a mark a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from marsseg.ui import formats, text
from marsseg.ui.charts.base import known, new_figure
from marsseg.ui.charts.labels import place_labels

_HEIGHT = 360
_PLOT = (340.0, 270.0)
"""Pixels that the plot has at least where two charts stand side by side."""
_LABEL_LETTERS = 26
_FEW = 12
"""Up to this many points all may have a label."""


@dataclass(frozen=True, slots=True)
class CostPoint:
    """One run in the plane of cost and score; unknown values leave it out.

    Args:
        label: a run's name, as typed.
        cost: e.g. parameters; above 0.
        score: 0 to 1.
        emphasis: drawn as a star, e.g. the baseline.
    """

    label: str
    cost: float | None
    score: float | None
    emphasis: bool = False


def cost_chart(
    rows: Sequence[CostPoint], *, cost_name: str, score_name: str = "mean IoU", logarithmic: bool = False
) -> go.Figure:
    """Score against cost, a mark a run; labels where there is room, the most telling ones first."""
    figure = new_figure(height=_HEIGHT, description=f"{score_name} against {cost_name}", showlegend=False)
    points = [row for row in rows if _is_drawn(row)]
    scale = math.log10 if logarithmic else float
    across = _padded([scale(_number(row.cost)) for row in points], least=0.05 if logarithmic else 1.0)
    up = _padded([_number(row.score) for row in points], least=0.02)
    shown = [text.shorten(row.label, _LABEL_LETTERS) for row in points]
    spots = [
        (
            _PLOT[0] * (scale(_number(row.cost)) - across[0]) / (across[1] - across[0]),
            _PLOT[1] * (up[1] - _number(row.score)) / (up[1] - up[0]),
        )
        for row in points
    ]
    places = place_labels(spots, shown, _PLOT, _by_interest(points))
    figure.add_trace(
        go.Scatter(
            x=known(row.cost for row in points),
            y=known(row.score for row in points),
            mode="markers+text",
            text=[text.chart_label(words) if i in places else "" for i, words in enumerate(shown)],
            textposition=[places.get(i, "top center") for i in range(len(points))],
            cliponaxis=False,
            marker={
                "opacity": 1,
                "size": [14 if row.emphasis else 10 for row in points],
                "symbol": ["star" if row.emphasis else "circle" for row in points],
            },
            customdata=[f"{text.chart_label(row.label)}<br>{formats.score(row.score)}" for row in points],
            hovertemplate="%{customdata}, " + f"{cost_name} %{{x:,.3s}}<extra></extra>",
        )
    )
    ticks = _ticks(*(10**end if logarithmic else end for end in across))
    figure.update_xaxes(title=cost_name, type="log" if logarithmic else "linear", range=list(across))
    figure.update_xaxes(tickvals=ticks, ticktext=[formats.compact(tick) for tick in ticks])
    low, high = max(0.0, up[0]), min(1.0, up[1])
    figure.update_yaxes(title=score_name, range=[low, high], tickformat=".2f")
    figure.update_yaxes(tickvals=_even_ticks(low, high, most=6, least_step=0.01))
    return figure


def _is_drawn(row: CostPoint) -> bool:
    return formats.is_known(row.cost) and formats.is_known(row.score) and _number(row.cost) > 0


def _number(value: float | None) -> float:
    return 0.0 if value is None else float(value)


def _padded(values: Sequence[float], *, least: float) -> tuple[float, float]:
    """The range of the values with room around it for marks and labels."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(0.22 * (high - low), least)
    return low - room, high + room


def _by_interest(points: Sequence[CostPoint]) -> list[int]:
    """The starred ones, then those that no cheaper run reaches, and then, where they are few, the rest."""
    best_first = sorted(range(len(points)), key=lambda i: -_number(points[i].score))

    def is_worth_it(i: int) -> bool:
        cost, score = _number(points[i].cost), _number(points[i].score)
        return not any(_number(p.cost) <= cost and _number(p.score) > score for p in points)

    telling = [i for i in best_first if points[i].emphasis or is_worth_it(i)]
    telling.sort(key=lambda i: not points[i].emphasis)
    return telling + ([i for i in best_first if i not in telling] if len(points) <= _FEW else [])


def _ticks(low: float, high: float) -> list[float]:
    """Some round numbers within the range: even steps, or 1, 2, 5 over wide ranges."""
    low = max(low, 0.0)
    if low and high / low > 8:
        steps = [m * 10.0**e for e in range(-3, 13) for m in ((1, 2, 5) if high / low < 300 else (1,))]
        return [step for step in steps if low <= step <= high]
    return _even_ticks(low, high, most=8)


def _even_ticks(low: float, high: float, *, most: int, least_step: float = 0.0) -> list[float]:
    """Multiples of a round step of at least `least_step`; about `most` at most."""
    rough = max((high - low) / most, least_step)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
