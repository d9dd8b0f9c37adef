from __future__ import annotations

from typing import get_args

import pytest

from marsseg.config import ModelConfig, RunConfig, Ui, When, iter_fields
from marsseg.config.describe import FIELDS
from marsseg.config.fields import matters


def test_a_condition_without_values_asks_for_anything_truthy() -> None:
    condition = When("squeeze_excite")
    assert condition.holds(ModelConfig(squeeze_excite=True))
    assert not condition.holds(ModelConfig(squeeze_excite=False))


def test_a_condition_with_values_asks_for_one_of_them() -> None:
    condition = When("activation", ("leaky_relu", "elu"))
    assert condition.holds(ModelConfig(activation="elu"))
    assert not condition.holds(ModelConfig(activation="relu"))


def test_a_condition_reads_raw_form_values_too() -> None:
    assert When("rate", unless=(1.0,)).holds({"rate": 0.5})
    assert not When("rate", unless=(1.0,)).holds({"rate": 1.0})
    assert When("folds").holds({"folds": 5})
    assert not When("folds").holds({"folds": 0})
    assert not When("folds").holds({})
    assert When("mode", ("none", "manual")).holds({"mode": "none"})


@pytest.mark.parametrize("view", list(iter_fields()), ids=lambda view: view.path)
def test_a_condition_names_a_sibling_and_values_it_can_have(view) -> None:
    for condition in view.ui.conditions:
        assert condition.field in view.section.model_fields
        assert condition.field != view.name
        annotation = view.section.model_fields[condition.field].annotation
        assert set(condition.values) <= {*get_args(annotation), 0}


@pytest.mark.parametrize(
    ("values", "field", "expected"),
    [
        ({}, "model.drop_path", False),
        ({"model.residual": True}, "model.drop_path", True),
        ({"model.encoder": "resnet"}, "model.drop_path", True),
        ({"loss.focal_tversky": 1.0}, "loss.tversky_alpha", True),
        ({"train.schedule": "cosine"}, "train.plateau_factor", False),
        ({"train.schedule": "cosine"}, "train.plateau_patience", False),
        ({"train.plateau_factor": 1.0}, "train.plateau_patience", False),
        ({"model.se_kind": "both"}, "model.se_ratio", False),
        ({"model.se_kind": "spatial", "model.squeeze_excite": True}, "model.se_ratio", False),
    ],
)
def test_a_field_matters_where_one_of_its_conditions_and_all_above_it_hold(values, field, expected) -> None:
    config = RunConfig().with_values(values)
    assert (field in config.effective()) is expected
    view = FIELDS[field]
    siblings = {
        path.rpartition(".")[2]: value
        for path, value in config.flat().items()
        if path.startswith(view.parent)
    }
    assert matters(view.section, view.name, siblings) is expected


def test_a_field_is_called_by_its_short_name_or_its_label() -> None:
    assert Ui("Skip gate", "help", short="skip").short_name == "skip"
    assert Ui("Skip gate", "help").short_name == "skip gate"
