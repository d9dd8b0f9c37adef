from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from marsseg.training.evaluation import predict_split, save_predictions
from marsseg.training.inputs import Standardizer, Tiles

pytestmark = pytest.mark.training


@pytest.fixture
def tiles() -> Tiles:
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (9, 4, 8), dtype=np.uint8)
    masks = generator.integers(0, 5, (9, 4, 8), dtype=np.uint8)
    return Tiles(images, masks, np.array([1, 2, 4, 5, 7]), Standardizer(0.5, 0.25))


@pytest.fixture
def step(tiles):
    """Evaluation of a fixed 1×1 convolution, so that NumPy can do the same by hand."""
    import keras

    from marsseg.config import LossConfig
    from marsseg.training.backend import build_evaluation_step
    from marsseg.training.losses import build_loss

    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(5, 1)(image))
    model.set_weights([KERNEL.reshape(1, 1, 1, 5), BIAS])
    return build_evaluation_step(model, build_loss(LossConfig(), [0.5, 1, 1, 2, 1]))


KERNEL = np.array([0.1, -0.4, 0.5, 1.0, -1.2], np.float32)
BIAS = np.array([0.9, 0.2, 0.1, -0.3, 0.0], np.float32)


def by_hand(tiles: Tiles) -> tuple[np.ndarray, np.ndarray]:
    images = (tiles.images[tiles.rows] / 255 - 0.5) / 0.25
    return images[..., None] * KERNEL + BIAS, tiles.masks[tiles.rows]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_predictions_and_confusions_agree_with_numpy_and_scikit_learn(tiles, step, batch_size):
    logits, truth = by_hand(tiles)
    prediction = predict_split(step, tiles, batch_size)
    expected = {"argmax": logits.argmax(-1), "terrain_only": logits[..., 1:].argmax(-1) + 1}
    assert (expected["argmax"] == 0).any()  # so that the two decodings differ
    np.testing.assert_array_equal(prediction.rows, tiles.rows)
    for decoding, masks in expected.items():
        np.testing.assert_array_equal(prediction.masks[decoding], masks)
        assert prediction.masks[decoding].dtype == np.uint8
        for found, true, predicted in zip(prediction.confusions[decoding], truth, masks, strict=True):
            np.testing.assert_array_equal(
                found, confusion_matrix(true.ravel(), predicted.ravel(), labels=range(5))
            )


def test_the_loss_is_the_mean_over_all_tiles_whatever_the_batches(tiles, step):
    logits, truth = by_hand(tiles)
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    picked = np.take_along_axis(shares, truth[..., None].astype(int), -1)[..., 0]
    expected = (np.array([0.5, 1, 1, 2, 1])[truth] * -np.log(picked)).mean()
    for batch_size in (2, 5):
        assert predict_split(step, tiles, batch_size).loss == pytest.approx(expected, rel=1e-5)


def test_progress_counts_batches(tiles, step):
    heard = []
    predict_split(step, tiles, 2, on_batch=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_saved_predictions_are_plain_arrays_in_the_order_of_the_rows(tiles, step, tmp_path):
    prediction = predict_split(step, tiles, 4)
    save_predictions(prediction, "test", tmp_path)
    for decoding in ("argmax", "terrain_only"):
        saved = np.load(tmp_path / f"test_{decoding}.npy", allow_pickle=False)
        np.testing.assert_array_equal(saved, prediction.masks[decoding])
