from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import ValidationError

from marsseg.config import RunConfig, iter_fields, parse_config, parse_values
from marsseg.errors import ConfigError
from tests.config.strategies import configs

TILES = "0" * 64 + ":00000000"


def fingerprint(**values: Any) -> str:
    return parse_values({path.replace("__", "."): value for path, value in values.items()}).fingerprint(TILES)


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(configs)
def test_json_and_back_is_the_same_configuration(config: RunConfig) -> None:
    again = parse_config(config.to_json())
    assert again == config
    assert again.fingerprint(TILES) == config.fingerprint(TILES)


@settings(max_examples=50, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(configs)
def test_flat_values_and_back_is_the_same_configuration(config: RunConfig) -> None:
    assert parse_values(config.flat()) == config
    assert config.effective().items() <= config.flat().items()


def test_flat_names_every_field_once_in_declaration_order() -> None:
    assert list(RunConfig().flat()) == [view.path for view in iter_fields()]


def test_a_configuration_cannot_be_changed_in_place() -> None:
    config = RunConfig()
    with pytest.raises(ValidationError):
        config.model.depth = 2  # type: ignore[misc]


def test_with_values_leaves_the_original_alone() -> None:
    config = RunConfig()
    wide = config.with_values({"model.filters": 64, "loss.class_weights.background": 1.0})
    assert (config.model.filters, wide.model.filters) == (16, 64)
    assert wide.loss.class_weights.background == 1.0
    assert wide.train == config.train


def test_with_values_refuses_what_does_not_fit() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig().with_values({"model.filters": 1})
    assert set(caught.value.problems) == {"model.filters"}


def test_a_fingerprint_is_sixteen_hex_digits_and_stays_the_same() -> None:
    first = fingerprint()
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert first == fingerprint()


@pytest.mark.parametrize(
    "values",
    [
        {"name": "something else"},
        {"train__seed": 7},
        {"data__dataset": "the same tiles under another name"},
    ],
)
def test_repeats_share_a_fingerprint(values: dict[str, Any]) -> None:
    assert fingerprint(**values) == fingerprint()


def test_folds_of_one_cross_validation_share_a_fingerprint() -> None:
    assert fingerprint(data__folds=5, data__fold=0) == fingerprint(data__folds=5, data__fold=4)
    assert fingerprint(data__folds=5) != fingerprint(data__folds=4)


@pytest.mark.parametrize(
    ("off", "value", "on"),
    [
        ({}, {"model__se_ratio": 4}, {"model__squeeze_excite": True}),
        ({}, {"model__leaky_slope": 0.3}, {"model__activation": "leaky_relu"}),
        ({}, {"model__groups": 4}, {"model__normalization": "group"}),
        ({}, {"loss__focal_gamma": 1.0}, {"loss__focal": 0.5}),
        ({}, {"loss__tversky_beta": 0.5}, {"loss__tversky": 1.0}),
        (
            {"loss__cross_entropy": 0.0, "loss__dice": 1.0},
            {"loss__label_smoothing": 0.1},
            {"loss__cross_entropy": 1.0},
        ),
        ({}, {"loss__class_weights__cap": 5.0}, {"loss__class_weights__mode": "inverse_frequency"}),
        ({}, {"loss__class_weights__manual": [0, 1, 1, 1, 9]}, {"loss__class_weights__mode": "manual"}),
        (
            {"loss__class_weights__mode": "manual"},
            {"loss__class_weights__background": 0.5},
            {"loss__class_weights__mode": "none"},
        ),
        ({"data__folds": 5}, {"data__validation_fraction": 0.2}, {"data__folds": 0}),
        ({"train__plateau_factor": 1.0}, {"train__plateau_patience": 3}, {"train__plateau_factor": 0.5}),
    ],
)
def test_a_field_without_a_say_does_not_change_the_fingerprint(
    off: dict[str, Any], value: dict[str, Any], on: dict[str, Any]
) -> None:
    assert fingerprint(**off) == fingerprint(**{**off, **value})
    assert fingerprint(**{**off, **on}) != fingerprint(**{**off, **on, **value})


def test_other_tiles_or_other_kept_rows_are_another_configuration() -> None:
    config = RunConfig()
    others = {
        config.fingerprint(identity) for identity in (TILES, "1" * 64 + ":00000000", "0" * 64 + ":11111111")
    }
    assert len(others) == 3


CHANGED: dict[str, Any] = {
    "model.depth": 2,
    "model.squeeze_excite": True,
    "model.residual": True,
    "model.skip_gate": "gated",
    "model.normalization": "none",
    "model.dropout": 0.1,
    "loss.dice": 1.0,
    "data.split_seed": 1,
    "data.flip_vertical": True,
    "train.epochs": 41,
    "train.batch_size": 8,
    "train.learning_rate": 2e-4,
    "train.deterministic": False,
    "model.architecture": "unet3plus",
    "model.encoder": "resnet",
    "model.bottleneck": "aspp",
    "loss.lovasz": 1.0,
    "augment.brightness": 0.5,
    "augment.rock_oversampling": 2.0,
    "train.ema": True,
    "train.schedule": "cosine",
}


@pytest.mark.parametrize("path", CHANGED)
def test_any_field_that_decides_the_result_changes_the_fingerprint(path: str) -> None:
    changed = RunConfig().with_values({path: CHANGED[path]})
    assert changed.fingerprint(TILES) != RunConfig().fingerprint(TILES)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "25d28452266d21ea"),
        (
            {"model.activation": "leaky_relu", "loss.tversky": 0.5, "data.folds": 5},
            "439f1c4ff8cb35ef",
        ),
    ],
)
def test_fields_that_came_later_leave_earlier_fingerprints_alone(
    values: dict[str, Any], expected: str
) -> None:
    """As stored runs of the version without augmentation and architectures have them."""
    assert parse_values(values).fingerprint(TILES) == expected
