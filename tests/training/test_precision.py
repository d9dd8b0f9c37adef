"""Mixed precision as far as a CPU can tell: what computes in what, loss scaling, checkpoints, export."""

from __future__ import annotations

import keras
import numpy as np
import onnxruntime
import pytest

from marsseg.config import ModelConfig, TrainConfig
from marsseg.store.records import RunStatus
from marsseg.training.exporting import export_onnx
from marsseg.training.networks import build_networks
from marsseg.training.optimizer import build_optimizer
from marsseg.training.precision import in_full_precision, precision

pytestmark = pytest.mark.training

SMALL = ModelConfig(depth=1, filters=4)


def test_layers_compute_in_half_precision_with_weights_and_logits_in_full():
    with precision(mixed=True):
        network = build_networks(SMALL, seed=0).inference
    convolution = network.get_layer("encoder_1_conv_1")
    assert (convolution.compute_dtype, convolution.kernel.dtype) == ("float16", "float32")
    assert {variable.dtype for variable in network.trainable_variables} == {"float32"}
    assert network.get_layer("logits").compute_dtype == "float32"


def test_what_is_built_afterwards_or_after_an_error_is_in_full_precision():
    with pytest.raises(ZeroDivisionError), precision(mixed=True):
        raise ZeroDivisionError
    assert keras.config.dtype_policy().name == "float32"


def test_the_loss_scale_wraps_the_optimizer_and_a_step_that_overflows_is_left_out():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    config = TrainConfig(learning_rate=0.1, clip_norm=1.0, ema=True, ema_decay=0.5, mixed_precision=True)
    optimizer = build_optimizer(config, model)
    scale = optimizer.dynamic_scale
    assert float(scale.numpy()) == 2**15
    assert any(variable is scale for variable in optimizer.variables)  # so it is in every checkpoint
    before = model.get_weights()

    optimizer.apply([np.full(v.shape, np.inf, np.float32) for v in model.trainable_variables])
    assert float(scale.numpy()) == 2**14
    assert int(optimizer.iterations) == 0
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)

    optimizer.learning_rate.assign(0.25)
    optimizer.apply([np.full(v.shape, 2.0**14, np.float32) for v in model.trainable_variables])
    assert int(optimizer.iterations) == 1
    momentum = next(v for v in optimizer.variables if v.name.endswith("kernel_momentum")).numpy()
    np.testing.assert_allclose(momentum, 0.1 / np.sqrt(3), rtol=1e-5)  # three ones, clipped to length 1
    kernel = before[0] * (1 - 0.25 * config.weight_decay) - 0.25  # Adam's first step is the rate itself
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4)


HALF = {
    "model.depth": 1,
    "train.epochs": 2,
    "train.ema": True,
    "train.mixed_precision": True,
}


@pytest.fixture(scope="module")
def trained(trainer_in, tiny_config, new_notebook, tmp_path_factory):
    """Two epochs in half precision, which a CPU can compute, only slowly."""
    notebook, folder = new_notebook(), tmp_path_factory.mktemp("half")
    trainer = trainer_in(folder, tiny_config(HALF), notebook)
    return trainer, trainer.train(), notebook, folder


def test_a_run_learns_and_few_of_its_steps_overflow(trained):
    trainer, outcome, notebook, _ = trained
    assert outcome.status is RunStatus.COMPLETED
    assert notebook.epochs[1].loss < notebook.epochs[0].loss
    assert int(trainer.optimizer.iterations) > 3  # of six


def test_a_resumed_run_ends_with_the_same_numbers(trained, make_trainer, tiny_config, new_notebook):
    trainer, _, notebook, _ = trained
    first, second = new_notebook(), new_notebook()
    first.on_epoch = lambda record: stop_after(record.epoch)

    def stop_after(epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_trainer(tiny_config(HALF), "broken", first).train()
    again = make_trainer(tiny_config(HALF), "broken", second, recorded=first.recorded())
    again.train()
    assert first.numbers() + second.numbers() == notebook.numbers()
    mine, wanted = again.checkpoints.read(2), trainer.checkpoints.read(2)
    for one, other in zip([*mine.model, *mine.optimizer], [*wanted.model, *wanted.optimizer], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_is_exported_in_full_precision_with_the_weights_that_were_judged(trained):
    trainer, outcome, _, folder = trained
    trainer.load_best(outcome)
    network = trainer.exportable()
    export_onnx(network, folder / "model.onnx", {})
    images = np.random.default_rng(0).normal(size=(2, 16, 32, 1)).astype(np.float32)
    (exported,) = onnxruntime.InferenceSession(folder / "model.onnx").run(["logits"], {"image": images})
    np.testing.assert_allclose(exported, np.asarray(network(images, training=False)), rtol=0, atol=1e-4)
    halves = np.asarray(trainer.networks.inference(images, training=False))
    np.testing.assert_allclose(exported, halves, rtol=0, atol=0.05)
    assert (exported != halves).any()


def test_a_network_in_full_precision_is_exported_as_it_is():
    network = build_networks(SMALL, seed=0).inference
    assert in_full_precision(network, SMALL) is network
