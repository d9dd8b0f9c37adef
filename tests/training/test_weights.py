from __future__ import annotations

import h5py
import numpy as np
import pytest

from marsseg.training.checkpoints import UnreadableError
from marsseg.training.weights import load_weights, save_weights

pytestmark = pytest.mark.training


def test_best_weights_replace_the_earlier_ones(small, small_step, tmp_path):
    model, path = small(), tmp_path / "new" / "best.weights.h5"
    save_weights(model, path)
    small_step(model)
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


@pytest.mark.parametrize("content", [b"", b"no such format"])
def test_a_damaged_file_is_named(small, tmp_path, content):
    path = tmp_path / "best.weights.h5"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"best\.weights\.h5 cannot be read"):
        load_weights(small(), path)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_network_cannot_be_loaded(small, tmp_path):
    save_weights(small(3), tmp_path / "best.weights.h5")
    with pytest.raises(UnreadableError, match=r"best\.weights\.h5 cannot be read"):
        load_weights(small(5), tmp_path / "best.weights.h5")
