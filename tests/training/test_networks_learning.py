"""Networks of all kinds learn four tiles by heart."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.training.networks import build_networks
from tests.training.network_checks import compile_networks, train_step

pytestmark = pytest.mark.training

PAIRS = list(itertools.product(("unet", "unet3plus", "deeplabv3plus"), ("plain", "resnet", "densenet")))
DIAGONAL = [("unet", "plain"), ("unet3plus", "resnet"), ("deeplabv3plus", "densenet")]
TOGGLES = [
    {"bottleneck": "aspp"},
    {"bottleneck": "pyramid_pooling"},
    {"deep_supervision": True},
    {"squeeze_excite": True},
    {"squeeze_excite": True, "se_kind": "spatial"},
    {"squeeze_excite": True, "se_kind": "both"},
    {"squeeze_excite": True, "se_placement": "bottleneck"},
    {"residual": True, "drop_path": 0.2},
    {"skip_gate": "gated"},
    {"skip_gate": "attention"},
    {"skip_gate": "sigmoid_only"},
    {"activation": "gelu"},
    {"normalization": "group"},
    {"normalization": "none"},
]


@pytest.fixture(autouse=True)
def _fresh_session():
    yield
    keras.utils.clear_session()


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


def best_score_within(steps, config):
    x, masks = draw_tiles()
    networks = build_networks(config, seed=0)
    compile_networks(networks, keras.optimizers.Adam(0.02))
    score = 0.0
    for step in range(steps):
        train_step(networks, x, masks)
        if step % 25 == 24 and score <= 0.95:
            logits = np.asarray(networks.inference(x, training=False))
            score = terrain_mean_iou(masks, logits[..., 1:].argmax(axis=-1) + 1)
        if score > 0.95:
            break
    return score


def small(**fields):
    return ModelConfig(**{"depth": 2, "filters": 4, "groups": 2, "se_ratio": 2, **fields})


@pytest.mark.parametrize(("architecture", "encoder"), DIAGONAL)
def test_networks_learn_four_tiles_by_heart(architecture, encoder):
    assert best_score_within(300, small(architecture=architecture, encoder=encoder)) > 0.95


@pytest.mark.long
@pytest.mark.parametrize(("architecture", "encoder"), [pair for pair in PAIRS if pair not in DIAGONAL])
def test_every_architecture_learns_with_every_encoder(architecture, encoder):
    assert best_score_within(300, small(architecture=architecture, encoder=encoder)) > 0.95


@pytest.mark.long
@pytest.mark.parametrize("fields", TOGGLES, ids=lambda fields: "-".join(map(str, fields.values())))
def test_every_toggle_learns(fields):
    assert best_score_within(300, small(**fields)) > 0.95
