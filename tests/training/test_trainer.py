from __future__ import annotations

import math

import numpy as np
import pytest

from marsseg.metrics import mean_iou
from marsseg.store.records import Phase, RunStatus
from marsseg.training.evaluation import predict_split
from marsseg.training.reporting import StopFlag
from marsseg.training.trainer import DivergedError

pytestmark = pytest.mark.training


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the trainer may catch it."""


def variables(trainer) -> list[np.ndarray]:
    return [v.numpy() for v in [*trainer.model.variables, *trainer.optimizer.variables]]


def test_a_run_learns_reports_and_keeps_its_files(make_trainer, tiny_config, notebook, tmp_path):
    config = tiny_config({"train.epochs": 20, "train.learning_rate": 0.03})
    trainer = make_trainer(config, notebook=notebook)
    outcome = trainer.train()
    trainer.load_best(outcome)

    assert (outcome.status, outcome.reason) == (RunStatus.COMPLETED, "20 epochs")
    assert [record.epoch for record in notebook.epochs] == list(range(1, 21))
    scores = [record.val_terrain_miou for record in notebook.epochs]
    assert max(scores) > 0.5  # four classes by gray level alone; chance is below 0.2
    assert outcome.best_epoch == int(np.argmax(scores)) + 1
    assert outcome.train_seconds == pytest.approx(sum(record.seconds for record in notebook.epochs))
    assert notebook.told["parameters"] == trainer.model.count_params()
    assert notebook.told["class_weights"].tolist() == [0, 1, 1, 1, 1]

    found = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*.*")}
    previews = {f"previews/epoch-{epoch:04d}.npy" for epoch in range(21)}
    checkpoints = {"checkpoints/epoch-0019.npz", "checkpoints/epoch-0020.npz"}
    assert found == {"best.weights.h5", "previews/rows.npy"} | previews | checkpoints
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
    plain = trainer.model.train_on_batch
    trainer.model.train_on_batch = lambda *batch: losses.append(plain(*batch)) or losses[-1]
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
    trainer = trainer_in(tmp_path_factory.mktemp("straight"), tiny_config(DROPOUT), notebook, None)
    trainer.train()
    assert len({record.learning_rate for record in notebook.epochs}) > 1  # the plateau rule has worked
    return notebook, variables(trainer)


@pytest.mark.parametrize("moment", ["mid-epoch", "before checkpoint"])
def test_a_killed_run_continues_exactly(make_trainer, tiny_config, new_notebook, straight, moment):
    config = tiny_config(DROPOUT)
    interrupted = new_notebook()

    def kill_in_third_epoch(heard):
        step = getattr(heard, "step", None)
        if heard.epoch == 3 and (step == 2 if moment == "mid-epoch" else step is None):
            raise KilledError

    interrupted.on_progress = interrupted.on_epoch = kill_in_third_epoch
    with pytest.raises(KilledError):
        make_trainer(config, "broken", interrupted).train()

    resumed = new_notebook()
    trainer = make_trainer(config, "broken", resumed)
    outcome = trainer.train()
    expected, at_the_end = straight
    assert interrupted.numbers()[:2] + resumed.numbers() == expected.numbers()
    for value, wanted in zip(variables(trainer), at_the_end, strict=True):
        np.testing.assert_array_equal(value, wanted)
    seconds = sum(record.seconds for record in [*interrupted.epochs[:2], *resumed.epochs])
    assert outcome.train_seconds == pytest.approx(seconds)


def test_a_stopped_run_continues_exactly(make_trainer, tiny_config, new_notebook, straight):
    config, stop, first, second = tiny_config(DROPOUT), StopFlag(), new_notebook(), new_notebook()
    first.on_progress = lambda heard: stop.set() if (heard.epoch, heard.step) == (4, 1) else None
    trainer = make_trainer(config, "stopped", first, stop)
    outcome = trainer.train()
    trainer.load_best(outcome)
    assert outcome.status is RunStatus.STOPPED
    assert outcome.reason == "stopped in epoch 4 after step 1 of 3"
    assert outcome.scores == f"the scores are those of epoch {outcome.best_epoch}, the best of 3"

    make_trainer(config, "stopped", second).train()
    assert first.numbers() + second.numbers() == straight[0].numbers()


def test_best_weights_lost_with_the_process_are_made_again(make_trainer, tiny_config, tmp_path):
    config = tiny_config({"train.epochs": 1})
    first = make_trainer(config)
    first.train()
    best = first.best_weights
    wanted = [v.numpy() for v in first.model.weights]
    best.unlink()
    again = make_trainer(config)
    outcome = again.train()
    again.load_best(outcome)
    assert outcome.reason == "1 epoch"
    for value, want in zip(again.model.weights, wanted, strict=True):
        np.testing.assert_array_equal(value.numpy(), want)


def test_a_run_stopped_in_its_first_epoch_says_so_and_records_no_epoch(
    make_trainer, tiny_config, notebook, tmp_path
):
    stop = StopFlag()
    notebook.on_progress = lambda heard: stop.set() if heard.step == 2 else None
    trainer = make_trainer(tiny_config(), notebook=notebook, stop=stop)
    outcome = trainer.train()
    trainer.load_best(outcome)
    assert (outcome.status, outcome.best_epoch) == (RunStatus.STOPPED, None)
    assert outcome.reason == "stopped in epoch 1 after step 2 of 3"
    assert outcome.scores == "no epoch was completed, so the scores are those of the weights at that moment"
    assert notebook.epochs == []
    assert trainer.best_weights.exists()
    assert trainer.checkpoints.paths() == []


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
        if (heard.epoch, heard.step) == (2, 1):
            head.bias.assign(head.bias * math.nan)

    notebook.on_progress = poison
    with pytest.raises(DivergedError, match="loss became NaN in epoch 2, step 2; last finite weights kept"):
        trainer.train()
    kept = trainer.checkpoints.find_latest()
    assert kept.state.epoch == 1
    assert all(np.isfinite(array).all() for array in kept.model)


def test_weights_spoilt_by_the_last_step_of_an_epoch_are_never_kept(make_trainer, tiny_config, notebook):
    trainer = make_trainer(tiny_config(), notebook=notebook)
    head = trainer.model.get_layer("head")
    notebook.on_progress = lambda heard: head.bias.assign(head.bias + math.inf) if heard.step == 3 else None
    with pytest.raises(DivergedError, match="in the validation after epoch 1; no weights were kept"):
        trainer.train()
    assert trainer.checkpoints.paths() == []
    assert not trainer.best_weights.exists()


def test_progress_goes_from_building_to_the_last_step(make_trainer, tiny_config, notebook):
    make_trainer(tiny_config({"train.epochs": 2}), notebook=notebook).train()
    phases = [heard.phase for heard in notebook.heard]
    assert phases[0] is Phase.BUILDING
    training = [heard for heard in notebook.heard if heard.phase is Phase.TRAINING]
    assert [(heard.epoch, heard.step) for heard in training] == [(e, s) for e in (1, 2) for s in (1, 2, 3)]
    assert {(heard.epochs, heard.steps) for heard in training} == {(2, 3)}
    assert training[0].images_per_second is None
    assert training[-1].images_per_second > 0
    assert training[-1].seconds_left < training[1].seconds_left


def test_seeds_decide_everything(make_trainer, tiny_config, new_notebook):
    books = [new_notebook() for _ in range(3)]
    for name, seed, book in zip("abc", (1, 1, 2), books, strict=True):
        make_trainer(tiny_config({"train.seed": seed, "train.epochs": 1}), name, book).train()
    assert books[0].numbers() == books[1].numbers() != books[2].numbers()
