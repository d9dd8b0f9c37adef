from __future__ import annotations

import json
from typing import Any

import pytest

from marsseg.config import RunConfig, apply_overrides, parse_config, parse_values
from marsseg.config.parsing import nest
from marsseg.errors import ConfigError, MarsSegError


def problems_of(values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_values(values)
    return caught.value.problems


def test_no_values_give_the_defaults() -> None:
    assert parse_values({}) == RunConfig()
    assert parse_config("{}") == RunConfig()


def test_values_arrive_where_their_path_says() -> None:
    config = parse_values(
        {
            "name": "wide",
            "model.filters": 32,
            "loss.class_weights.mode": "manual",
            "loss.class_weights.manual": [0, 1, 2, 3, 4.5],
            "train.learning_rate": 0.003,
        }
    )
    assert config.name == "wide"
    assert config.model.filters == 32
    assert config.loss.class_weights.manual == (0.0, 1.0, 2.0, 3.0, 4.5)
    assert config.train.learning_rate == 0.003
    assert config.train.epochs == RunConfig().train.epochs


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("model.depth", 0, "must be at least 1; got 0."),
        ("model.depth", 9, "must be at most 8; got 9."),
        ("train.seed", 2**31, "must be at most 2147483647; got 2147483648."),
        ("train.learning_rate", 0, "must be more than 0; got 0."),
        ("train.learning_rate", -0.1, "must be more than 0; got -0.1."),
        ("loss.label_smoothing", 1, "must be less than 1; got 1."),
        ("model.filters", 16.5, "must be a whole number; got 16.5."),
        ("model.filters", "16", 'must be a whole number; got "16".'),
        ("model.filters", True, "must be a whole number; got true."),
        ("model.filters", None, "must be a whole number; got null."),
        ("model.dropout", "much", 'must be a number; got "much".'),
        ("model.residual", 1, "must be true or false; got 1."),
        ("model.residual", "yes", 'must be true or false; got "yes".'),
        ("data.dataset", 3, "must be text; got 3."),
        ("loss.class_weights.manual", 3, "must be a list of numbers; got 3."),
        ("loss.focal", float("nan"), "must be a finite number; got NaN."),
        ("loss.focal", float("inf"), "must be a finite number; got Infinity."),
        ("loss.class_weights.cap", 0, "must be more than 0; got 0."),
        (
            "model.activation",
            "swish",
            "must be one of 'relu', 'leaky_relu', 'elu', 'gelu' or 'silu'; got \"swish\".",
        ),
    ],
)
def test_a_value_that_does_not_fit_gets_one_sentence(path: str, value: Any, sentence: str) -> None:
    assert problems_of({path: value}) == {path: sentence}


@pytest.mark.parametrize(
    ("values", "blamed", "says"),
    [
        ({"model.depth": 7}, "model.depth", "64 rows cannot be halved 7 times; use 6 levels or fewer."),
        (
            {"model.normalization": "group", "model.filters": 20, "model.groups": 16},
            "model.groups",
            "20 filters cannot be split into 16 equal groups; choose a divisor of the filters.",
        ),
        ({"loss.cross_entropy": 0}, "loss.cross_entropy", "All loss weights are 0"),
        (
            {"loss.tversky": 1, "loss.tversky_alpha": 0, "loss.tversky_beta": 0},
            "loss.tversky_beta",
            "Tversky alpha and beta are both 0",
        ),
        (
            {"loss.class_weights.mode": "manual", "loss.class_weights.manual": [0] * 5},
            "loss.class_weights.manual",
            "All five weights are 0",
        ),
        (
            {"data.validation_fraction": 0.5, "data.test_fraction": 0.5},
            "data.test_fraction",
            "more than 90 % of the tiles",
        ),
        ({"data.folds": 1}, "data.folds", "One fold would leave nothing to train on"),
        ({"data.folds": 5, "data.fold": 5}, "data.fold", "With 5 folds, the last one is 4."),
    ],
)
def test_fields_that_cannot_work_together_blame_the_one_to_mend(
    values: dict[str, Any], blamed: str, says: str
) -> None:
    problems = problems_of(values)
    assert list(problems) == [blamed]
    assert says in problems[blamed]


@pytest.mark.parametrize(
    "values",
    [
        {"model.filters": 20, "model.groups": 16},
        {"loss.tversky_alpha": 0, "loss.tversky_beta": 0},
        {"loss.class_weights.manual": [0] * 5},
        {"data.fold": 5},
    ],
)
def test_a_rule_about_something_switched_off_refuses_nothing(values: dict[str, Any]) -> None:
    assert parse_values(values).flat().items() >= parse_values({}).with_values(values).flat().items()


def test_several_mistakes_are_told_at_once() -> None:
    problems = problems_of({"model.depth": 0, "train.epochs": 0, "loss.focal": -1})
    assert set(problems) == {"model.depth", "train.epochs", "loss.focal"}


def test_several_broken_rules_are_told_at_once_also_within_a_section() -> None:
    problems = problems_of(
        {
            "train.schedule": "cosine",
            "train.epochs": 16,
            "train.warmup_epochs": 50,
            "train.xla": True,
            "model.depth": 7,
            "model.normalization": "group",
            "model.filters": 20,
            "data.folds": 1,
        }
    )
    assert set(problems) == {"train.warmup_epochs", "train.xla", "model.depth", "model.groups", "data.folds"}
    assert "A warm-up of 50 epochs" in problems["train.warmup_epochs"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("model.residuals", "did you mean model.residual?"),
        ("model.learning_rate", "did you mean train.learning_rate?"),
        ("train.momentum_of_nesterov", "presets list --json"),
        ("modle.depth", "did you mean model.depth?"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest_known_one(path: str, hint: str) -> None:
    (sentence,) = problems_of({path: 1}).values()
    assert "is not a field of a run configuration" in sentence
    assert hint in sentence


@pytest.mark.parametrize("count", [0, 2, 4, 6])
def test_manual_weights_must_be_five(count: int) -> None:
    assert problems_of({"loss.class_weights.manual": [1] * count}) == {
        "loss.class_weights.manual": "must be five numbers, one for each class (background, soil, bedrock, "
        f"sand, big rock); got {[1] * count}."
    }


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("name", "x" * 201, "must have at most 200 characters; got 201."),
        ("data.dataset", "", "must have at least 1 character; got 0."),
        ("combine.members", ["r-1"] * 21, "must have at most 20 entries; got 21."),
        ("model", 3, "must be an object with fields; got 3."),
    ],
)
def test_what_is_too_long_or_no_section_is_said_in_our_words(path: str, value: Any, sentence: str) -> None:
    assert problems_of({path: value}) == {path: sentence}


@pytest.mark.parametrize("text", ["", "{", "depth: 3", '{"model": {"depth": 3,}}', b"\xff\xfe"])
def test_text_that_is_no_json_says_so(text: str | bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert "is not valid JSON" in caught.value.problems["config"]


@pytest.mark.parametrize("text", ["[]", "3", "null", '"model"'])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert set(caught.value.problems) == {"config"}


def test_a_section_given_as_a_single_value_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config('{"model": 3}')
    assert "model" in caught.value.problems


def test_the_message_holds_path_and_sentence_and_is_one_of_the_family() -> None:
    with pytest.raises(MarsSegError, match=r"^model\.depth: must be at least 1; got 0\.$"):
        parse_values({"model.depth": 0})


def test_long_input_is_shortened_in_the_message() -> None:
    (sentence,) = problems_of({"model.activation": "x" * 1000}).values()
    assert len(sentence) < 200


def test_a_pydantic_mistake_never_shows_its_own_wording_for_common_ones() -> None:
    text = json.dumps({"model": {"depth": "deep", "residual": None}, "train": {"epochs": []}})
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert not any("Input should" in sentence for sentence in caught.value.problems.values())


def test_overrides_read_json_values_and_plain_words() -> None:
    config = apply_overrides(
        RunConfig(),
        [
            "model.residual=true",
            "model.activation=leaky_relu",
            " train.epochs = 3 ",
            "loss.class_weights.mode=inverse_frequency",
            "loss.class_weights.cap=null",
            "loss.class_weights.manual=[0,1,1,1,9]",
            "name=a=b",
        ],
    )
    assert config.model.residual is True
    assert config.model.activation == "leaky_relu"
    assert config.train.epochs == 3
    assert config.loss.class_weights.cap is None
    assert config.loss.class_weights.manual[4] == 9
    assert config.name == "a=b"


def test_a_later_override_wins_and_others_stay() -> None:
    start = parse_values({"model.filters": 8, "train.epochs": 7})
    config = apply_overrides(start, ["model.filters=4", "model.filters=12"])
    assert (config.model.filters, config.train.epochs) == (12, 7)


def test_no_overrides_give_the_same_configuration() -> None:
    config = parse_values({"model.filters": 8})
    assert apply_overrides(config, []) == config


@pytest.mark.parametrize("assignment", ["model.residual", "", "model.residual:true"])
def test_an_override_without_equals_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigError, match="write path=value"):
        apply_overrides(RunConfig(), [assignment])


@pytest.mark.parametrize("assignment", ["model=3", "model.depth.levels=3", "nothing=1", "=1"])
def test_an_override_of_something_else_than_a_field_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigError):
        apply_overrides(RunConfig(), [assignment])


def test_nest_refuses_a_section_beside_its_fields_in_any_order() -> None:
    for flat in ({"model": 1, "model.depth": 2}, {"model.depth": 2, "model": 1}):
        with pytest.raises(ConfigError):
            nest(flat)
