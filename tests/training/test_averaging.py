"""Averaged weights in a run that also has cosine, warm-up and clipping: what is judged, and exact resume."""

from __future__ import annotations

import numpy as np
import pytest

from marsseg.training.averaging import Averages
from marsseg.training.evaluation import predict_split

pytestmark = pytest.mark.training

OPTIONS = {
    "model.depth": 1,
    "model.dropout": 0.2,
    "train.epochs": 3,
    "train.learning_rate": 0.05,
    "train.ema": True,
    "train.ema_decay": 0.8,
    "train.schedule": "cosine",
    "train.warmup_epochs": 1,
    "train.clip_norm": 0.5,
}


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the trainer may catch it."""


def values(variables) -> list[np.ndarray]:
    return [variable.numpy() for variable in variables]


def assert_equal(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


class Watched:
    """A trainer whose weights, averages and rates are written down as it goes."""

    def __init__(self, trainer) -> None:
        self.trainer = trainer
        self.weights: list[list[np.ndarray]] = []  # after each step
        self.rates: list[float] = []
        self.averages: list[list[np.ndarray]] = []  # after each epoch, as validation saw them
        plain_step, plain_validate = trainer.train_step, trainer._validate

        def step(images, masks):
            self.rates.append(float(trainer.optimizer.learning_rate.numpy()))
            loss = plain_step(images, masks)
            self.weights.append(values(trainer.model.weights))
            return loss

        def validate(epoch):
            self.averages.append(values(trainer.model.weights))
            return plain_validate(epoch)

        trainer.train_step, trainer._validate = step, validate


@pytest.fixture(scope="module")
def straight(trainer_in, tiny_config, new_notebook, tmp_path_factory):
    """Three epochs without a break."""
    notebook = new_notebook()
    watched = Watched(trainer_in(tmp_path_factory.mktemp("straight"), tiny_config(OPTIONS), notebook))
    outcome = watched.trainer.train()
    trainer = watched.trainer
    return watched, notebook, outcome, values([*trainer.model.variables, *trainer.optimizer.variables])


def test_averages_follow_the_weights_of_every_step(straight):
    watched, *_ = straight
    average, steps = [w.astype(np.float64) for w in watched.weights[0]], watched.trainer.steps
    for step, weights in enumerate(watched.weights[1:], start=2):
        average = [0.8 * a + 0.2 * w for a, w in zip(average, weights, strict=True)]
        if step % steps == 0:
            for found, wanted in zip(watched.averages[step // steps - 1], average, strict=True):
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert len(watched.averages) == 3


def test_every_step_has_its_rate_and_the_epoch_records_its_last(straight):
    watched, notebook, *_ = straight
    assert watched.trainer.steps == 3
    fall = 0.0005 + (0.05 - 0.0005) * np.cos(np.linspace(0, np.pi / 2, 6)) ** 2
    expected = [0.05 / 3, 0.1 / 3, 0.05, *fall]
    assert watched.rates == pytest.approx(expected)
    recorded = [record.learning_rate for record in notebook.epochs]
    assert recorded == pytest.approx([expected[2], expected[5], expected[8]])


def test_training_goes_on_from_the_raw_weights_and_they_are_in_the_checkpoint(straight):
    watched, *_, at_the_end = straight
    last = watched.trainer.checkpoints.read(3).model
    assert_equal(last, at_the_end[: len(last)])
    variables = watched.trainer.model.variables
    places = {variable.path: place for place, variable in enumerate(variables)}
    raw = [last[places[variable.path]] for variable in watched.trainer.model.weights]
    assert_equal(raw, watched.weights[-1])
    assert any((a != w).any() for a, w in zip(watched.averages[-1], raw, strict=True))


def test_the_best_weights_are_the_averages_that_validation_saw(straight):
    watched, notebook, outcome, _ = straight
    watched.trainer.load_best(outcome)
    assert_equal(values(watched.trainer.model.weights), watched.averages[outcome.best_epoch - 1])
    validation = watched.trainer.material.validation
    found = predict_split(watched.trainer.evaluate, validation, batch_size=8)
    assert found.loss == notebook.epochs[outcome.best_epoch - 1].val_loss


@pytest.mark.parametrize("moment", ["mid-epoch", pytest.param("validation", marks=pytest.mark.long)])
def test_a_killed_run_continues_exactly(make_trainer, tiny_config, new_notebook, straight, moment):
    interrupted, resumed = new_notebook(), new_notebook()

    def kill_in_second_epoch(heard):
        phase = "validating" if moment == "validation" else "training"
        if (heard.phase, heard.epoch, heard.step) == (phase, 2, 1):
            raise KilledError

    interrupted.on_progress = kill_in_second_epoch
    with pytest.raises(KilledError):
        make_trainer(tiny_config(OPTIONS), "broken", interrupted).train()

    trainer = make_trainer(tiny_config(OPTIONS), "broken", resumed, recorded=interrupted.recorded())
    outcome = trainer.train()
    _, notebook, wanted, at_the_end = straight
    assert resumed.starts == [(1, "Goes on after epoch 1 of 3.")]
    assert interrupted.numbers() + resumed.numbers() == notebook.numbers()
    assert outcome.best_epoch == wanted.best_epoch
    assert_equal(values([*trainer.model.variables, *trainer.optimizer.variables]), at_the_end)


def averaging(small):
    """The small network with an optimizer that averages."""
    import keras

    model = small()
    model.compile(keras.optimizers.AdamW(0.1, use_ema=True, ema_momentum=0.5), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_raw_weights_come_back_bit_for_bit_even_after_an_error(small, small_step):
    model = averaging(small)
    averages = Averages(model, model.optimizer, 0.5)
    for _ in range(2):
        small_step(model)
        averages.update()
    model.trainable_variables[0].assign([np.nan, -0.0, 1e-45, 3.0])
    raw = [value.tobytes() for value in values(model.variables)]

    def judge():
        with averages.in_place():
            assert all(np.isfinite(weight.numpy()).all() for weight in model.weights)
            raise KilledError

    with pytest.raises(KilledError):
        judge()
    assert [value.tobytes() for value in values(model.variables)] == raw


def test_before_the_first_step_there_is_nothing_to_average(small):
    model = averaging(small)
    raw = values(model.weights)
    with Averages(model, model.optimizer, 0.5).in_place():
        assert_equal(values(model.weights), raw)


def test_a_run_without_averages_has_none_of_their_variables(small, small_step):
    model = small()
    before = len(model.optimizer.variables)
    averages = Averages(model, model.optimizer, 0.5)
    small_step(model)
    averages.update()
    raw = values(model.weights)
    with averages.in_place():
        assert_equal(values(model.weights), raw)
    assert len(model.optimizer.variables) == before
