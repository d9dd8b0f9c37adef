"""What all charts share: quiet layout, gaps for unknown values, and the way a figure is shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from marsseg.ui import text

ACCENT = "#C85E30"  # these three are seen on light and dark ground alike
SLATE = "#7B8B97"
GRAY = "rgba(128, 120, 112, 0.55)"
FAINT = "rgba(128, 120, 112, 0.25)"
CLEAR = "rgba(0, 0, 0, 0)"

_CONFIG = {"displayModeBar": False, "displaylogo": False, "scrollZoom": False, "showTips": False}


def render_chart(figure: go.Figure, key: str, *, alt: str | None = None) -> None:
    """Show a figure as wide as its container, in the page's theme, without a mode bar.

    Args:
        figure: from one of this room's chart functions; its `uirevision` keeps zoom across reruns.
        key: stable widget key.
        alt: what the chart says, for people who cannot see it; what it shows unless given.
    """
    shown = go.Figure(figure).update_layout(font_color=_text_color())
    name = alt or figure.layout.meta
    st.plotly_chart(shown, key=key, width="stretch", theme="streamlit", config=_CONFIG, alt=name)


def new_figure(*, height: int, description: str, **layout: Any) -> go.Figure:
    """An empty figure with transparent ground, small margins and a legend above the plot."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        meta=description,
        uirevision="kept",
        colorway=[ACCENT, SLATE],
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "title": ""},
        hoverlabel={"namelength": -1},
        **layout,
    )
    figure.update_xaxes(automargin=True, zeroline=False, gridcolor=FAINT)
    figure.update_yaxes(automargin=True, zeroline=False, gridcolor=FAINT)
    return figure


def _text_color() -> str | None:
    """The page's text colour: Plotly's own for text inside a plot is too faint on filled cells."""
    color = st.get_option(f"theme.{st.context.theme.type or 'light'}.textColor")
    return str(color) if color else None


def known(values: Iterable[float | None]) -> list[float | None]:
    """Values as Plotly leaves a gap for: None where there is no finite number."""
    return [None if v is None or not math.isfinite(v) else float(v) for v in values]


def row_labels(labels: Sequence[str], *, length: int = 36) -> dict[str, Any]:
    """Axis settings for one row a label, the first on top.

    Rows are numbered and not named, since two runs may have one name; names are typed by people, so
    they are cut to length and made safe.
    """
    shown = [text.chart_label(text.shorten(label, length)) for label in labels]
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": shown,
        "range": [len(labels) - 0.5, -0.5],
        "showgrid": False,
    }


def zero_line(axis: str) -> dict[str, Any]:
    """A line across the plot where `axis` ("x" or "y") is zero."""
    other = "y" if axis == "x" else "x"
    return {
        "type": "line",
        f"{axis}0": 0,
        f"{axis}1": 0,
        f"{other}ref": f"{other} domain",
        f"{other}0": 0,
        f"{other}1": 1,
        "line": {"color": GRAY, "width": 1.5, "dash": "dot"},
    }
