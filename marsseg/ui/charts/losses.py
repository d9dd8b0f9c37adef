"""The focal curve beside cross-entropy."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from marsseg.ui.charts.base import SLATE, new_figure


def focal_loss(probability: ArrayLike, gamma: float, alpha: float = 1.0) -> NDArray[np.float64]:
    """-α (1-p)^γ log p for the probability p of the true class (Lin 2017); γ = 0 is cross-entropy.

    Args:
        probability: values above 0 and at most 1, any shape.
        gamma: at least 0; how much easy pixels are turned down.
        alpha: a factor on the whole.
    """
    p = np.asarray(probability, dtype=np.float64)
    return -alpha * (1.0 - p) ** gamma * np.log(p)


def focal_chart(gamma: float, alpha: float = 1.0) -> go.Figure:
    """Loss of one pixel over the probability of its true class: focal, and cross-entropy to compare."""
    p = np.linspace(0.01, 1.0, 100)
    figure = new_figure(height=230, description="Loss of a pixel by the probability of its true class")
    figure.add_trace(
        go.Scatter(
            x=p, y=focal_loss(p, gamma, alpha), name=f"focal, γ {gamma:g}, α {alpha:g}", line={"width": 2.5}
        )
    )
    figure.add_trace(
        go.Scatter(
            x=p, y=focal_loss(p, 0.0), name="cross-entropy", line={"width": 2, "dash": "dash", "color": SLATE}
        )
    )
    figure.update_traces(mode="lines", hovertemplate="p %{x:.2f}: %{y:.3f}")
    figure.update_xaxes(title="probability of the true class", range=[0, 1])
    figure.update_yaxes(title="loss", rangemode="tozero")
    return figure
