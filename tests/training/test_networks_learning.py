"""Networks of all kinds learn four tiles by heart, and stay themselves when saved and exported."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.training.networks import build_networks
from tests.training.network_checks import compile_networks, saves_loads_and_exports, train_step

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("fresh_session")]

ARCHITECTURES = ("unet", "unet3plus", "deeplabv3plus")
DIAGONAL = [("unet", "plain"), ("unet3plus", "resnet"), ("deeplabv3plus", "densenet")]
TOGGLES = [
    {},
    {"encoder": "resnet"},
    {"encoder": "densenet"},
    {"encoder": "resnet", "drop_path": 0.2},
    {"bottleneck": "aspp"},
    {"bottleneck": "pyramid_pooling"},
    {"deep_supervision": True},
    {"squeeze_excite": True},
    {"squeeze_excite": True, "se_kind": "spatial"},
    {"squeeze_excite": True, "se_kind": "both"},
    {"squeeze_excite": True, "se_placement": "bottleneck"},
    {"residual": True},
    {"residual": True, "drop_path": 0.2},
    {"skip_gate": "gated"},
    {"skip_gate": "attention"},
    {"skip_gate": "sigmoid_only"},
    {"activation": "leaky_relu"},
    {"activation": "elu"},
    {"activation": "gelu"},
    {"activation": "silu"},
    {"normalization": "group"},
    {"normalization": "none"},
    {"dropout": 0.05},
]
EVERY_TOGGLE = [
    {"architecture": architecture, **toggle}
    for architecture, toggle in itertools.product(ARCHITECTURES, TOGGLES)
    if architecture != "deeplabv3plus" or "bottleneck" not in toggle  # it has a pyramid of its own
]


def draw_tiles():
    """Blocks of the four terrains, each with a gray level of its own, under noise."""
    rng = np.random.default_rng(0)
    masks = np.kron(rng.integers(1, 5, (4, 4, 8)), np.ones((8, 8), int))
    grays = np.array([0, -1.5, -0.5, 0.5, 1.5])[masks] + rng.normal(0, 0.15, masks.shape)
    return grays[..., None].astype("float32"), masks


def terrain_mean_iou(masks, predicted):
    shared = [((masks == c) & (predicted == c)).sum() for c in range(1, 5)]
    either = [((masks == c) | (predicted == c)).sum() for c in range(1, 5)]
    return np.mean(np.divide(shared, either))


def learns_by_heart(config):
    """Train until the tiles are known; returns the networks.

    Without normalisation in smaller steps: at a rate of 0.02, units of ReLU go out for good.
    """
    rate, steps = (0.005, 600) if config.normalization == "none" else (0.02, 300)
    x, masks = draw_tiles()
    networks = build_networks(config, seed=0)
    compile_networks(networks, keras.optimizers.Adam(rate))
    score = 0.0
    for step in range(steps):
        train_step(networks, x, masks)
        if step % 25 == 24:
            logits = np.asarray(networks.inference(x, training=False))
            score = terrain_mean_iou(masks, logits[..., 1:].argmax(axis=-1) + 1)
            if score > 0.95:
                return networks
    pytest.fail(f"Terrain mean IoU is {score:.3f} after {steps} steps.")


def small(**fields):
    return ModelConfig(**{"depth": 2, "filters": 4, "groups": 2, "se_ratio": 2, **fields})


def words(fields):
    return "-".join(value if isinstance(value, str) else f"{name}={value}" for name, value in fields.items())


@pytest.mark.parametrize(("architecture", "encoder"), DIAGONAL)
def test_networks_learn_four_tiles_by_heart(architecture, encoder):
    learns_by_heart(small(architecture=architecture, encoder=encoder))


@pytest.mark.long
@pytest.mark.parametrize("fields", EVERY_TOGGLE, ids=words)
def test_every_architecture_learns_with_every_toggle_and_stays_itself(fields, tmp_path):
    config = small(**fields)
    network = learns_by_heart(config).inference
    sizes = [(2, 64, 128), (1, 256, 256)]
    saves_loads_and_exports(network, config, tmp_path, np.random.default_rng(1), sizes)
