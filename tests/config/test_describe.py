from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from marsseg.config import RunConfig, describe, differences, iter_fields, parse_values
from marsseg.config.describe import format_value
from tests.config.strategies import configs

BASELINE = RunConfig()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "baseline"),
        ({"name": "mine", "train.seed": 3, "data.dataset": "other"}, "baseline"),
        ({"model.residual": True}, "+residual"),
        ({"model.squeeze_excite": True}, "+SE"),
        ({"model.squeeze_excite": True, "model.residual": True}, "+SE +residual"),
        ({"model.squeeze_excite": True, "model.se_ratio": 4}, "+SE, SE ratio 4"),
        ({"data.flip_horizontal": False}, "−h-flip"),
        ({"loss.cross_entropy": 0.0, "loss.focal": 1.0}, "CE 0, focal 1"),
        ({"loss.cross_entropy": 0.0, "loss.focal": 1.0, "loss.focal_gamma": 0.25}, "CE 0, focal 1, γ 0.25"),
        ({"model.skip_gate": "sigmoid_only", "model.residual": True}, "+residual, skip sigmoid only"),
        ({"train.learning_rate": 3e-5}, "lr 3e-5"),
        ({"model.se_ratio": 4}, "baseline"),
        (
            {"loss.class_weights.mode": "manual", "loss.class_weights.manual": [0, 1, 1, 1, 9]},
            "weights manual, weights 0, 1, 1, 1, 9",
        ),
    ],
)
def test_a_run_is_named_by_what_differs(values: dict[str, Any], text: str) -> None:
    assert describe(parse_values(values), BASELINE) == text


def test_a_toggle_that_the_baseline_has_is_named_when_it_is_gone() -> None:
    baseline = parse_values({"model.squeeze_excite": True, "model.residual": True})
    assert describe(parse_values({"model.residual": True}), baseline) == "−SE"


def test_differences_hold_both_values_and_leave_out_the_name() -> None:
    config = parse_values({"name": "x", "data.flip_vertical": True, "train.epochs": 5})
    assert differences(config, BASELINE) == {"data.flip_vertical": (True, False), "train.epochs": (5, 40)}


def test_a_value_without_a_say_is_none_on_that_side() -> None:
    config = parse_values({"loss.focal": 1.0, "loss.focal_gamma": 1.0})
    assert differences(config, BASELINE)["loss.focal_gamma"] == (1.0, None)
    assert differences(BASELINE, config)["loss.focal_gamma"] == (None, 1.0)


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(configs)
def test_a_configuration_differs_from_itself_in_nothing_and_is_always_named(config: RunConfig) -> None:
    assert differences(config, config) == {}
    assert describe(config, config) == "baseline"
    assert describe(config, BASELINE).strip()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "on"),
        (False, "off"),
        (0.5, "0.5"),
        (1e-4, "0.0001"),
        (3e-5, "3e-5"),
        (1.0, "1"),
        (16, "16"),
        ((0.0, 1.0, 2.5), "0, 1, 2.5"),
        ("sigmoid_only", "sigmoid only"),
    ],
)
def test_values_read_as_people_write_them(value: Any, text: str) -> None:
    assert format_value(value) == text


def test_a_view_knows_its_name_and_its_section() -> None:
    views = {view.path: view for view in iter_fields()}
    assert views["loss.class_weights.cap"].name == "cap"
    assert views["loss.class_weights.cap"].parent == "loss.class_weights"
    assert views["name"].parent == ""


def test_what_is_off_by_default_is_no_difference_where_a_toggle_gives_it_a_say() -> None:
    with_residual = RunConfig().with_values({"model.residual": True})
    assert differences(with_residual, RunConfig()) == {"model.residual": (True, False)}
    dropping = with_residual.with_values({"model.drop_path": 0.2})
    assert differences(dropping, RunConfig())["model.drop_path"] == (0.2, None)
