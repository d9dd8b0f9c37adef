"""The confusion matrix as a heat map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from marsseg.classes import CLASS_NAMES
from marsseg.ui import formats
from marsseg.ui.charts.base import new_figure, row_labels

_ROW = 52
_AROUND = 80
"""Pixels for the axis and the margins."""
# From clear to half-strong rust: text in the page's own colour stays readable on every cell.
_SCALE = [[0.0, "rgba(200, 94, 48, 0)"], [1.0, "rgba(200, 94, 48, 0.65)"]]


def confusion_chart(confusion: ArrayLike, names: Sequence[str] = CLASS_NAMES) -> go.Figure:
    """How the pixels of each true class were predicted: shares of the row, counts on hover.

    A class without true pixels has an empty row.

    Args:
        confusion: (C, C) pixel counts, [true, predicted].
        names: of its C classes.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    figure = new_figure(
        height=_AROUND + _ROW * len(names), description="Predicted class of the pixels of each true class"
    )
    figure.add_trace(
        go.Heatmap(
            z=[[None if np.isnan(v) else v for v in row] for row in shares],
            x=list(range(len(names))),
            y=list(range(len(names))),
            colorscale=_SCALE,
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=_hover_texts(counts, shares, names),
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    figure.update_layout(annotations=_cell_texts(shares))
    figure.update_xaxes(
        title="predicted", side="top", tickvals=list(range(len(names))), ticktext=list(names), showgrid=False
    )
    figure.update_yaxes(title="true", **row_labels(names))
    return figure


def _cell_texts(shares: NDArray[np.float64]) -> list[dict[str, object]]:
    return [
        {"x": column, "y": row, "text": formats.percent(shares[row, column], 1), "showarrow": False}
        for row in range(shares.shape[0])
        for column in range(shares.shape[1])
    ]


def _hover_texts(
    counts: NDArray[np.float64], shares: NDArray[np.float64], names: Sequence[str]
) -> list[list[str]]:
    return [
        [
            f"{true} taken for {predicted}<br>"
            f"{formats.count(counts[i, j])} pixels, {formats.percent(shares[i, j])}"
            for j, predicted in enumerate(names)
        ]
        for i, true in enumerate(names)
    ]
