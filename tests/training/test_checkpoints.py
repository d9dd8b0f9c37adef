from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from marsseg.training.checkpoints import (
    CheckpointError,
    Checkpoints,
    TrainingState,
    UnreadableError,
    restore,
)
from marsseg.training.optimizer import Watch

pytestmark = pytest.mark.training


def keep(checkpoints: Checkpoints, model, epoch: int, best: int = 1) -> str:
    """Save an epoch and record it, as the training loop does."""
    state = TrainingState(epoch, Watch(0.1, best_epoch=best))
    name = checkpoints.save(state, model, model.optimizer)
    checkpoints.accept(state, name)
    return name


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_restoring_makes_the_next_step_the_same(small, small_step, tmp_path):
    model, checkpoints = small(), Checkpoints(tmp_path)
    small_step(model)
    state = TrainingState(
        3, Watch(0.025, best_epoch=2, best_score=0.61, stale_epochs=1, plateau_epochs=1), 12.5
    )
    checkpoints.accept(state, checkpoints.save(state, model, model.optimizer))
    small_step(model)

    other = small()
    small_step(other)
    small_step(other)
    assert restore(checkpoints.read(3), other, other.optimizer) == state
    small_step(other)
    for value, wanted in zip(
        [*other.variables, *other.optimizer.variables],
        [*model.variables, *model.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(value.numpy(), wanted.numpy())


def test_the_last_two_and_the_best_are_kept_once_they_are_recorded(small, tmp_path):
    model, checkpoints = small(), Checkpoints(tmp_path, launch="abcd1234")
    for epoch, best in ((1, 1), (2, 2), (3, 2), (9999, 2)):
        keep(checkpoints, model, epoch, best)
    state = TrainingState(10000, Watch(0.1, best_epoch=2))
    newest = checkpoints.save(state, model, model.optimizer)
    kept = ["epoch-0002-abcd1234.npz", "epoch-0003-abcd1234.npz", "epoch-9999-abcd1234.npz"]
    assert names(tmp_path) == sorted([*kept, newest])
    checkpoints.accept(state, newest)
    assert names(tmp_path) == sorted([kept[0], kept[2], newest])


def test_the_best_one_of_the_epoch_before_outlives_a_new_best(small, tmp_path):
    """Else a newest file that is damaged would take the best weights of the epochs before with it."""
    model, checkpoints = small(), Checkpoints(tmp_path)
    for epoch, best in ((1, 1), (2, 1), (3, 1), (4, 4)):
        keep(checkpoints, model, epoch, best)
    assert names(tmp_path) == ["epoch-0001.npz", "epoch-0003.npz", "epoch-0004.npz"]
    keep(checkpoints, model, 5, best=4)
    assert names(tmp_path) == ["epoch-0004.npz", "epoch-0005.npz"]


def test_it_does_so_in_the_first_epoch_of_a_new_launch_too(small, tmp_path):
    model, first = small(), Checkpoints(tmp_path)
    recorded = [(epoch, keep(first, model, epoch)) for epoch in (1, 2, 3)]
    second = Checkpoints(tmp_path, launch="second", recorded=recorded)
    second.go_on_after(3, best_epoch=1)
    keep(second, model, 4, best=4)
    assert names(tmp_path) == ["epoch-0001.npz", "epoch-0003.npz", "epoch-0004-second.npz"]


def test_files_of_another_launch_are_left_alone_while_training(small, tmp_path):
    """A worker that was suspended, and does not know yet that the run went on without it, writes in vain."""
    model = small()
    slow, quick = Checkpoints(tmp_path, launch="slow"), Checkpoints(tmp_path, launch="quick")
    for epoch in (1, 2, 3):
        keep(quick, model, epoch, best=3)
    before = names(tmp_path)
    late = slow.save(TrainingState(1, Watch(0.1, best_epoch=1)), model, model.optimizer)
    slow.discard(late)
    assert names(tmp_path) == before


def test_going_on_removes_what_no_recorded_epoch_needs(small, tmp_path):
    model, first = small(), Checkpoints(tmp_path, launch="first")
    recorded = [(epoch, keep(first, model, epoch)) for epoch in (1, 2, 3)]
    first.save(TrainingState(4, Watch(0.1)), model, model.optimizer)  # killed before it was recorded
    (tmp_path / ".epoch-0005-first.npz.77.tmp").write_bytes(b"killed while writing")
    second = Checkpoints(tmp_path, launch="second", recorded=recorded)
    second.go_on_after(2)
    assert names(tmp_path) == ["epoch-0001-first.npz", "epoch-0002-first.npz"]
    assert second.epochs() == [2, 1]


def test_a_folder_that_is_gone_is_no_trouble(tmp_path):
    checkpoints = Checkpoints(tmp_path / "missing", recorded=[(1, "epoch-0001.npz"), (2, None)])
    checkpoints.go_on_after(2)
    with pytest.raises(UnreadableError, match=r"Checkpoint epoch-0001\.npz is gone"):
        checkpoints.read(1)
    with pytest.raises(UnreadableError, match="Epoch 2 has no checkpoint"):
        checkpoints.read(2)


@pytest.mark.parametrize("share", [0, 0.1, 0.6, 0.99])
def test_a_file_that_was_cut_short_cannot_be_read(small, tmp_path, share):
    checkpoints = Checkpoints(tmp_path)
    path = tmp_path / keep(checkpoints, small(), 1)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableError, match=r"Checkpoint epoch-0001\.npz cannot be read \(.+\)"):
        checkpoints.read(1)


def test_a_flipped_byte_is_noticed_wherever_it_is(small, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    path = tmp_path / keep(checkpoints, small(), 1)
    content, good, noticed = path.read_bytes(), checkpoints.read(1), 0
    places = range(0, len(content), 7)
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            read = checkpoints.read(1)
        except UnreadableError:
            noticed += 1
        else:  # dates and the like in the archive's own directory
            assert read.state == good.state
            for value, wanted in zip(read.model, good.model, strict=True):
                np.testing.assert_array_equal(value, wanted)
    assert noticed > len(places) / 2


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EMFILE, errno.EACCES])
def test_a_file_that_the_disk_does_not_give_now_is_not_called_damaged(tmp_path, monkeypatch, number):
    checkpoints = Checkpoints(tmp_path, recorded=[(1, "epoch-0001.npz")])

    def refuse(path, **_how):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(CheckpointError, match=r"cannot be read now .*; nothing was removed") as told:
        checkpoints.read(1)
    assert not isinstance(told.value, UnreadableError)


def test_a_folder_in_the_place_of_a_file_is_as_good_as_gone(tmp_path):
    (tmp_path / "epoch-0001.npz").mkdir()
    checkpoints = Checkpoints(tmp_path, recorded=[(1, "epoch-0001.npz")])
    with pytest.raises(UnreadableError, match="is gone"):
        checkpoints.read(1)


def test_a_checkpoint_of_another_network_is_refused(small, tmp_path):
    model, checkpoints, other = small(3), Checkpoints(tmp_path), small(5)
    keep(checkpoints, model, 1)
    with pytest.raises(CheckpointError, match="does not fit this network"):
        restore(checkpoints.read(1), other, other.optimizer)
