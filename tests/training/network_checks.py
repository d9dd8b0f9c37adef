"""What every network must pass, whatever its fields: learning, saving, loading, export, any size."""

from __future__ import annotations

import keras
import numpy as np
import onnxruntime

from marsseg.config import LossConfig
from marsseg.inference.predictor import load_predictor
from marsseg.training.exporting import export_onnx
from marsseg.training.losses import build_loss
from marsseg.training.networks import build_networks

REST_WITH_A_DEAD_SQUEEZE = ("_se_reduce/kernel", "_se_reduce/bias", "_se_expand/kernel")
"""What may rest in one step: with two squeeze units of ReLU a block, both may happen to be off at the start.

Then nothing reaches these three; the bias behind them learns all the same, and so must everything else.
"""
MEAN, STD = 0.4, 0.25


def images(rng, batch, height, width):
    return rng.normal(size=(batch, height, width, 1)).astype("float32")


def compile_networks(networks, optimizer):
    """One loss for each output, weighted as the networks say.

    The optimizer's variables are made here: made while a step is traced, they have it traced twice.
    """
    losses = [build_loss(LossConfig(dice=0.5), (0, 1, 1, 1, 1)) for _ in networks.output_weights]
    networks.training.compile(optimizer, losses, loss_weights=list(networks.output_weights))
    optimizer.build(networks.training.trainable_variables)


def train_step(networks, x, mask):
    """Train on every output; returns the loss."""
    targets = [mask] * len(networks.output_weights)
    loss = networks.training.train_on_batch(x, targets if len(targets) > 1 else mask)
    return float(np.ravel(loss)[0])


def trains_saves_loads_and_exports(config, folder, rng, sizes):
    """Steps in graph mode, then the same logits from the network, its saved copy and ONNX Runtime.

    The first step moves every weight. The others let the statistics of batch normalisation come near those
    of the features: before, they magnify the last digit, and Keras itself is 1.3e-4 from double precision.
    """
    networks = build_networks(config, seed=1)
    compile_networks(networks, keras.optimizers.Adam(0.005))
    model = networks.training
    before = [weight.copy() for weight in model.get_weights()]
    x, mask = images(rng, 3, 32, 32), rng.integers(0, 5, (3, 32, 32))
    assert np.isfinite(train_step(networks, x, mask))
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    still = [weight.path for weight, old, new in pairs if np.array_equal(old, new)]
    assert all(path.endswith(REST_WITH_A_DEAD_SQUEEZE) for path in still), still
    for _ in range(20):
        train_step(networks, x, mask)
    saves_loads_and_exports(networks.inference, config, folder, rng, sizes)


def saves_loads_and_exports(network, config, folder, rng, sizes):
    """The same logits from a network, its saved copy and ONNX Runtime; masks of sizes that do not halve."""
    network.save(folder / "network.keras")
    facts = {"mean": str(MEAN), "std": str(STD), "multiple": str(2**config.depth)}
    export_onnx(network, folder / "network.onnx", facts)
    loaded = keras.saving.load_model(folder / "network.keras")
    session = onnxruntime.InferenceSession(folder / "network.onnx", providers=["CPUExecutionProvider"])
    for size in sizes:
        x = images(rng, *size)
        expected = np.asarray(network(x, training=False))
        assert expected.shape == (*size, 5)
        np.testing.assert_array_equal(np.asarray(loaded(x, training=False)), expected)
        (exported,) = session.run(None, {"image": x})
        # Single precision has seven digits, and without normalisation trained logits may exceed 100.
        closest = max(1e-4, 2e-6 * np.abs(expected).max())
        np.testing.assert_allclose(exported, expected, rtol=0, atol=closest)
    segments_any_size(network, config, load_predictor(folder / "network.onnx"), rng)


def segments_any_size(network, config, predictor, rng):
    """An image of 45×71 is continued by reflection, classified, and cut to its size again.

    Every pixel gets a class whose logit is the best one, or as near to it as single precision tells apart.
    """
    image = rng.integers(0, 256, (45, 71), dtype=np.uint8)
    more = [-side % 2**config.depth for side in image.shape]
    padded = np.pad(image, [(0, more[0]), (0, more[1])], mode="reflect") / 255
    x = ((padded - MEAN) / STD)[None, ..., None].astype("float32")
    terrain = np.asarray(network(x, training=False))[0, :45, :71, 1:]
    mask = predictor.segment(image).mask
    assert mask.shape == image.shape
    assert mask.min() >= 1  # never background
    picked = np.take_along_axis(terrain, mask[..., None].astype(int) - 1, axis=-1)[..., 0]
    np.testing.assert_allclose(picked, terrain.max(axis=-1), rtol=0, atol=2e-4)
    assert (mask == terrain.argmax(axis=-1) + 1).mean() > 0.9
    # A wrong class would be told from the right one: what is compared differs by more than it may differ.
    assert np.ptp(terrain, axis=-1).min() > 2e-4
