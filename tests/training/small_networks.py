"""Networks of all kinds in small: how tests name a combination, and what each must be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime

from marsseg.config import LossConfig, ModelConfig
from marsseg.training.exporting import export_onnx
from marsseg.training.losses import build_loss
from marsseg.training.networks import Networks, build_networks

ARCHITECTURES = ("unet", "unet3plus", "deeplabv3plus")
ENCODERS = ("plain", "resnet", "densenet")
BOTTLENECKS = ("none", "aspp", "pyramid_pooling")
GATES = ("none", "gated", "attention", "sigmoid_only")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu")
NORMS = ("batch", "group", "none")
EXCITATIONS: Mapping[str, Mapping[str, Any]] = {
    "off": {},
    "channel": {"squeeze_excite": True},
    "spatial": {"squeeze_excite": True, "se_kind": "spatial"},
    "both": {"squeeze_excite": True, "se_kind": "both"},
    "deepest": {"squeeze_excite": True, "se_placement": "bottleneck"},
}

REST_WITH_A_DEAD_SQUEEZE = ("_se_reduce/kernel", "_se_reduce/bias", "_se_expand/kernel")
"""What may rest in one step: with two squeeze units of ReLU a block, both may happen to be off at the start.

Then nothing reaches these three; the bias behind them learns all the same, and so must everything else.
"""


def small_config(excitation: str = "off", **fields: Any) -> ModelConfig:
    """A small network; `excitation` is a key of `EXCITATIONS`."""
    small = {"depth": 1, "filters": 4, "groups": 2, "se_ratio": 2}
    return ModelConfig(**{**small, **EXCITATIONS[excitation], **fields})


def name_of(row: Mapping[str, Any]) -> str:
    """A test's name for a combination."""
    return "-".join(key if value is True else str(value) for key, value in row.items() if value)


def normal_images(rng: np.random.Generator, batch: int, height: int, width: int) -> np.ndarray:
    """Standardised noise, (B, H, W, 1)."""
    return rng.normal(size=(batch, height, width, 1)).astype("float32")


def compiled(networks: Networks, optimizer: keras.optimizers.Optimizer, config: LossConfig) -> keras.Model:
    """The network as it is trained, with a loss on each output."""
    loss = build_loss(config, (0, 1, 1, 1, 1))
    weights = networks.output_weights
    if len(weights) == 1:
        networks.training.compile(optimizer, loss)
    else:
        networks.training.compile(optimizer, [loss] * len(weights), loss_weights=list(weights))
    return networks.training


def targets(networks: Networks, mask: np.ndarray) -> np.ndarray | list[np.ndarray]:
    """The mask for each output."""
    outputs = len(networks.output_weights)
    return mask if outputs == 1 else [mask] * outputs


def trains(config: ModelConfig, rng: np.random.Generator) -> keras.Model:
    """Take one step in graph mode that must move every weight; returns the network as it is used."""
    networks = build_networks(config, seed=1)
    model = compiled(networks, keras.optimizers.SGD(0.1), LossConfig(dice=0.5))
    before = [weight.copy() for weight in model.get_weights()]
    mask = rng.integers(0, 5, (4, 32, 32))
    losses = model.train_on_batch(normal_images(rng, 4, 32, 32), targets(networks, mask))
    assert np.isfinite(losses).all()
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    still = [weight.path for weight, old, new in pairs if np.array_equal(old, new)]
    assert all(path.endswith(REST_WITH_A_DEAD_SQUEEZE) for path in still), still
    return networks.inference


def saves_loads_and_exports(
    model: keras.Model, folder: Path, rng: np.random.Generator, sizes: Sequence[tuple[int, int, int]]
) -> None:
    """The same logits must come from the network, its saved copy and ONNX Runtime."""
    model.save(folder / "network.keras")
    export_onnx(model, folder / "network.onnx", {})
    loaded = keras.saving.load_model(folder / "network.keras")
    session = onnxruntime.InferenceSession(folder / "network.onnx", providers=["CPUExecutionProvider"])
    for size in sizes:
        x = normal_images(rng, *size)
        expected = np.asarray(model(x, training=False))
        np.testing.assert_array_equal(np.asarray(loaded(x, training=False)), expected)
        (exported,) = session.run(None, {"image": x})
        np.testing.assert_allclose(exported, expected, rtol=0, atol=1e-4)
