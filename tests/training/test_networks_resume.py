"""A run with coarse outputs, drop path, dropout, averages and cosine goes on exactly after a kill."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.training

OPTIONS = {
    "model.architecture": "deeplabv3plus",
    "model.depth": 1,
    "model.residual": True,
    "model.drop_path": 0.4,
    "model.dropout": 0.2,
    "model.deep_supervision": True,
    "train.epochs": 2,
    "train.ema": True,
    "train.schedule": "cosine",
}


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the trainer may catch it."""


def kill_in_second_epoch(heard):
    if (heard.phase, heard.epoch, heard.step) == ("training", 2, 1):
        raise KilledError


def state_of(trainer):
    """Weights of both networks, statistics, seeds, averages and optimizer."""
    variables = [*trainer.model.variables, *trainer.optimizer.variables]
    return [(v.path, v.numpy()) for v in variables]


@pytest.mark.long
def test_a_killed_run_continues_exactly_and_uses_one_output(make_trainer, tiny_config, new_notebook):
    config = tiny_config(OPTIONS)
    whole, broken, resumed = new_notebook(), new_notebook(), new_notebook()
    straight = make_trainer(config, "straight", whole)
    straight.train()
    broken.on_progress = kill_in_second_epoch
    with pytest.raises(KilledError):
        make_trainer(config, "broken", broken).train()
    trainer = make_trainer(config, "broken", resumed, recorded=broken.recorded())
    outcome = trainer.train()

    assert resumed.starts == [(1, "Goes on after epoch 1 of 2.")]
    assert broken.numbers() + resumed.numbers() == whole.numbers()
    wanted = state_of(straight)
    for (_, value), (path, expected) in zip(state_of(trainer), wanted, strict=True):
        np.testing.assert_array_equal(value, expected, err_msg=path)
    paths = [path for path, _ in wanted]
    assert sum("seed_generator" in path for path in paths) == 6  # three blocks, dropout and drop path in each
    assert any(path.startswith("bottleneck_head/") for path in paths)

    trainer.load_best(outcome)
    exported = trainer.exportable()
    assert [tuple(output.shape) for output in exported.outputs] == [(None, None, None, 5)]
    assert not any("bottleneck_head" in weight.path for weight in exported.weights)
