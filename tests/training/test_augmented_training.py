"""Augmentation reaches the network, and a run with all of it continues exactly after a kill."""

from __future__ import annotations

import pytest

from marsseg.data.augmenting import CHANGES

pytestmark = pytest.mark.training

ALL_ON = {f"augment.{change}": 0.5 for change in CHANGES} | {"augment.rock_oversampling": 2.0}


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the trainer may catch it."""


def test_the_loss_is_that_of_augmented_tiles(make_trainer, tiny_config, new_notebook):
    plain, augmented = new_notebook(), new_notebook()
    make_trainer(tiny_config({"train.epochs": 1}), "plain", plain).train()
    make_trainer(tiny_config({"train.epochs": 1, "augment.brightness": 1.0}), "augmented", augmented).train()
    assert plain.epochs[0].loss != pytest.approx(augmented.epochs[0].loss, rel=1e-3)


def test_a_killed_run_continues_exactly(make_trainer, tiny_config, new_notebook):
    config = tiny_config({**ALL_ON, "train.epochs": 3})
    straight, interrupted, resumed = new_notebook(), new_notebook(), new_notebook()
    make_trainer(config, "straight", straight).train()

    def kill_in_second_epoch(heard):
        if heard.epoch == 2 and heard.step == 2:
            raise KilledError

    interrupted.on_progress = kill_in_second_epoch
    with pytest.raises(KilledError):
        make_trainer(config, "broken", interrupted).train()
    make_trainer(config, "broken", resumed, recorded=interrupted.recorded()).train()
    assert len(interrupted.epochs) == 1
    assert interrupted.numbers() + resumed.numbers() == straight.numbers()
