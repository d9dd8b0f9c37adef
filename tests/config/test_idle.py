"""Settings without a say: which are told, what they lack, and when there is nothing to tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from marsseg.config import RunConfig, idle_settings, parse_values
from tests.config.strategies import configs

WEIGHTS = "loss.class_weights"


@pytest.mark.parametrize(
    ("values", "sentences"),
    [
        ({}, []),
        (
            {"model.drop_path": 0.2},
            ["model.drop_path=0.2 has no say without model.residual=true or model.encoder=resnet."],
        ),
        ({"model.drop_path": 0.2, "model.residual": True}, []),
        ({"model.drop_path": 0.2, "model.encoder": "resnet"}, []),
        (
            {"model.se_placement": "bottleneck", "model.se_ratio": 4},
            ["model.se_placement=bottleneck and model.se_ratio=4 have no say without "
             "model.squeeze_excite=true."],
        ),
        (
            {"model.se_kind": "spatial", "model.se_ratio": 4},
            ["model.se_kind=spatial has no say without model.squeeze_excite=true.",
             "model.se_ratio=4 has no say without model.squeeze_excite=true and model.se_kind=channel or "
             "both."],
        ),
        ({"train.ema_decay": 0.9}, ["train.ema_decay=0.9 has no say without train.ema=true."]),
        ({"data.fold": 3}, ["data.fold=3 has no say without data.folds above 0."]),
        (
            {"data.folds": 4, "data.validation_fraction": 0.2},
            ["data.validation_fraction=0.2 has no say without data.folds=0."],
        ),
        (
            {f"{WEIGHTS}.mode": "manual", f"{WEIGHTS}.cap": 5.0, f"{WEIGHTS}.background": 2.0},
            [f"{WEIGHTS}.background=2.0 has no say without {WEIGHTS}.mode=none, inverse_frequency or "
             "effective_number.",
             f"{WEIGHTS}.cap=5.0 has no say without {WEIGHTS}.mode=inverse_frequency or effective_number."],
        ),
        (
            {"train.plateau_factor": 1.0, "train.plateau_patience": 4},
            ["train.plateau_patience=4 has no say without train.plateau_factor other than 1.0."],
        ),
        (
            {"train.schedule": "cosine", "train.plateau_factor": 0.2, "train.plateau_patience": 4},
            ["train.plateau_factor=0.2 and train.plateau_patience=4 have no say without "
             "train.schedule=plateau."],
        ),
        (
            {"augment.cutmix_area": 0.2},
            ["augment.cutmix_area=0.2 has no say without augment.cutmix above 0."],
        ),
    ],
)  # fmt: skip
def test_a_setting_without_a_say_is_told_with_what_it_lacks(
    values: dict[str, Any], sentences: list[str]
) -> None:
    assert idle_settings(parse_values(values)) == sentences


def test_values_of_the_start_and_defaults_were_set_by_no_one() -> None:
    start = parse_values({"train.plateau_patience": 3})
    cosine = start.with_values({"train.schedule": "cosine"})
    assert idle_settings(cosine, start) == []
    assert idle_settings(cosine.with_values({"train.plateau_patience": 10}), start) == []
    assert len(idle_settings(cosine.with_values({"train.plateau_patience": 4}), start)) == 1


def test_a_setting_that_a_planned_run_uses_is_not_idle() -> None:
    baseline = parse_values({"model.drop_path": 0.2, "train.ema_decay": 0.9})
    residual = baseline.with_values({"model.residual": True})
    told = ["train.ema_decay=0.9 has no say without train.ema=true."]
    assert idle_settings(baseline, others=[residual]) == told


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(configs)
def test_what_is_told_changes_nothing_of_a_run(config: RunConfig) -> None:
    subjects = [sentence.split(" no say ")[0] for sentence in idle_settings(config)]
    told = [path for subject in subjects for path in re.findall(r"([a-z_.]+)=", subject)]
    defaults = RunConfig().flat()
    without = config.with_values({path: defaults[path] for path in told})
    assert without.fingerprint("tiles") == config.fingerprint("tiles")
    assert idle_settings(without) == []
