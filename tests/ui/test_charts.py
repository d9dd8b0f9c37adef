from __future__ import annotations

import json
import math

import numpy as np
import pytest
from plotly.graph_objects import Figure

from marsseg.classes import CLASSES
from marsseg.ui import charts

NAN = math.nan
CONFUSION = [[0, 0, 0, 0, 0], [10, 70, 20, 0, 0], [0, 5, 95, 0, 0], [0, 0, 0, 50, 50], [1, 1, 1, 1, 0]]
ROWS = [
    charts.Interval("<b>baseline</b> $x$", 0.61, 0.59, 0.63, 3),
    charts.Interval("+SE", 0.64, None, None, 1),
    charts.Interval("+SE", None),
]
FIGURES = {
    "shares": charts.class_share_chart([0.36, 0.24, 0.32, 0.077, 0.003], [0.4, 0.2, 0.3, 0.1, 0.0]),
    "weights": charts.class_weight_chart([0, 0.8, 0.6, 2.1, NAN]),
    "focal": charts.focal_chart(2.0, 0.25),
    "forest": charts.forest_plot(ROWS, baseline="<b>baseline</b>"),
    "cost": charts.cost_chart([charts.CostPoint("<b>a</b>", 5e5, 0.6)], cost_name="parameters"),
    "confusion": charts.confusion_chart(CONFUSION),
    "no rows": charts.forest_plot([], baseline="nothing"),
}


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_every_figure_is_transparent_keeps_zoom_and_says_what_it_shows(figure: Figure):
    layout = json.loads(figure.to_json())["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0, 0, 0, 0)"
    assert layout["uirevision"]
    assert layout["meta"]


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_names_that_people_typed_are_no_markup(figure: Figure):
    text = figure.to_json()
    assert "<b>" not in text.replace("\\u003c", "<")
    assert "$x$" not in text


def test_focal_loss_without_gamma_is_cross_entropy():
    p = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(charts.focal_loss(p, 0.0), -np.log(p))


def test_focal_loss_by_hand():
    assert charts.focal_loss(0.9, 2.0, 0.25) == pytest.approx(0.25 * 0.1**2 * 0.10536051565782628)


def test_an_unknown_difference_has_no_point_and_a_dash():
    figure = FIGURES["forest"]
    assert list(figure.data[0].x) == pytest.approx([61, 64, None])
    assert [(note.y, note.text) for note in figure.layout.annotations] == [(2, "–")]


def test_runs_of_one_name_keep_their_own_rows():
    figure = FIGURES["forest"]
    assert list(figure.data[0].y) == [0, 1, 2]
    assert list(figure.layout.yaxis.ticktext)[1:] == ["+SE", "+SE"]


def test_whiskers_reach_the_interval_and_are_missing_where_it_is_unknown():
    whiskers = FIGURES["forest"].data[0].error_x
    assert whiskers.array[0] == pytest.approx(2.0)
    assert whiskers.arrayminus[0] == pytest.approx(2.0)
    assert list(whiskers.array[1:]) == [None, None]


def test_the_forest_plot_counts_in_points_around_a_zero_line():
    figure = FIGURES["forest"]
    assert figure.data[0].x[0] == pytest.approx(61.0)
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 0
    assert figure.layout.xaxis.title.text == "Δ points of mean IoU"  # a longer one is cut on a phone


def test_class_bars_stand_in_class_order_and_colour():
    bars = FIGURES["shares"].data[1]
    assert list(bars.marker.color) == [terrain.color for terrain in CLASSES]
    assert list(FIGURES["shares"].layout.yaxis.ticktext) == [terrain.name for terrain in CLASSES]
    assert list(bars.text) == ["36.0 %", "24.0 %", "32.0 %", "7.7 %", "0.30 %"]


def test_shares_that_no_cleaning_came_before_do_not_speak_of_it():
    assert [bars.hovertemplate.split(":")[0] for bars in FIGURES["shares"].data] == [
        "before",
        "after cleaning",
    ]
    (bars,) = charts.class_share_chart([0.2] * 5).data
    assert bars.hovertemplate.split(":")[0] == "share"


@pytest.mark.parametrize("name", ["shares", "weights"])
def test_the_labels_of_bars_fit_a_narrow_window(name: str):
    """At 390 pixels the bars share 287, and a character of a label takes 5.1 of them."""
    figure = FIGURES[name]
    for bars in figure.data:
        for value, label in zip(bars.x, bars.text, strict=True):
            free = 287 * (1 - (value or 0) / figure.layout.xaxis.range[1])
            assert free >= 5.1 * len(label), label


def test_a_chart_of_no_shares_has_an_axis_all_the_same():
    assert charts.class_share_chart([NAN] * 5).layout.xaxis.range == (0, 1)


def test_the_confusion_matrix_is_normalised_by_row_with_counts_on_hover():
    heat = FIGURES["confusion"].data[0]
    assert list(heat.z[1]) == pytest.approx([0.1, 0.7, 0.2, 0.0, 0.0])
    assert heat.customdata[1][2] == "soil taken for bedrock<br>20 pixels, 20.0 %"


def test_a_class_without_true_pixels_has_an_empty_row():
    figure = FIGURES["confusion"]
    assert all(value is None for value in figure.data[0].z[0])
    first_row = [note.text for note in figure.layout.annotations if note.y == 0]
    assert first_row == ["–"] * 5


def cost_figure(points):
    return charts.cost_chart(
        [charts.CostPoint(*point) for point in points], cost_name="parameters", logarithmic=True
    )


def test_labels_of_one_spot_do_not_cover_each_other():
    figure = cost_figure([(f"run number {i}", 500_000 + i, 0.5) for i in range(6)])
    (trace,) = figure.data
    shown = [(words, place) for words, place in zip(trace.text, trace.textposition, strict=True) if words]
    assert 1 <= len(shown) < 6
    assert len({place for _, place in shown}) == len(shown)


def test_the_starred_point_and_those_worth_their_cost_are_labelled_among_many():
    many = [(f"other {i}", 1e6 + 1e4 * i, 0.3 + 0.001 * i) for i in range(20)]
    figure = cost_figure([("cheap", 1e4, 0.4), ("best", 1e5, 0.7), ("base", 1e3, 0.2, True), *many])
    assert {words for words in figure.data[0].text if words} == {"cheap", "best", "base"}


def test_a_run_of_unknown_cost_is_left_out():
    figure = cost_figure([("a", None, 0.4), ("b", 5e5, NAN), ("c", 5e5, 0.6)])
    assert list(figure.data[0].y) == [0.6]


@pytest.mark.parametrize("costs", [[5e5], [5e5, 5.1e5], [1e4, 1e6], [1e3, 1e8]])
def test_cost_ticks_are_few_round_and_in_sight(costs):
    axis = cost_figure([("run", cost, 0.5) for cost in costs]).layout.xaxis
    assert 2 <= len(axis.tickvals) <= 9
    assert all(10 ** axis.range[0] <= tick <= 10 ** axis.range[1] for tick in axis.tickvals)


@pytest.mark.parametrize("scores", [[0.117], [0.0], [1.0], [0.712, 0.713], [0.1, 0.3], [0.05, 0.95]])
def test_score_ticks_are_some_and_no_two_look_alike(scores):
    axis = cost_figure([("run", 1e5, score) for score in scores]).layout.yaxis
    labels = [f"{tick:{axis.tickformat}}" for tick in axis.tickvals]
    assert 2 <= len(labels) == len(set(labels)) <= 8
    assert all(axis.range[0] <= tick <= axis.range[1] for tick in axis.tickvals)
