"""Charts with one bar a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from marsseg.classes import CLASSES
from marsseg.ui import formats
from marsseg.ui.charts.base import GRAY, known, new_figure, row_labels

_NAMES = [terrain.name for terrain in CLASSES]
_COLORS = [terrain.color for terrain in CLASSES]


def class_share_chart(after: Sequence[float], before: Sequence[float] | None = None) -> go.Figure:
    """Share of each class in the pixels, as bars in class colours; `before` as hatched bars behind.

    Args:
        after: five shares, 0–1.
        before: five shares before cleaning, 0–1.
    """
    figure = _class_figure("Share of each class in the pixels", rows=1 if before is None else 2)
    if before is not None:
        figure.add_trace(_share_bars(before, "before", hatched=True))
    figure.add_trace(_share_bars(after, "share" if before is None else "after cleaning", hatched=False))
    figure.update_layout(showlegend=False, barmode="group", bargap=0.28, bargroupgap=0.08)
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    _room_for_labels(figure)
    return figure


def class_weight_chart(weights: Sequence[float]) -> go.Figure:
    """The weight of each class in the loss, as bars in class colours.

    Args:
        weights: five weights, at least 0.
    """
    figure = _class_figure("Weight of each class in the loss", rows=1)
    labels = [formats.UNKNOWN if v is None else f"{v:.3g}" for v in known(weights)]
    figure.add_trace(_bars(weights, labels, name="weight", hover="%{y}: %{text}<extra></extra>"))
    figure.update_layout(showlegend=False, bargap=0.3)
    figure.update_xaxes(rangemode="tozero")
    _room_for_labels(figure)
    return figure


def _class_figure(description: str, *, rows: int) -> go.Figure:
    figure = new_figure(height=60 + 5 * (18 + 14 * rows), description=description)
    figure.update_yaxes(**row_labels(_NAMES))
    return figure


def _share_bars(shares: Sequence[float], name: str, *, hatched: bool) -> go.Bar:
    labels = [f"{formats.percent(v)}{' ' + name if hatched else ''}" for v in known(shares)]
    return _bars(shares, labels, name=name, hatched=hatched, hover=f"{name}: %{{text}}<extra></extra>")


def _bars(
    values: Sequence[float], labels: list[str], *, name: str, hover: str, hatched: bool = False
) -> go.Bar:
    marker: dict[str, Any] = {"color": _COLORS, "line": {"color": GRAY, "width": 1}}
    if hatched:
        marker["pattern"] = {"shape": "/", "fillmode": "overlay", "size": 5, "solidity": 0.35}
        marker["opacity"] = 0.45
    return go.Bar(
        x=known(values),
        y=list(range(len(CLASSES))),
        orientation="h",
        name=name,
        marker=marker,
        text=labels,
        textposition="outside",
        cliponaxis=False,
        hovertemplate=hover,
    )


def _room_for_labels(figure: go.Figure) -> None:
    """Leave room at the right of each bar; a character takes up to 2 % of the width of a narrow window."""
    bars = [bar for trace in figure.data for bar in zip(trace.x, trace.text, strict=True)]
    ends = [value * (1.08 + 0.02 * len(label)) for value, label in bars if value is not None]
    figure.update_xaxes(range=[0, max(ends, default=0.0) or 1.0])
