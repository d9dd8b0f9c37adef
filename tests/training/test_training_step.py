"""One compiled step: clipping, several outputs, XLA."""

from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from marsseg.config import LossConfig, TrainConfig
from marsseg.settings import PROJECT_ROOT
from marsseg.training.backend import build_training_step
from marsseg.training.evaluation import predict_split
from marsseg.training.losses import build_loss
from marsseg.training.networks import Networks
from marsseg.training.optimizer import build_optimizer

pytestmark = pytest.mark.training

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(3, 8, 8, 1)).astype(np.float32)
MASKS = GENERATOR.integers(0, 5, (3, 8, 8)).astype(np.uint8)


def two_outputs() -> Networks:
    """A network with a second head that only training has."""
    image = keras.Input((None, None, 1), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="body")(image)
    logits = keras.layers.Conv2D(5, 1, name="head")(x)
    extra = keras.layers.Conv2D(5, 1, name="extra")(x)
    return Networks(keras.Model(image, [logits, extra]), keras.Model(image, logits), (0.75, 0.25))


def cross_entropy(logits: np.ndarray) -> float:
    """Mean over all pixels, in float64."""
    log_p = log_softmax(np.asarray(logits, np.float64), axis=-1)
    return -np.take_along_axis(log_p, MASKS[..., np.newaxis].astype(int), axis=-1).mean()


def prepare(networks: Networks, config: TrainConfig, **options):
    keras.utils.set_random_seed(0)
    optimizer = build_optimizer(config, networks.training)
    loss = build_loss(LossConfig(), [1.0] * 5)
    return optimizer, build_training_step(
        networks.training, optimizer, loss, networks.output_weights, **options
    )


def test_several_outputs_are_trained_on_the_weighted_sum_of_their_losses():
    networks = two_outputs()
    _, step = prepare(networks, TrainConfig(learning_rate=0.05))
    losses = []
    for _ in range(20):
        main, extra = networks.training(IMAGES)
        losses.append(step(IMAGES, MASKS))
        assert losses[-1] == pytest.approx(0.75 * cross_entropy(main) + 0.25 * cross_entropy(extra), rel=1e-5)
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(networks.inference(IMAGES), networks.training(IMAGES)[0])


def test_the_gradient_of_a_head_carries_the_weight_of_its_output():
    """A head's own bias gets weight · mean(p − t) a class; Adam's first momentum is a tenth of that."""
    networks = two_outputs()
    optimizer, step = prepare(networks, TrainConfig())
    expected = {}
    for name, weight, logits in zip(("head", "extra"), (0.75, 0.25), networks.training(IMAGES), strict=True):
        p = np.exp(log_softmax(np.asarray(logits, np.float64), axis=-1))
        expected[name] = weight * (p - np.eye(5)[MASKS]).mean(axis=(0, 1, 2))
    step(IMAGES, MASKS)
    momentum = {v.name: v.numpy() for v in optimizer.variables}
    for name, gradient in expected.items():
        np.testing.assert_allclose(momentum[f"{name}_bias_momentum"], 0.1 * gradient, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("limit", [0.01, 1000.0])
def test_the_gradient_of_all_weights_together_is_clipped(limit):
    """Adam's first momentum is a tenth of the gradient that it was given."""
    found = {}
    for norm in (0.0, limit):
        networks = two_outputs()
        draw = np.random.default_rng(1).normal
        networks.training.set_weights([draw(size=weight.shape) for weight in networks.training.weights])
        optimizer, step = prepare(networks, TrainConfig(clip_norm=norm))
        step(IMAGES, MASKS)
        momenta = [v.numpy() for v in optimizer.variables if v.name.endswith("momentum")]
        found[norm] = 10 * np.concatenate([m.ravel() for m in momenta]).astype(np.float64)
    whole, clipped = found[0.0], found[limit]
    length = np.linalg.norm(whole)
    assert length > 0.1
    factor = min(1.0, limit / length)
    np.testing.assert_allclose(clipped, whole * factor, rtol=1e-4, atol=1e-8)


def test_a_run_trains_all_outputs_and_is_judged_by_the_first(
    make_trainer, tiny_config, notebook, monkeypatch, tmp_path
):
    monkeypatch.setattr("marsseg.training.trainer.build_networks", lambda *_, **__: two_outputs())
    trainer = make_trainer(tiny_config({"train.epochs": 2, "train.ema": True}), notebook=notebook)
    before = trainer.networks.training.get_layer("extra").kernel.numpy()
    outcome = trainer.train()
    after = trainer.networks.training.get_layer("extra").kernel.numpy()
    assert (before != after).all()
    assert notebook.epochs[1].loss < notebook.epochs[0].loss
    assert notebook.told["parameters"] == 40 + 25  # body and head, as the network is used

    kept = trainer.checkpoints.read(2).model
    assert [array.shape for array in kept][-2:] == [(1, 1, 4, 5), (5,)]
    assert len(kept) == 6  # kernels and biases of body, head and extra
    trainer.load_best(outcome)
    best = notebook.epochs[outcome.best_epoch - 1]
    found = predict_split(trainer.evaluate, trainer.material.validation, batch_size=8)
    assert found.loss == best.val_loss
    trainer.save_best()
    fresh = two_outputs().inference
    fresh.load_weights(tmp_path / "run" / "best.weights.h5")
    for loaded, kept_weight in zip(fresh.weights, trainer.networks.inference.weights, strict=True):
        np.testing.assert_array_equal(loaded.numpy(), kept_weight.numpy())


def losses_of_three_steps(*, xla: bool) -> tuple[bool, list[float]]:
    """Whether the step is compiled by XLA, and what it returns."""
    networks = two_outputs()
    draw = np.random.default_rng(1).normal
    networks.training.set_weights([draw(size=weight.shape) for weight in networks.training.weights])
    _, step = prepare(networks, TrainConfig(deterministic=False, xla=xla), xla=xla)
    return networks.training.jit_compile, [step(IMAGES, MASKS) for _ in range(3)]


def test_xla_compiles_the_step_and_gives_the_same_losses():
    """In a process of its own: TensorFlow refuses XLA once some test has made it deterministic."""
    code = """
import json
from tests.training.test_training_step import losses_of_three_steps
print(json.dumps([losses_of_three_steps(xla=xla) for xla in (False, True)]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, check=True)
    (_, plain), (is_compiled, compiled) = json.loads(done.stdout)
    assert is_compiled
    assert compiled == pytest.approx(plain, rel=1e-4)
    assert compiled[2] < compiled[0]
