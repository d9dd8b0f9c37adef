"""Where a run goes on, with the training loop itself: files cut short, gone, unrecorded, of old versions."""

from __future__ import annotations

import errno
import shutil

import numpy as np
import pytest

from marsseg.errors import StateError
from marsseg.training.checkpoints import CheckpointError, Checkpoints
from marsseg.training.reporting import StoreReporter
from marsseg.training.resuming import find_start

pytestmark = pytest.mark.training

STALLS = {"train.learning_rate": 0.3, "train.seed": 1, "train.plateau_patience": 1}
"""Far too high a rate: the first epoch stays the best one."""


@pytest.fixture(scope="module")
def four_epochs(trainer_in, tiny_config, new_notebook, tmp_path_factory):
    """The folder and notebook of a run of four epochs whose best one is the first."""
    folder, notebook = tmp_path_factory.mktemp("four"), new_notebook()
    outcome = trainer_in(folder, tiny_config(STALLS), notebook).train()
    assert outcome.best_epoch == 1
    return folder, notebook


@pytest.fixture
def folder(four_epochs, tmp_path):
    """A copy of that folder, to be damaged; `make_trainer` works in it."""
    return shutil.copytree(four_epochs[0], tmp_path / "run")


@pytest.fixture
def go_on(make_trainer, tiny_config, new_notebook, four_epochs):
    """Extend the run to five epochs; returns the trainer, its outcome and its notebook."""

    def train():
        notebook = new_notebook()
        config = tiny_config({**STALLS, "train.epochs": 5})
        trainer = make_trainer(config, "run", notebook, recorded=four_epochs[1].recorded())
        return trainer, trainer.train(), notebook

    return train


def checkpoint_names(folder) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def cut(path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def test_the_newest_checkpoint_is_gone_on_from(folder, go_on):
    _, outcome, notebook = go_on()
    assert notebook.starts == [(4, "Goes on after epoch 4 of 5.")]
    assert [record.epoch for record in notebook.epochs] == [5]
    assert outcome.best_epoch == notebook.best_epoch == 1
    kept = ["epoch-0001-first.npz", "epoch-0004-first.npz", "epoch-0005-second.npz"]
    assert checkpoint_names(folder) == kept


def test_a_newest_checkpoint_that_was_cut_short_gives_way_to_the_one_before(folder, go_on, four_epochs):
    cut(folder / "checkpoints" / "epoch-0004-first.npz")
    _, _, notebook = go_on()
    ((epoch, message),) = notebook.starts
    assert epoch == 3
    assert message.startswith("Checkpoint epoch-0004-first.npz cannot be read (")
    assert message.endswith("); goes on after epoch 3.")
    assert notebook.numbers()[0] == four_epochs[1].numbers()[3]


def test_a_newest_checkpoint_that_was_the_best_takes_no_other_with_it(
    trainer_in, tiny_config, new_notebook, tmp_path
):
    """The epochs after it are as they were, and so is the choice of the best one."""
    notebook, again = new_notebook(), new_notebook()
    outcome = trainer_in(tmp_path, tiny_config(), notebook).train()
    assert outcome.best_epoch == 4
    cut(tmp_path / "checkpoints" / "epoch-0004-first.npz")
    repeated = trainer_in(tmp_path, tiny_config(), again, recorded=notebook.recorded()).train()
    ((epoch, message),) = again.starts
    assert epoch == 3
    assert message.endswith("; goes on after epoch 3.")
    assert again.numbers() == notebook.numbers()[3:]
    assert repeated.best_epoch == 4


def test_a_folder_that_is_gone_begins_anew(folder, go_on, four_epochs):
    shutil.rmtree(folder / "checkpoints")
    _, _, notebook = go_on()
    why = "Checkpoint epoch-0004-first.npz is gone, and no other can be read; begins anew."
    assert notebook.starts == [(0, why)]
    assert notebook.numbers()[:4] == four_epochs[1].numbers()


def test_a_disk_that_gives_nothing_for_a_moment_costs_no_epoch(folder, go_on, monkeypatch):
    before = checkpoint_names(folder)

    def refuse(path, **_how):
        raise OSError(errno.ESTALE, "Stale file handle", str(path))

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(CheckpointError, match=r"Stale file handle.*Resume the run when its disk is back"):
        go_on()
    assert checkpoint_names(folder) == before


def test_leftovers_of_a_kill_are_removed_and_not_believed(folder, go_on):
    newest = folder / "checkpoints" / "epoch-0004-first.npz"
    shutil.copy(newest, newest.with_name("epoch-0005-first.npz"))
    newest.with_name(".epoch-0006-first.npz.4242.tmp").write_bytes(b"half")
    _, _, notebook = go_on()
    assert notebook.starts == [(4, "Goes on after epoch 4 of 5.")]
    assert not any("0005-first" in name or name.startswith(".") for name in checkpoint_names(folder))


def test_a_run_whose_best_weights_are_lost_goes_on_and_has_another_best(folder, go_on, four_epochs):
    cut(folder / "checkpoints" / "epoch-0001-first.npz")
    trainer, outcome, notebook = go_on()
    ((epoch, message),) = notebook.starts
    assert epoch == 4
    assert message.startswith("Checkpoint epoch-0001-first.npz cannot be read (")
    assert message.endswith("), the best one; goes on after epoch 4, now the best.")
    fourth, (fifth,) = four_epochs[1].epochs[3], notebook.epochs
    assert outcome.best_epoch == (5 if fifth.val_terrain_miou > fourth.val_terrain_miou else 4)
    assert notebook.best_epoch == outcome.best_epoch
    trainer.load_best(outcome)


@pytest.fixture
def earlier_version(folder, four_epochs, trainer_in, tiny_config):
    """The files as earlier versions left them: two checkpoints without a launch, best weights beside them."""
    trainer = trainer_in(folder, tiny_config(STALLS), recorded=four_epochs[1].recorded())
    trainer.load_best(trainer.train())
    trainer.save_best()
    for path in (folder / "checkpoints").glob("*.npz"):
        path.rename(path.with_name(path.name.replace("-first", "")))
    (folder / "checkpoints" / "epoch-0001.npz").unlink()
    recorded = [(epoch, f"epoch-{epoch:04d}.npz") for epoch in (1, 2, 3, 4)]
    return recorded, [weight.numpy() for weight in trainer.model.weights]


def test_best_weights_of_an_earlier_version_are_found(
    earlier_version, folder, make_trainer, tiny_config, new_notebook
):
    recorded, wanted = earlier_version

    notebook = new_notebook()
    config = tiny_config({**STALLS, "train.epochs": 5})
    trainer = make_trainer(config, "run", notebook, recorded=recorded)
    outcome = trainer.train()
    assert notebook.starts == [(4, "Goes on after epoch 4 of 5.")]
    assert outcome.best_epoch == 1
    trainer.load_best(outcome)
    for weight, value in zip(trainer.model.weights, wanted, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_without_those_another_epoch_has_to_be_the_best(earlier_version, folder):
    recorded, _ = earlier_version
    checkpoints = Checkpoints(folder / "checkpoints", recorded=recorded)
    start = find_start(checkpoints, checkpoints.read, epochs=6)
    assert (start.epoch, start.is_best_lost) == (4, True)
    assert checkpoints.is_unsigned(1)


def test_a_launch_that_lost_the_run_before_its_first_step_leaves_the_files_of_the_next_alone(
    lab, trainer_in, tiny_config
):
    """As after a suspension right after it was built: it knows of no epochs, and the next launch has some."""
    run, token = lab.claim(tiny_config())
    folder = lab.settings.run_dir(run.id)
    trainer = trainer_in(folder, tiny_config(), StoreReporter(lab.store, run.id, token))
    lab.claim_again(run)
    (folder / "checkpoints").mkdir(parents=True)
    written = {"epoch-0001-second.npz", ".epoch-0002-second.npz.77.tmp"}
    for name in written:
        (folder / "checkpoints" / name).write_bytes(b"of the second launch")

    with pytest.raises(StateError, match="was launched again"):
        trainer.train()
    assert set(checkpoint_names(folder)) == written
