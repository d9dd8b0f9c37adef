"""What a run measured epoch by epoch, in charts that take new epochs in without being drawn anew.

They are Vega-Lite and not Plotly: Streamlit replaces a Plotly chart whose data changed, which blinks and
loses its zoom, but hands new rows to a Vega chart as long as its specification stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from marsseg.classes import BACKGROUND, N_CLASSES, TERRAIN_CLASSES
from marsseg.ui.charts.base import ACCENT, GRAY, SLATE, known

MEAN = "terrain mean"
_HEIGHT = 280
_LEGEND_COLUMNS = 3
"""So few that their names are whole on a phone."""
_MANY = 30
"""Epochs beyond which points would hide the line."""
_WORD_WIDTH = 40
_DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (8, 3), (2, 3), (8, 3, 2, 3), (12, 4))
_ZOOM = {
    "name": "zoom",
    "bind": "scales",
    # A plain wheel must scroll the page.
    "select": {"type": "interval", "encodings": ["x"], "zoom": "wheel![event.shiftKey]"},
}


@dataclass(frozen=True, slots=True)
class Curve:
    """A Vega-Lite specification that does not depend on the data, and the data.

    Args:
        spec: marks, scales and axes.
        columns: values by field name; None where nothing is known, which leaves a gap.
        description: what the chart shows, for people who cannot see it.
    """

    spec: Mapping[str, Any]
    columns: Mapping[str, list[Any]]
    description: str


@dataclass(frozen=True, slots=True)
class _Series:
    """One line of a chart: its name in the legend, and how it looks."""

    name: str
    values: Sequence[float | None]
    color: str
    dash: tuple[int, ...] = (1, 0)


def render_curve(curve: Curve, key: str) -> None:
    """Show a curve as wide as its container, in the page's theme."""
    st.vega_lite_chart(
        dict(curve.columns),
        dict(curve.spec),
        key=key,
        width="stretch",
        theme="streamlit",
        alt=curve.description,
    )


def loss_chart(
    epochs: Sequence[int], loss: Sequence[float | None], val_loss: Sequence[float | None]
) -> Curve:
    """Training and validation loss by epoch."""
    series = [_Series("validation", val_loss, ACCENT), _Series("training", loss, SLATE, dash=(2, 3))]
    value = {"title": "loss", "scale": {"zero": True}}
    layers = _layers(series, value, ".4f", few=len(epochs) <= _MANY)
    return Curve(_spec(layers), _columns(epochs, series), "Training and validation loss by epoch")


def iou_chart(
    epochs: Sequence[int],
    class_iou: ArrayLike,
    mean_iou: Sequence[float | None],
    *,
    best_epoch: int | None = None,
) -> Curve:
    """Validation IoU of each terrain class and their mean, by epoch.

    Args:
        epochs: E epoch numbers.
        class_iou: (E, 5) IoU of all classes, background first; NaN where a class does not count.
        mean_iou: E terrain mean IoU values.
        best_epoch: marked by a vertical line, if known.
    """
    per_class = np.asarray(class_iou, dtype=np.float64).reshape(len(epochs), N_CLASSES)
    series = [
        _Series(
            terrain.name,
            per_class[:, terrain.index].tolist(),
            terrain.color,
            _DASHES[terrain.index],
        )
        for terrain in TERRAIN_CLASSES
    ]
    series.append(_Series(MEAN, mean_iou, SLATE))
    value = {"title": "IoU", "scale": {"domain": [0, 1]}}
    # Sand yellow alone would be lost on a light page, and the mean is what runs are chosen by.
    below = [_under([terrain.name for terrain in TERRAIN_CLASSES], GRAY), _under([MEAN], SLATE)]
    above = [] if best_epoch is None else _marked(best_epoch, "best")
    layers = [*below, *_layers(series, value, ".3f", few=len(epochs) <= _MANY), *above]
    return Curve(_spec(layers, _HEIGHT + 60), _columns(epochs, series), "Validation IoU by epoch")


def background_iou_chart(
    epochs: Sequence[int], iou: Sequence[float | None], *, best_epoch: int | None = None
) -> Curve:
    """Validation IoU of background by epoch: what a first stage is chosen by."""
    series = [_Series(BACKGROUND.name, iou, SLATE)]
    value = {"title": "IoU", "scale": {"domain": [0, 1]}}
    above = [] if best_epoch is None else _marked(best_epoch, "best")
    layers = [*_layers(series, value, ".3f", few=len(epochs) <= _MANY), *above]
    return Curve(
        _spec(layers, _HEIGHT + 40), _columns(epochs, series), "Validation IoU of background by epoch"
    )


def learning_rate_chart(epochs: Sequence[int], learning_rate: Sequence[float | None]) -> Curve:
    """Learning rate by epoch: it changes in steps, so it is drawn in steps, on a logarithmic scale."""
    rates = sorted({rate for rate in known(learning_rate) if rate})
    value = {
        "title": "learning rate",
        "scale": {"type": "log", "domain": [rates[0] / 2, rates[-1] * 2] if rates else [1e-5, 1e-3]},
        "axis": {"values": rates, "format": ".3~g"},
    }
    series = [_Series("learning rate", learning_rate, ACCENT)]
    layers = _layers(series, value, ".2e", few=len(epochs) <= _MANY, steps=True)
    return Curve(_spec(layers, 180), _columns(epochs, series), "Learning rate by epoch")


def sparkline(values: Sequence[float | None], *, height: int = 48) -> Curve:
    """A small line without axes; the last known value is a dot."""
    points = known(values)
    last = max((i for i, point in enumerate(points) if point is not None), default=None)
    x = {"field": "epoch", "type": "quantitative", "axis": None, "scale": {"zero": False, "nice": False}}
    y = {"field": "value", "type": "quantitative", "axis": None, "scale": {"zero": False}}
    spec = {
        "height": height,
        "padding": {"left": 4, "right": 4, "top": 4, "bottom": 4},
        "encoding": {"x": x},
        "layer": [
            {"mark": {"type": "line", "color": ACCENT, "strokeWidth": 2}, "encoding": {"y": y}},
            {
                "mark": {"type": "point", "color": ACCENT, "filled": True, "size": 60},
                "encoding": {"y": {**y, "field": "last"}, "tooltip": _tooltip("last", "value", ".3f")},
            },
        ],
    }
    columns: dict[str, list[Any]] = {
        "epoch": list(range(1, len(points) + 1)),
        "value": points,
        "last": [point if i == last else None for i, point in enumerate(points)],
    }
    return Curve(spec, columns, "Validation mean IoU by epoch")


def _spec(layers: Sequence[Mapping[str, Any]], height: int = _HEIGHT) -> dict[str, Any]:
    """Layers over one axis of epochs."""
    x = {
        "field": "epoch",
        "type": "quantitative",
        "title": "epoch",
        "scale": {"zero": False, "nice": False, "padding": 14},
        "axis": {"tickMinStep": 1, "format": "d", "grid": False},
    }
    return {"height": height, "encoding": {"x": x}, "layer": list(layers)}


def _layers(
    series: Sequence[_Series], value: Mapping[str, Any], number: str, *, few: bool, steps: bool = False
) -> list[dict[str, Any]]:
    """The lines, and all values of an epoch where the pointer is.

    Args:
        value: title, scale and axis of the y axis.
        number: d3 format of values in the tooltip.
        few: whether points are drawn too, else a single epoch is invisible.
    """
    mark = {"type": "line", "interpolate": "step-after" if steps else "linear", "point": few}
    y = {"field": "value", "type": "quantitative", **value}
    return [{"mark": mark, "encoding": {"y": y, **_looks(series)}, "params": [_ZOOM]}, _hover(series, number)]


def _columns(epochs: Sequence[int], series: Sequence[_Series]) -> dict[str, list[Any]]:
    """One row an epoch and series."""
    return {
        "epoch": [epoch for _ in series for epoch in epochs],
        "value": [value for each in series for value in known(each.values)],
        "series": [each.name for each in series for _ in epochs],
    }


def _looks(series: Sequence[_Series]) -> dict[str, Any]:
    """Colour and dash of each series, and a legend above the plot if there are several."""
    names = [each.name for each in series]
    legend = {
        "orient": "top",
        "columns": _LEGEND_COLUMNS,
        "title": None,
        "symbolType": "stroke",
        "symbolSize": 400,
        "symbolStrokeWidth": 3,
    }

    def of(values: Iterable[Any]) -> dict[str, Any]:
        scale = {"domain": names, "range": list(values)}
        return {
            "field": "series",
            "type": "nominal",
            "scale": scale,
            "legend": legend if len(names) > 1 else None,
        }

    return {
        "color": of(each.color for each in series),
        "strokeDash": of(list(each.dash) for each in series),
    }


def _under(names: Sequence[str], color: str) -> dict[str, Any]:
    """A wider line below those of some series."""
    return {
        "transform": [{"filter": {"field": "series", "oneOf": list(names)}}],
        "mark": {"type": "line", "color": color, "strokeWidth": 4},
        "encoding": {
            "y": {"field": "value", "type": "quantitative"},
            "detail": {"field": "series", "type": "nominal"},
        },
    }


def _hover(series: Sequence[_Series], number: str) -> dict[str, Any]:
    """A line through the epoch nearest to the pointer, with the values of all series."""
    pointed = {
        "type": "point",
        "fields": ["epoch"],
        "nearest": True,
        "on": "pointerover",
        "clear": "pointerout",
    }
    return {
        "transform": [{"pivot": "series", "value": "value", "groupby": ["epoch"]}],
        "mark": {"type": "rule", "color": GRAY},
        "params": [{"name": "pointed", "select": pointed}],
        "encoding": {
            "opacity": {"condition": {"param": "pointed", "empty": False, "value": 1}, "value": 0},
            "tooltip": [
                {"field": "epoch", "type": "quantitative", "format": "d"},
                *(_tooltip(each.name, each.name, number) for each in series),
            ],
        },
    }


def _tooltip(field: str, title: str, number: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": title, "format": number}


def _marked(epoch: int, label: str) -> list[dict[str, Any]]:
    """A dotted vertical line with a word at its top, on the side that has room for it."""
    is_near_left = f"scale('x', datum.epoch) < {_WORD_WIDTH}"
    once = {"values": [{"epoch": epoch}]}
    x = {"field": "epoch", "type": "quantitative"}
    word = {
        "type": "text",
        "text": label,
        "color": SLATE,
        "align": {"expr": f"{is_near_left} ? 'left' : 'right'"},
        "dx": {"expr": f"{is_near_left} ? 5 : -5"},
        "dy": 8,
    }
    return [
        {"data": once, "mark": {"type": "rule", "color": GRAY, "strokeDash": [2, 3]}, "encoding": {"x": x}},
        {"data": once, "mark": word, "encoding": {"x": x, "y": {"value": 0}}},
    ]
