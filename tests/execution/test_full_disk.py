"""A disk that fills up while a run is training: it says so, loses nothing, and goes on when there is room."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from marsseg import services
from marsseg.settings import Settings
from marsseg.store.records import RunStatus
from tests.execution.killing import CONFIG, EPOCHS, Arena
from tests.support.disks import Mount, filled

pytestmark = pytest.mark.training

MakeArena = Callable[[Path], Arena]
IN_EPOCH_2 = {"phase": "training", "epoch": 2, "step": 1}
ROOM_FOR_PREVIEWS = 40_000
"""Bytes: the masks of a few tiles fit, a checkpoint does not."""
FULL = (
    r"disk full while saving epoch-0002-\w+\.npz: [\d.]+ [kM]B were needed, [\d.]+ [kM]B are free in .*\. "
    r"Make room, then resume the run\."
)


@pytest.fixture
def arena_on(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    small_course_file: Path,
    mount: Mount,
    no_leftover_processes: None,
) -> Iterator[MakeArena]:
    """Make an arena after a folder of its home was put on a small disk."""
    made: list[Arena] = []

    def make(folder: Path) -> Arena:
        mount(folder)
        made.append(Arena.make(settings, monkeypatch, small_course_file))
        return made[0]

    yield make
    for arena in made:
        arena.end()


def start_and_hold(arena: Arena) -> str:
    arena.hold_at(IN_EPOCH_2)
    run = services.submit(arena.lab, CONFIG)
    arena.wait(arena.is_held, "the worker to come to epoch 2")
    return run.id


def assert_nothing_was_spoilt(arena: Arena, run_id: str) -> None:
    """The first epoch and its checkpoint are whole, and nothing half-written lies about."""
    (epoch,) = arena.lab.store.list_epochs(run_id)
    folder = services.checkpoints_dir(arena.lab, run_id)
    with np.load(folder / str(epoch.checkpoint), allow_pickle=False) as arrays:
        assert all(arrays[name] is not None for name in arrays.files)
    assert [path.name for path in folder.iterdir()] == [epoch.checkpoint]


def assert_goes_on(arena: Arena, run_id: str) -> None:
    services.resume(arena.lab, run_id)
    assert arena.finish(run_id).status is RunStatus.COMPLETED, arena.story()
    assert [epoch.epoch for epoch in arena.lab.store.list_epochs(run_id)] == list(range(1, EPOCHS + 1))


def test_a_checkpoint_that_does_not_fit_fails_the_run_with_figures(
    arena_on: MakeArena, settings: Settings
) -> None:
    arena = arena_on(settings.runs_dir)
    run_id = start_and_hold(arena)
    with filled(settings.runs_dir, free=ROOM_FOR_PREVIEWS):
        arena.release()
        arena.wait(lambda: arena.run(run_id).status.is_finished, "the run to fail", 120)

    run = arena.run(run_id)
    assert run.status is RunStatus.FAILED
    assert re.fullmatch(FULL, run.reason), run.reason
    assert_nothing_was_spoilt(arena, run_id)
    assert_goes_on(arena, run_id)


@pytest.mark.long
def test_a_store_without_room_keeps_what_it_has(arena_on: MakeArena, settings: Settings) -> None:
    """Nobody can write that the run failed; once there is room, whoever looks is told what became of it."""
    arena = arena_on(settings.home)
    run_id = start_and_hold(arena)
    with filled(settings.home):
        arena.release()
        arena.wait(lambda: not arena.workers(), "the worker to give up", 180)

    services.look_after(arena.lab, run_id)
    arena.wait(lambda: arena.run(run_id).status.is_finished, "the truth to be told", 60)
    run = arena.run(run_id)
    assert run.status in {RunStatus.FAILED, RunStatus.LOST}
    with contextlib.closing(sqlite3.connect(settings.home / "runs.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert_nothing_was_spoilt(arena, run_id)
    assert_goes_on(arena, run_id)
