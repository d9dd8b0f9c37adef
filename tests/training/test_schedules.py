"""The learning rate of every step, against formulas written here."""

from __future__ import annotations

import math

import numpy as np
import pytest

from marsseg.config import TrainConfig
from marsseg.training.optimizer import Watch, learning_rate_at

STEPS = 5


def rates(config: TrainConfig, watch: Watch | None = None) -> np.ndarray:
    """(epochs, STEPS), one rate a step."""
    watch = watch or Watch(config.learning_rate)
    return np.array(
        [
            [learning_rate_at(config, watch, epoch, step, STEPS) for step in range(1, STEPS + 1)]
            for epoch in range(1, config.epochs + 1)
        ]
    )


def test_the_cosine_falls_along_half_a_wave_from_the_rate_to_the_floor():
    config = TrainConfig(schedule="cosine", epochs=4, learning_rate=0.02, cosine_floor=0.1)
    wave = 0.002 + (0.02 - 0.002) * (1 + np.cos(np.linspace(0, np.pi, 20))) / 2
    np.testing.assert_allclose(rates(config).ravel(), wave, rtol=1e-12)
    assert rates(config)[0, 0] == 0.02
    assert rates(config)[-1, -1] == pytest.approx(0.002)


def test_the_cosine_begins_where_the_warm_up_ends():
    config = TrainConfig(schedule="cosine", epochs=6, learning_rate=0.01, cosine_floor=0.0, warmup_epochs=2)
    rise = 0.01 * np.arange(1, 11) / 10
    fall = 0.01 * np.cos(np.linspace(0, np.pi / 2, 20)) ** 2  # (1 + cos x) / 2 = cos² (x / 2)
    np.testing.assert_allclose(rates(config).ravel(), np.concatenate([rise, fall]), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("schedule", ["plateau", "constant"])
def test_other_schedules_stay_at_the_top_after_the_warm_up(schedule):
    config = TrainConfig(schedule=schedule, epochs=3, learning_rate=0.3, warmup_epochs=1)
    expected = [0.3 / 5, 0.6 / 5, 0.9 / 5, 1.2 / 5, *[0.3] * 11]
    np.testing.assert_allclose(rates(config).ravel(), expected, rtol=1e-12)


def test_a_warm_up_rises_to_what_the_plateau_rule_has_left():
    config = TrainConfig(epochs=3, learning_rate=0.3, warmup_epochs=2)
    assert rates(config, Watch(0.15))[1].tolist() == pytest.approx([0.09, 0.105, 0.12, 0.135, 0.15])


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_only_the_plateau_rule_listens_to_the_score(schedule):
    rules = {"plateau_patience": 1, "early_stop_patience": 3, "learning_rate": 0.01}
    watches = [Watch(0.01)]
    config = TrainConfig(schedule=schedule, **rules)
    for epoch, score in enumerate([0.5, 0.4, 0.3, 0.2], start=1):
        watches.append(watches[-1].after(epoch, score, config))
    assert {watch.learning_rate for watch in watches} == {0.01}
    assert [watch.stops_early(config) for watch in watches] == [False] * 4 + [True]  # yet all stop early
    assert watches[2].after(3, 0.3, TrainConfig(**rules)).learning_rate == 0.005


def test_an_extended_run_goes_on_where_the_longer_wave_stands():
    short = TrainConfig(schedule="cosine", epochs=4, learning_rate=0.01, cosine_floor=0.0)
    long = short.model_copy(update={"epochs": 8})
    assert rates(short)[-1, -1] == pytest.approx(0.0, abs=1e-12)
    middle = 0.005 * (1 + math.cos(math.pi * 20 / 39))
    assert rates(long)[4, 0] == pytest.approx(middle)


def test_a_run_of_one_step_takes_it_at_the_full_rate():
    config = TrainConfig(schedule="cosine", epochs=1, learning_rate=0.01)
    assert learning_rate_at(config, Watch(0.01), 1, 1, 1) == 0.01
