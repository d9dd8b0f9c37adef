from __future__ import annotations

import logging

import h5py
import numpy as np
import pytest

from marsseg.training.checkpoints import (
    CheckpointError,
    Checkpoints,
    TrainingState,
    load_weights,
    restore,
    save_weights,
)
from marsseg.training.optimizer import Watch

pytestmark = pytest.mark.training


@pytest.fixture
def small():
    """A network with every kind of state: weights, statistics, a dropout seed, optimizer slots."""
    import keras

    def build(units: int = 3):
        image = keras.Input((4,))
        x = keras.layers.Dropout(0.5, seed=1)(keras.layers.BatchNormalization()(image))
        model = keras.Model(image, keras.layers.Dense(units)(x))
        model.compile(optimizer=keras.optimizers.AdamW(0.1), loss="mse")
        model.optimizer.build(model.trainable_variables)
        return model

    return build


def step(model) -> None:
    generator = np.random.default_rng(0)
    shape = (8, model.output_shape[-1])
    model.train_on_batch(generator.random((8, 4)), generator.random(shape))


def test_restoring_makes_the_next_step_the_same(small, tmp_path):
    model, checkpoints = small(), Checkpoints(tmp_path)
    step(model)
    state = TrainingState(
        3, Watch(0.025, best_epoch=2, best_score=0.61, stale_epochs=1, plateau_epochs=1), 12.5
    )
    checkpoints.save(state, model, model.optimizer)
    step(model)

    other = small()
    step(other)
    step(other)
    assert restore(checkpoints.find_latest(), other, other.optimizer) == state
    step(other)
    for value, wanted in zip(
        [*other.variables, *other.optimizer.variables],
        [*model.variables, *model.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(value.numpy(), wanted.numpy())


def test_the_last_two_are_kept_in_order_of_epochs(small, tmp_path):
    model, checkpoints = small(), Checkpoints(tmp_path)
    for epoch in (8, 9, 10, 9999, 10000):
        checkpoints.save(TrainingState(epoch, Watch(0.1)), model, model.optimizer)
    assert [path.name for path in checkpoints.paths()] == ["epoch-9999.npz", "epoch-10000.npz"]
    assert checkpoints.find_latest().state.epoch == 10000


@pytest.mark.parametrize("keep", [0, 100, 0.6])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(small, tmp_path, caplog, keep):
    model, checkpoints = small(), Checkpoints(tmp_path)
    for epoch in (1, 2):
        newest = checkpoints.save(TrainingState(epoch, Watch(0.1)), model, model.optimizer)
    content = newest.read_bytes()
    newest.write_bytes(content[: keep if keep > 1 else int(len(content) * keep)])
    with caplog.at_level(logging.WARNING):
        assert checkpoints.find_latest().state.epoch == 1
    assert "epoch-0002.npz" in caplog.text


def test_a_flipped_byte_is_noticed(small, tmp_path):
    model, checkpoints = small(), Checkpoints(tmp_path)
    path = checkpoints.save(TrainingState(1, Watch(0.1)), model, model.optimizer)
    content = bytearray(path.read_bytes())
    content[content.index(b"\x93NUMPY") + 140] ^= 0xFF
    path.write_bytes(content)
    assert checkpoints.find_latest() is None


def test_no_checkpoint_is_none_and_leftovers_are_cleaned(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    (tmp_path / ".epoch-0001.npz.77.tmp").write_bytes(b"half")
    assert checkpoints.find_latest() is None
    checkpoints.clean()
    assert list(tmp_path.iterdir()) == []
    Checkpoints(tmp_path / "missing").clean()


def test_a_checkpoint_of_another_network_is_refused(small, tmp_path):
    model, checkpoints, other = small(3), Checkpoints(tmp_path), small(5)
    checkpoints.save(TrainingState(1, Watch(0.1)), model, model.optimizer)
    with pytest.raises(CheckpointError, match="does not fit this network"):
        restore(checkpoints.find_latest(), other, other.optimizer)


def test_best_weights_replace_the_earlier_ones(small, tmp_path):
    model, path = small(), tmp_path / "new" / "best.weights.h5"
    save_weights(model, path)
    step(model)
    save_weights(model, path)
    other = small()
    load_weights(other, path)
    for value, wanted in zip(other.weights, model.weights, strict=True):
        np.testing.assert_array_equal(value.numpy(), wanted.numpy())
    assert list(path.parent.iterdir()) == [path]


def test_weights_are_saved_without_the_optimizer_and_fit_a_new_network(tmp_path):
    import keras

    from marsseg.config import ModelConfig
    from marsseg.training.networks import build_network

    config = ModelConfig(filters=4, depth=2, residual=True, squeeze_excite=True, dropout=0.1)
    model = build_network(config, seed=1)
    model.compile(optimizer=keras.optimizers.AdamW(0.1), loss="mse")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path / "best.weights.h5"
    save_weights(model, path)
    fresh = build_network(config, seed=2)
    fresh.load_weights(path)
    for value, wanted in zip(fresh.weights, model.weights, strict=True):
        np.testing.assert_array_equal(value.numpy(), wanted.numpy())
    with h5py.File(path) as file:
        assert "optimizer" not in file
