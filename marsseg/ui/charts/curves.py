"""What a run measured epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from marsseg.classes import N_CLASSES, TERRAIN_CLASSES
from marsseg.ui.charts.base import ACCENT, CLEAR, GRAY, SLATE, known, new_figure

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross")
_HEIGHT = 280


def loss_chart(
    epochs: Sequence[int], loss: Sequence[float | None], val_loss: Sequence[float | None]
) -> go.Figure:
    """Training and validation loss by epoch."""
    figure = new_figure(
        height=_HEIGHT, description="Training and validation loss by epoch", hovermode="x unified"
    )
    figure.add_trace(_line(epochs, val_loss, "validation", hover="%{y:.4f}"))
    figure.add_trace(_line(epochs, loss, "training", dash="dot", hover="%{y:.4f}"))
    _epoch_axis(figure, epochs)
    figure.update_yaxes(title="loss", rangemode="tozero")
    return figure


def iou_chart(
    epochs: Sequence[int],
    class_iou: ArrayLike,
    mean_iou: Sequence[float | None],
    *,
    best_epoch: int | None = None,
) -> go.Figure:
    """Validation IoU of each terrain class and their mean, by epoch.

    Args:
        epochs: E epoch numbers.
        class_iou: (E, 5) IoU of all classes, background first; NaN where a class does not count.
        mean_iou: E terrain mean IoU values.
        best_epoch: marked by a vertical line, if known.
    """
    per_class = np.asarray(class_iou, dtype=np.float64).reshape(len(epochs), N_CLASSES)
    figure = new_figure(height=_HEIGHT + 40, description="Validation IoU by epoch", hovermode="x unified")
    for terrain in TERRAIN_CLASSES:
        values = per_class[:, terrain.index].tolist()
        figure.add_trace(_outline(epochs, values))
        trace = _line(epochs, values, terrain.name, dash=_DASHES[terrain.index], hover="%{y:.3f}")
        trace.line.color = terrain.color
        trace.marker.symbol = _SYMBOLS[terrain.index]
        figure.add_trace(trace)
    mean = _line(epochs, mean_iou, "terrain mean", hover="%{y:.3f}")
    mean.line.update(width=4, color=SLATE)
    figure.add_trace(mean)
    if best_epoch is not None:
        figure.add_vline(x=best_epoch, line={"color": GRAY, "dash": "dot"}, annotation_text="best")
    _epoch_axis(figure, epochs)
    figure.update_yaxes(title="IoU", range=[0, 1])
    return figure


def learning_rate_chart(epochs: Sequence[int], learning_rate: Sequence[float | None]) -> go.Figure:
    """Learning rate by epoch: it changes in steps, so it is drawn in steps, on a logarithmic scale."""
    figure = new_figure(height=180, description="Learning rate by epoch", showlegend=False)
    figure.add_trace(_line(epochs, learning_rate, "learning rate", hover="epoch %{x}: %{y:.2e}", shape="hv"))
    _epoch_axis(figure, epochs)
    rates = sorted({rate for rate in known(learning_rate) if rate})
    figure.update_yaxes(
        title="learning rate", type="log", tickvals=rates, ticktext=[f"{rate:.3g}" for rate in rates]
    )
    return figure


def sparkline(values: Sequence[float | None], *, height: int = 48) -> go.Figure:
    """A small line without axes; the last known value is a dot."""
    figure = new_figure(height=height, description="Trend", showlegend=False)
    points = known(values)
    figure.add_trace(_line(list(range(1, len(points) + 1)), points, "value", hover="%{x}: %{y:.3f}"))
    last = next((i for i in reversed(range(len(points))) if points[i] is not None), None)
    if last is not None:
        figure.add_trace(
            go.Scatter(
                x=[last + 1],
                y=[points[last]],
                mode="markers",
                marker={"size": 7, "color": ACCENT},
                hoverinfo="skip",
            )
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(margin={"l": 2, "r": 6, "t": 4, "b": 4})
    return figure


def _line(
    epochs: Sequence[int],
    values: Iterable[float | None],
    name: str,
    *,
    hover: str,
    dash: str = "solid",
    shape: str = "linear",
) -> go.Scatter:
    """A line with gaps where nothing is known; few points also show as markers, else one is invisible."""
    points = known(values)
    few = sum(point is not None for point in points) <= 30
    return go.Scatter(
        x=list(epochs),
        y=points,
        name=name,
        mode="lines+markers" if few else "lines",
        line={"width": 2, "dash": dash, "shape": shape},
        marker={"size": 6},
        connectgaps=False,
        hovertemplate=hover,
    )


def _outline(epochs: Sequence[int], values: Iterable[float | None]) -> go.Scatter:
    """A gray edge under a class's line: sand yellow alone is lost on a light page."""
    return go.Scatter(
        x=list(epochs),
        y=known(values),
        mode="lines",
        line={"width": 4, "color": GRAY},
        connectgaps=False,
        hoverinfo="skip",
        showlegend=False,
    )


def _epoch_axis(figure: go.Figure, epochs: Sequence[int]) -> None:
    figure.update_xaxes(title="epoch", tickformat="d", showgrid=False, spikecolor=CLEAR)
    if len(epochs) <= 10:
        figure.update_xaxes(dtick=1)
