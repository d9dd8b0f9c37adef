from __future__ import annotations

import pytest

from marsseg.config import ModelConfig, RunConfig, Ui, When, iter_fields


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
    condition = view.ui.when
    if condition is None:
        return
    assert condition.field in view.section.model_fields
    assert condition.field != view.name
    for value in condition.values:
        path = f"{view.parent}.{condition.field}"
        assert RunConfig().with_values({path: value}).flat()[path] == value


def test_a_field_is_called_by_its_short_name_or_its_label() -> None:
    assert Ui("Skip gate", "help", short="skip").short_name == "skip"
    assert Ui("Skip gate", "help").short_name == "skip gate"
