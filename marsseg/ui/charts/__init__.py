"""Plotly figures, and curves that grow, as pure functions of plain values; and what shows them.

Colours that mean a class come from `marsseg.classes`; everything else is left to the page's theme,
so that a figure is readable on light and dark ground. Unknown values are gaps, never zeros.
"""

from marsseg.ui.charts.base import render_chart
from marsseg.ui.charts.classes import class_share_chart, class_weight_chart
from marsseg.ui.charts.comparison import Interval, forest_plot
from marsseg.ui.charts.confusion import confusion_chart
from marsseg.ui.charts.cost import CostPoint, cost_chart
from marsseg.ui.charts.curves import (
    background_iou_chart,
    iou_chart,
    learning_rate_chart,
    loss_chart,
    render_curve,
    sparkline,
)
from marsseg.ui.charts.losses import focal_chart, focal_loss

__all__ = [
    "CostPoint",
    "Interval",
    "background_iou_chart",
    "class_share_chart",
    "class_weight_chart",
    "confusion_chart",
    "cost_chart",
    "focal_chart",
    "focal_loss",
    "forest_plot",
    "iou_chart",
    "learning_rate_chart",
    "loss_chart",
    "render_chart",
    "render_curve",
    "sparkline",
]
