from __future__ import annotations

import math

import numpy as np
import pytest

from marsseg.config import TrainConfig
from marsseg.training.optimizer import Watch, build_optimizer

RULES = TrainConfig(learning_rate=0.01, plateau_factor=0.5, plateau_patience=2, early_stop_patience=5)


def follow(scores: list[float], config: TrainConfig = RULES) -> list[Watch]:
    states = [Watch(config.learning_rate)]
    for epoch, score in enumerate(scores, start=1):
        states.append(states[-1].after(epoch, score, config))
    return states[1:]


def test_the_rate_drops_after_each_full_patience_without_improvement():
    rates = [state.learning_rate for state in follow([0.4, 0.3, 0.3, 0.3, 0.3, 0.3])]
    assert rates == [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025]


def test_an_improvement_starts_the_patience_anew_and_keeps_the_rate():
    states = follow([0.4, 0.3, 0.5, 0.4, 0.4])
    assert [state.learning_rate for state in states] == [0.01, 0.01, 0.01, 0.01, 0.005]
    assert (states[-1].best_epoch, states[-1].best_score) == (3, 0.5)


def test_an_equal_score_is_no_improvement():
    state = follow([0.4, 0.4])[-1]
    assert (state.best_epoch, state.stale_epochs) == (1, 1)


def test_early_stop_counts_from_the_best_epoch_across_drops_of_the_rate():
    states = follow([0.1, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3])
    assert [state.stops_early(RULES) for state in states] == [False] * 6 + [True]


def test_a_factor_of_one_switches_the_plateau_rule_off():
    config = RULES.model_copy(update={"plateau_factor": 1.0})
    assert {state.learning_rate for state in follow([0.4] + [0.1] * 8, config)} == {0.01}


def test_a_score_that_is_no_number_is_worse_than_any_other():
    states = follow([math.nan, 0.0, math.nan, 0.2])
    assert [state.best_epoch for state in states] == [1, 2, 2, 4]


def test_without_any_score_the_longest_training_is_the_best():
    """As where no validation tile holds what is scored: nothing speaks for the first epoch."""
    state = follow([math.nan] * 8)[-1]
    assert (state.best_epoch, state.stale_epochs, state.learning_rate) == (8, 0, 0.01)


def test_a_state_survives_being_written_down():
    state = follow([0.4, 0.3, 0.3])[-1]
    assert Watch(**state.to_dict()) == state


@pytest.mark.training
def test_weight_decay_shrinks_kernels_and_leaves_biases_and_norms_alone():
    import keras

    image = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(2, 3, bias_initializer="ones", name="conv")(image)
    x = keras.layers.BatchNormalization(beta_initializer="ones", name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(3, bias_initializer="ones", name="dense")(x))
    optimizer = build_optimizer(TrainConfig(learning_rate=0.1, weight_decay=0.5), model)
    before = {v.path: v.numpy() for v in model.trainable_variables}
    optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables])
    for variable in model.trainable_variables:
        shrinks = variable.name == "kernel"
        factor = 1 - 0.1 * 0.5 if shrinks else 1.0
        np.testing.assert_allclose(variable.numpy(), before[variable.path] * factor, rtol=1e-6)
