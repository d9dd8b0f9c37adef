from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

from marsseg.metrics import mean_iou
from marsseg.store.records import Phase, RunStatus
from marsseg.training.evaluation import predict_split
from marsseg.training.reporting import StopFlag

pytestmark = pytest.mark.training


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the trainer may catch it."""


def variables(trainer) -> list[np.ndarray]:
    return [v.numpy() for v in [*trainer.model.variables, *trainer.optimizer.variables]]


def test_a_run_learns_reports_and_keeps_its_files(make_trainer, tiny_config, notebook, tmp_path):
    config = tiny_config({"train.epochs": 20, "train.learning_rate": 0.03})
    trainer = make_trainer(config, notebook=notebook)
    outcome = trainer.train()

    assert (outcome.status, outcome.reason) == (RunStatus.COMPLETED, "20 epochs")
    assert [record.epoch for record in notebook.epochs] == list(range(1, 21))
    scores = [record.val_terrain_miou for record in notebook.epochs]
    assert max(scores) > 0.5  # four classes by gray level alone; chance is below 0.2
    assert outcome.best_epoch == int(np.argmax(scores)) + 1
    assert notebook.told["parameters"] == trainer.model.count_params()
    assert notebook.told["class_weights"].tolist() == [0, 1, 1, 1, 1]

    best = outcome.best_epoch
    found = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*.*")}
    previews = {f"previews/epoch-{epoch:04d}.npy" for epoch in range(21)}
    checkpoints = {f"checkpoints/epoch-{epoch:04d}-first.npz" for epoch in (best, 19, 20)}
    assert found == {"previews/rows.npy"} | previews | checkpoints
    assert checkpoints == {f"checkpoints/{notebook.epochs[epoch - 1].checkpoint}" for epoch in (best, 19, 20)}
    shown = np.load(tmp_path / "run" / "previews" / "epoch-0020.npy")
    assert (shown.shape, shown.dtype) == ((8, 16, 32), np.uint8)


def test_the_best_weights_score_what_the_best_epoch_recorded(make_trainer, tiny_config, notebook):
    config = tiny_config({"train.epochs": 5, "train.learning_rate": 0.05})
    trainer = make_trainer(config, notebook=notebook)
    outcome = trainer.train()
    trainer.load_best(outcome)
    prediction = predict_split(trainer.evaluate, trainer.material.validation, batch_size=8)
    best = notebook.epochs[outcome.best_epoch - 1]
    assert mean_iou(prediction.confusions["terrain_only"].sum(axis=0), "terrain") == best.val_terrain_miou
    assert prediction.loss == best.val_loss


def test_the_recorded_loss_is_the_mean_over_the_steps(make_trainer, tiny_config, notebook):
    trainer = make_trainer(tiny_config({"train.epochs": 1}), notebook=notebook)
    losses = []
    plain = trainer.train_step
    trainer.train_step = lambda *batch: losses.append(plain(*batch)) or losses[-1]
    trainer.train()
    assert len(losses) == trainer.steps == 3
    assert notebook.epochs[0].loss == pytest.approx(np.mean(losses), rel=1e-6)


DROPOUT = {
    "model.dropout": 0.2,
    "model.residual": True,
    "train.epochs": 6,
    "train.plateau_patience": 1,
    "train.weight_decay": 0.01,
    "train.learning_rate": 1.0,  # too high on purpose: the score stalls, so that the plateau rule has work
    "train.seed": 2,
    "data.flip_vertical": True,
}


@pytest.fixture(scope="module")
def straight(trainer_in, tiny_config, new_notebook, tmp_path_factory):
    """Six epochs without a break: the notebook, and all variables at the end."""
    notebook = new_notebook()
    trainer = trainer_in(tmp_path_factory.mktemp("straight"), tiny_config(DROPOUT), notebook)
    trainer.train()
    assert len({record.learning_rate for record in notebook.epochs}) > 1  # the plateau rule has worked
    return notebook, variables(trainer)


@pytest.mark.parametrize(
    "moment", [pytest.param("mid-epoch", marks=pytest.mark.long), "between checkpoint and record"]
)
def test_a_killed_run_continues_exactly(make_trainer, tiny_config, new_notebook, straight, moment):
    config = tiny_config(DROPOUT)
    interrupted = new_notebook()

    def kill_in_third_epoch(heard):
        if heard.epoch == 3 and getattr(heard, "step", 2) == 2:
            raise KilledError

    if moment == "mid-epoch":
        interrupted.on_progress = kill_in_third_epoch
    else:
        interrupted.on_epoch = kill_in_third_epoch
    with pytest.raises(KilledError):
        make_trainer(config, "broken", interrupted).train()

    resumed = new_notebook()
    trainer = make_trainer(config, "broken", resumed, recorded=interrupted.recorded())
    trainer.train()
    expected, at_the_end = straight
    assert resumed.starts == [(2, "Goes on after epoch 2 of 6.")]
    assert interrupted.numbers() + resumed.numbers() == expected.numbers()
    for value, wanted in zip(variables(trainer), at_the_end, strict=True):
        np.testing.assert_array_equal(value, wanted)
    seconds = sum(record.seconds for record in [*interrupted.epochs, *resumed.epochs])
    assert trainer.checkpoints.read(6).state.train_seconds == pytest.approx(seconds)


def test_a_stopped_run_continues_exactly(make_trainer, tiny_config, new_notebook, straight):
    config, stop, first, second = tiny_config(DROPOUT), StopFlag(), new_notebook(), new_notebook()
    first.on_progress = lambda heard: stop.set() if (heard.epoch, heard.step) == (4, 1) else None
    trainer = make_trainer(config, "stopped", first, stop=stop)
    outcome = trainer.train()
    trainer.load_best(outcome)
    assert outcome.status is RunStatus.STOPPED
    assert outcome.sentence().startswith("stopped in epoch 4 after step 1 of 3; ")
    assert outcome.scores == f"the scores are those of epoch {outcome.best_epoch}, the best of 3"

    make_trainer(config, "stopped", second, recorded=first.recorded()).train()
    assert first.numbers() + second.numbers() == straight[0].numbers()


def test_a_run_stopped_in_its_first_epoch_says_so_and_records_no_epoch(
    make_trainer, tiny_config, notebook, tmp_path
):
    stop = StopFlag()
    notebook.on_progress = lambda heard: stop.set() if heard.step == 2 else None
    trainer = make_trainer(tiny_config(), notebook=notebook, stop=stop)
    outcome = trainer.train()
    trainer.load_best(outcome)
    assert (outcome.status, outcome.best_epoch) == (RunStatus.STOPPED, None)
    assert outcome.sentence().startswith("stopped in epoch 1 after step 2 of 3; ")
    assert outcome.scores == "no epoch was completed, so the scores are those of the weights at that moment"
    assert notebook.epochs == notebook.starts == []
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_early_stop_names_the_epoch_and_the_patience(make_trainer, tiny_config, notebook):
    still = {"train.learning_rate": 1e-9, "model.normalization": "none"}  # no moving averages either
    config = tiny_config({"train.epochs": 9, "train.early_stop_patience": 2, **still})
    trainer = make_trainer(config, notebook=notebook)
    trainer.optimizer.weight_decay = 0.0
    outcome = trainer.train()
    last = notebook.epochs[-1].epoch
    assert last == outcome.best_epoch + 2 < 9
    assert outcome.status is RunStatus.COMPLETED
    assert outcome.reason == f"early stop after epoch {last}: no better validation score for 2 epochs"


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_weights(
    make_trainer, tiny_config, notebook
):
    trainer = make_trainer(tiny_config(), notebook=notebook)
    head = trainer.model.get_layer("head")

    def poison(heard):
        if (heard.phase, heard.epoch, heard.step) == (Phase.TRAINING, 2, 1):
            head.bias.assign(head.bias * math.nan)

    notebook.on_progress = poison
    outcome = trainer.train()
    assert (outcome.status, outcome.best_epoch) == (RunStatus.FAILED, 1)
    assert outcome.sentence() == (
        "loss became NaN in epoch 2, step 2; last finite weights kept, those after epoch 1; "
        "the scores are those of epoch 1. Try a lower learning rate."
    )
    kept = trainer.checkpoints.read(1)
    assert all(np.isfinite(array).all() for array in kept.model)
    trainer.load_best(outcome)
    assert all(np.isfinite(weight.numpy()).all() for weight in trainer.model.weights)


def test_weights_spoilt_by_the_last_step_of_an_epoch_are_never_kept(
    make_trainer, tiny_config, notebook, tmp_path
):
    trainer = make_trainer(tiny_config(), notebook=notebook)
    head = trainer.model.get_layer("head")

    def spoil(heard):
        if (heard.phase, heard.step) == (Phase.TRAINING, 3):
            head.bias.assign(head.bias + math.inf)

    notebook.on_progress = spoil
    outcome = trainer.train()
    assert not outcome.has_scores
    assert re.fullmatch(
        r"loss became (NaN|infinite) in the validation after epoch 1; no weights were kept\. "
        r"Try a lower learning rate\.",
        outcome.sentence(),
    )
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_stop_in_a_hurry_does_not_wait_for_the_validation(make_trainer, tiny_config, notebook):
    stop = StopFlag()
    notebook.on_progress = lambda heard: stop.hurry() if heard.phase is Phase.VALIDATING else None
    outcome = make_trainer(tiny_config({"train.batch_size": 4}), notebook=notebook, stop=stop).train()
    assert outcome.sentence(left_out="not evaluated") == (
        "stopped in epoch 1 after step 6 of 6; not evaluated, as asked"
    )
    assert notebook.heard[-1].step == 1 < notebook.heard[-1].steps
    assert notebook.epochs == []


def test_progress_goes_from_building_to_the_last_step(make_trainer, tiny_config, notebook):
    make_trainer(tiny_config({"train.epochs": 2}), notebook=notebook).train()
    phases = [phase for phase, _ in itertools.groupby(heard.phase for heard in notebook.heard)]
    assert phases == [Phase.BUILDING, *[Phase.TRAINING, Phase.VALIDATING, Phase.SAVING] * 2]
    training = [heard for heard in notebook.heard if heard.phase is Phase.TRAINING]
    steps = [(1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)]
    assert [(heard.epoch, heard.step) for heard in training] == steps
    assert {(heard.epochs, heard.steps) for heard in training} == {(2, 3)}
    assert training[0].images_per_second is training[0].step_seconds is None
    assert training[-1].images_per_second > 0
    assert training[-1].step_seconds > 0
    assert training[-1].seconds_left < training[1].seconds_left


def test_seeds_decide_everything(make_trainer, tiny_config, new_notebook):
    books = [new_notebook() for _ in range(3)]
    for name, seed, book in zip("abc", (1, 1, 2), books, strict=True):
        make_trainer(tiny_config({"train.seed": seed, "train.epochs": 1}), name, book).train()
    assert books[0].numbers() == books[1].numbers() != books[2].numbers()
