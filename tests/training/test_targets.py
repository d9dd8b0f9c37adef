"""Stage one of two: a network that learns background against terrain, and is chosen by that alone."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from marsseg.config import LossConfig
from marsseg.metrics import confusion_matrices
from marsseg.training.evaluation import predict_split
from marsseg.training.losses import BackgroundLoss, build_loss
from marsseg.training.preparation import prepare
from tests.training.conftest import Notebook

pytestmark = pytest.mark.training

BACKGROUND = {
    "data.target": "background",
    "loss.class_weights.background": 1.0,
    "model.depth": 1,
    "train.epochs": 12,
    "train.learning_rate": 0.03,
}


def test_loss_sees_one_terrain_class():
    rng = np.random.default_rng(3)
    mask, logits = rng.integers(0, 5, (2, 6, 7)), rng.normal(size=(2, 6, 7, 5)).astype("float32")
    plain = build_loss(LossConfig(dice=0.5), (1.0, 0.5, 0.0, 0.0, 0.0))
    assert float(BackgroundLoss(plain)(mask, logits)) == float(plain((mask > 0).astype(int), logits))


def test_loss_comes_back_from_its_configuration():
    loss = BackgroundLoss(build_loss(LossConfig(), (1.0, 0.5, 0.0, 0.0, 0.0)))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()


def test_terrain_is_one_class_for_the_weights(tiny_config, tiny_arrays):
    config = tiny_config(BACKGROUND | {"loss.class_weights.mode": "inverse_frequency"})
    weights = prepare(config, tiny_arrays, dropped_rows=()).class_weights
    np.testing.assert_array_equal(weights, [1, 1, 0, 0, 0])


def test_the_best_epoch_is_that_of_the_best_background(make_trainer, tiny_config):
    notebook = Notebook()
    trainer = make_trainer(tiny_config(BACKGROUND), notebook=notebook)
    outcome = trainer.train()
    scores = [record.val_class_iou[0] for record in notebook.epochs]
    assert outcome.best_epoch == 1 + int(np.argmax(scores))
    assert max(scores) > 0.8
    assert all(math.isnan(record.val_terrain_miou) for record in notebook.epochs)
    assert all(math.isnan(iou) for record in notebook.epochs for iou in record.val_class_iou[1:])

    trainer.load_best(outcome)
    validation = trainer.material.validation
    (images, truth) = next(validation.batches(len(validation)))
    predicted, _, _ = trainer.evaluate(images, truth)
    both = ((predicted == 0) & (truth == 0)).sum() / ((predicted == 0) | (truth == 0)).sum()
    assert max(scores) == pytest.approx(both)
    judged = predict_split(trainer.evaluate, validation, 8)
    np.testing.assert_array_equal(judged.confusions["argmax"], confusion_matrices(truth, predicted))
