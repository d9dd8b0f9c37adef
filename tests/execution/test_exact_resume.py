"""A run that was interrupted measures, to the last bit, what one that nobody interrupted measures.

Real schedulers and workers; tests/training/test_exact_resume.py looks closer at workers alone. Compared are
losses, scores, learning rates, the counters of plateau rule and early stopping, confusion matrices, and every
array of the last checkpoint: weights, moments, dropout seeds.
"""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsseg import services
from marsseg.config import RunConfig
from marsseg.settings import Settings
from marsseg.store.records import RunStatus
from tests.execution.killing import CONFIG, Arena, kill_worker, numbers

pytestmark = pytest.mark.training

EPOCHS = 6
SIX = CONFIG.with_values({"train.epochs": EPOCHS, "train.plateau_factor": 0.5})
IN_EPOCH_3 = {"phase": "training", "epoch": 3, "step": 2}


def last_state(arena: Arena, run_id: str) -> dict[str, Any]:
    """All that the last checkpoint holds, but for the time that training took."""
    name = arena.lab.store.list_epochs(run_id)[-1].checkpoint
    assert name is not None
    with np.load(services.checkpoints_dir(arena.lab, run_id) / name, allow_pickle=False) as arrays:
        state = json.loads(str(arrays["state"]))
        values = {key: arrays[key].tobytes() for key in arrays.files if key != "state"}
    return {**values, "watch": state["watch"], "epoch": state["epoch"]}


def everything(arena: Arena, run_id: str) -> dict[str, Any]:
    run = arena.run(run_id)
    assert run.status is RunStatus.COMPLETED, arena.story()
    return {**numbers(arena.lab, run_id), **last_state(arena, run_id), "fingerprint": run.fingerprint}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, small_course_file: Path) -> Iterator[dict[str, Any]]:
    """What six epochs measure in one go."""
    home = tmp_path_factory.mktemp("straight")
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")
    with pytest.MonkeyPatch.context() as patch:
        arena = Arena.make(settings, patch, small_course_file)
        run = services.submit(arena.lab, SIX)
        arena.finish(run.id)
        yield everything(arena, run.id)
        arena.end()


def start_and_hold(arena: Arena, config: RunConfig) -> str:
    arena.hold_at(IN_EPOCH_3)
    run = services.submit(arena.lab, config)
    arena.wait(arena.is_held, "the worker to come to epoch 3")
    return run.id


def test_the_reference_exercises_the_rules(straight: dict[str, Any]) -> None:
    """Else the counters below would prove nothing: the rate has dropped, and after the third epoch too."""
    rates = [epoch[5] for epoch in straight["epochs"]]
    assert rates[-1] < rates[0]
    assert any(later < earlier for earlier, later in itertools.pairwise(rates[3:]))


def test_killed_in_epoch_3_and_resumed(arena: Arena, straight: dict[str, Any]) -> None:
    run_id = start_and_hold(arena, SIX)
    kill_worker(arena, run_id, signal.SIGKILL)
    arena.wait(lambda: arena.run(run_id).status is RunStatus.LOST, "lost", 30)
    assert [epoch.epoch for epoch in arena.lab.store.list_epochs(run_id)] == [1, 2]

    services.resume(arena.lab, run_id)
    arena.finish(run_id)

    assert everything(arena, run_id) == straight
    assert "Goes on after epoch 2 of 6." in [e.message for e in arena.lab.store.list_events(run_id)]


def test_stopped_in_epoch_3_and_resumed(arena: Arena, straight: dict[str, Any]) -> None:
    run_id = start_and_hold(arena, SIX)
    services.stop(arena.lab, run_id)
    for _ in range(2):  # with the first beat the worker hears of it; by the second it has surely understood
        arena.wait_for_beat(run_id)
    stopped = arena.finish(run_id)
    assert stopped.status is RunStatus.STOPPED
    assert stopped.reason.startswith("stopped in epoch 3 after step")
    assert numbers(arena.lab, run_id)["confusions"] != straight["confusions"]

    services.resume(arena.lab, run_id)
    arena.finish(run_id)

    assert everything(arena, run_id) == straight


@pytest.mark.long
def test_extended_from_four_epochs_by_two(arena: Arena, straight: dict[str, Any]) -> None:
    run = services.submit(arena.lab, SIX.with_values({"train.epochs": 4}))
    shorter = arena.finish(run.id)
    assert shorter.status is RunStatus.COMPLETED, arena.story()
    assert shorter.fingerprint != straight["fingerprint"]

    services.extend(arena.lab, run.id, EPOCHS - 4)
    arena.finish(run.id)

    assert everything(arena, run.id) == straight
    assert arena.run(run.id).config == SIX.with_values({"data.dataset": "small"})
