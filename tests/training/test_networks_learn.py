"""A network that cannot learn four tiles by heart is broken somewhere: a gate, a shortcut, a scale."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from marsseg.config import LossConfig
from marsseg.data.demo import RECIPES
from marsseg.data.terrain.noise import TextureBank
from marsseg.data.terrain.scenes import draw_tile
from marsseg.metrics import confusion_matrices, mean_iou
from marsseg.training.networks import build_networks
from tests.training.small_networks import (
    ACTIVATIONS,
    ARCHITECTURES,
    BOTTLENECKS,
    ENCODERS,
    GATES,
    NORMS,
    compiled,
    name_of,
    small_config,
    targets,
)

pytestmark = pytest.mark.training

BASE = {"depth": 2, "filters": 8}
MOST_STEPS = 400
SAMPLE = [
    {"architecture": "unet", "encoder": "densenet", "depth": 1},
    {"architecture": "unet3plus", "encoder": "plain", "depth": 1, "deep_supervision": True},
    {"architecture": "deeplabv3plus", "encoder": "resnet", "depth": 1},
]
TOGGLES = [
    *({"skip_gate": gate} for gate in GATES[1:]),
    *({"excitation": kind} for kind in ("channel", "spatial", "both", "deepest")),
    *({"bottleneck": kind} for kind in BOTTLENECKS[1:]),
    *({"activation": kind} for kind in ACTIVATIONS[1:]),
    *({"normalization": kind} for kind in NORMS[1:]),
    {"residual": True},
    {"residual": True, "drop_path": 0.1},
    {"dropout": 0.1},
    {"deep_supervision": True},
]
EVERYTHING = [
    *({"architecture": a, "encoder": e} for a, e in itertools.product(ARCHITECTURES, ENCODERS)),
    *({"architecture": a, **toggle} for a, toggle in itertools.product(ARCHITECTURES, TOGGLES)),
]


@pytest.fixture(scope="module")
def four_tiles():
    """Four tiles of the demo terrain with all five classes, standardised (4, 64, 128, 1), and their masks."""
    rng = np.random.default_rng(1)
    bank = TextureBank(rng)
    recipes = (RECIPES[9].with_rocks(2), RECIPES[10], RECIPES[11], RECIPES[3].with_rocks(2))
    images, masks = (np.stack(part) for part in zip(*(draw_tile(r, bank, rng) for r in recipes), strict=True))
    assert set(np.unique(masks)) == {0, 1, 2, 3, 4}
    return ((images - images.mean()) / images.std()).astype("float32")[..., None], masks.astype("int32")


@pytest.fixture(autouse=True)
def _fresh_session():
    yield
    keras.utils.clear_session()


def terrain_score(model, images, masks):
    predicted = np.asarray(model(images, training=False))[..., 1:].argmax(axis=-1) + 1
    return mean_iou(confusion_matrices(masks, predicted).sum(axis=0), "terrain")


def learns_by_heart(config, images, masks):
    networks = build_networks(config, seed=0)
    model, scores = compiled(networks, keras.optimizers.AdamW(0.02, weight_decay=0), LossConfig()), []
    while len(scores) < MOST_STEPS / 20:
        for _ in range(20):
            model.train_on_batch(images, targets(networks, masks))
        scores.append(terrain_score(networks.inference, images, masks))
        if scores[-1] > 0.95:
            return
    pytest.fail(f"terrain mean IoU on four tiles after every 20 steps: {np.round(scores, 3)}")


@pytest.mark.parametrize("row", SAMPLE, ids=name_of)
def test_a_small_network_learns_four_tiles(row, four_tiles):
    learns_by_heart(small_config(**{**BASE, **row}), *four_tiles)


@pytest.mark.long
@pytest.mark.parametrize("row", EVERYTHING, ids=name_of)
def test_every_network_and_toggle_learns_four_tiles(row, four_tiles):
    learns_by_heart(small_config(**BASE, **row), *four_tiles)
