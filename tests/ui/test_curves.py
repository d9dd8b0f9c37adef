from __future__ import annotations

import json
import math

import numpy as np
import pytest

from marsseg.classes import TERRAIN_CLASSES
from marsseg.ui import charts

NAN = math.nan


def iou(epochs: int, **more: int):
    return charts.iou_chart(
        list(range(1, epochs + 1)), [[NAN, 0.2, 0.3, 0.4, NAN]] * epochs, [0.3] * epochs, **more
    )


def loss(epochs: int):
    return charts.loss_chart(
        list(range(1, epochs + 1)), [1 / n for n in range(1, epochs + 1)], [0.5] * epochs
    )


def rate(epochs: int):
    return charts.learning_rate_chart(list(range(1, epochs + 1)), [1e-4] * epochs)


def spark(epochs: int):
    return charts.sparkline([0.1 * n for n in range(epochs)])


CURVES = {"iou": iou, "loss": loss, "rate": rate, "spark": spark}


@pytest.mark.parametrize("draw", CURVES.values(), ids=CURVES)
def test_another_epoch_changes_the_data_alone_so_that_the_chart_stays(draw):
    before, after = draw(3), draw(4)
    assert before.spec == after.spec
    assert before.description == after.description
    assert {len(column) for column in before.columns.values()} != {len(c) for c in after.columns.values()}


@pytest.mark.parametrize("draw", CURVES.values(), ids=CURVES)
@pytest.mark.parametrize("epochs", [0, 1, 100])
def test_columns_are_equally_long_and_the_specification_is_json(draw, epochs):
    curve = draw(epochs)
    assert len({len(column) for column in curve.columns.values()}) == 1
    json.dumps([curve.spec, curve.columns], allow_nan=False)


def test_every_class_has_its_colour_and_a_dash_of_its_own():
    looks = iou(2).spec["layer"][2]["encoding"]
    assert looks["color"]["scale"]["domain"] == [*(each.name for each in TERRAIN_CLASSES), "terrain mean"]
    assert looks["color"]["scale"]["range"][:4] == [each.color for each in TERRAIN_CLASSES]
    dashes = [tuple(dash) for dash in looks["strokeDash"]["scale"]["range"][:4]]
    assert len(set(dashes)) == 4


def test_what_is_unknown_is_a_gap():
    curve = charts.loss_chart([1, 2, 3], [1.0, 0.5, NAN], [1.2, None, 0.7])
    rows = zip(*(curve.columns[name] for name in ("series", "epoch", "value")), strict=True)
    assert [row for row in rows if row[2] is None] == [("validation", 2, None), ("training", 3, None)]


def test_no_epochs_are_no_rows():
    assert charts.iou_chart([], np.empty((0, 5)), []).columns["epoch"] == []


def test_the_best_epoch_is_marked_once():
    marks = iou(3, best_epoch=2).spec["layer"][-2:]
    assert [mark["data"]["values"] for mark in marks] == [[{"epoch": 2}]] * 2
    assert len(iou(3).spec["layer"]) == len(iou(3, best_epoch=2).spec["layer"]) - 2


def test_the_word_at_the_best_epoch_turns_round_where_the_left_edge_would_cut_it():
    mark = iou(3, best_epoch=1).spec["layer"][-1]["mark"]
    sides = [mark[name]["expr"].split(" ? ") for name in ("align", "dx")]
    assert [condition for condition, _ in sides] == ["scale('x', datum.epoch) < 40"] * 2
    assert [answer for _, answer in sides] == ["'left' : 'right'", "5 : -5"]


def test_the_legend_wraps_before_its_last_names_are_cut():
    looks = iou(3).spec["layer"][2]["encoding"]
    assert {looks[name]["legend"]["columns"] for name in ("color", "strokeDash")} == {3}


def test_the_learning_rate_is_drawn_in_steps_with_a_tick_at_each_rate():
    spec = charts.learning_rate_chart([1, 2, 3], [1e-4, 1e-4, 5e-5]).spec
    assert spec["layer"][0]["mark"]["interpolate"] == "step-after"
    assert spec["layer"][0]["encoding"]["y"]["axis"]["values"] == [5e-5, 1e-4]


def test_the_last_known_value_of_a_sparkline_is_a_dot():
    columns = charts.sparkline([0.1, 0.4, None]).columns
    assert columns["value"] == [0.1, 0.4, None]
    assert columns["last"] == [None, 0.4, None]
