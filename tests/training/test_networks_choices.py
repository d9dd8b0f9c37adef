"""Architectures, encoders and what hangs on them: each trains, is saved, loaded and exported."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.training.networks import build_network, build_networks
from tests.pairwise import pairwise
from tests.training.small_networks import (
    ACTIVATIONS,
    ARCHITECTURES,
    BOTTLENECKS,
    ENCODERS,
    GATES,
    NORMS,
    name_of,
    normal_images,
    saves_loads_and_exports,
    small_config,
    trains,
)

pytestmark = pytest.mark.training

SMOOTH = ACTIVATIONS[1:]
"""Not relu: of the two channels that a small pyramid's mean has, both may happen to be off at the start."""

SAMPLE = pairwise(
    {
        "architecture": ARCHITECTURES,
        "encoder": ENCODERS,
        "bottleneck": BOTTLENECKS,
        "excitation": ("off", "spatial", "both"),
        "deep_supervision": (False, True),
        "residual": (False, True),
    }
)

TOGGLES = [
    {},
    *({"skip_gate": gate} for gate in GATES[1:]),
    *({"excitation": kind} for kind in ("channel", "spatial", "both", "deepest")),
    *({"bottleneck": kind} for kind in BOTTLENECKS[1:]),
    *({"activation": kind} for kind in SMOOTH if kind != "elu"),
    *({"normalization": kind} for kind in NORMS[1:]),
    {"residual": True},
    {"residual": True, "drop_path": 0.1},
    {"dropout": 0.1},
    {"deep_supervision": True},
    {"depth": 3},
]
EVERYTHING = [
    {"architecture": architecture, "encoder": encoder, **toggle}
    for architecture, encoder, toggle in itertools.product(ARCHITECTURES, ENCODERS, TOGGLES)
]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture(autouse=True)
def _fresh_session():
    yield
    keras.utils.clear_session()


@pytest.mark.filterwarnings("error:Gradients do not exist")
@pytest.mark.parametrize("row", SAMPLE, ids=name_of)
def test_choices_train_save_load_and_export(row, tmp_path, rng):
    place = SAMPLE.index(row)
    others = {"skip_gate": GATES[place % 4], "activation": SMOOTH[place % 4], "drop_path": 0.1}
    network = trains(small_config(**row, **others), rng)
    saves_loads_and_exports(network, tmp_path, rng, [(2, 64, 128), (1, 256, 256)])


@pytest.mark.long
@pytest.mark.filterwarnings("error:Gradients do not exist")
@pytest.mark.parametrize("row", EVERYTHING, ids=name_of)
def test_every_toggle_of_every_network_trains_saves_loads_and_exports(row, tmp_path, rng):
    network = trains(small_config(**{"depth": 2, "activation": "elu", **row}), rng)
    saves_loads_and_exports(network, tmp_path, rng, [(2, 64, 128), (1, 256, 256)])


# What a toggle adds, in every network


def layer_names(**fields):
    return {
        layer.name for layer in build_network(small_config(**{"depth": 2, "filters": 2, **fields})).layers
    }


ADDED = {
    "skip_gate": ({"skip_gate": "gated"}, "_gate_"),
    "residual": ({"residual": True}, "_residual"),
    "excitation": ({"excitation": "channel"}, "_se_scale"),
    "dropout": ({"dropout": 0.1}, "_dropout"),
    "drop_path": ({"residual": True, "drop_path": 0.1}, "_drop_path"),
    "normalization": ({"normalization": "group"}, "_norm"),
}


@pytest.mark.parametrize("toggle", ADDED)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_toggle_acts_in_each_architecture(architecture, toggle):
    """DeepLabV3+ decodes at level 1 too when it has two levels."""
    fields, part = ADDED[toggle]
    without = layer_names(architecture=architecture, normalization="none")
    switched_on = layer_names(**{"architecture": architecture, "normalization": "none", **fields})
    assert not any(part in name for name in without)
    for level in ("encoder_1", "decoder_1"):
        if not (toggle == "skip_gate" and level == "encoder_1"):
            assert any(part in name and name.startswith(level) for name in switched_on), level


# Architectures


def output_shape(model, layer, height=64, width=128):
    output = keras.Model(model.inputs, model.get_layer(layer).output)
    return output.compute_output_spec(keras.KerasTensor((1, height, width, 1))).shape[1:]


def test_unet3plus_shows_each_level_every_scale_with_as_many_channels():
    model = build_network(ModelConfig(architecture="unet3plus", depth=3, filters=2))
    for level in (1, 2, 3):
        encoder = [f"decoder_{level}_from_encoder_{origin}" for origin in range(1, level + 1)]
        decoder = [f"decoder_{level}_from_decoder_{origin}" for origin in range(level + 1, 5)]
        for branch in (*encoder, *decoder):
            assert output_shape(model, branch) == (64 >> level - 1, 128 >> level - 1, 2)
        assert output_shape(model, f"decoder_{level}_join")[2] == 4 * 2
    names = " ".join(layer.name for layer in model.layers)
    assert "decoder_1_from_encoder_2" not in names
    assert model.get_layer("decoder_3_from_encoder_1_pool").pool_size == (4, 4)


@pytest.mark.parametrize(("depth", "level"), [(1, 1), (2, 1), (3, 2), (6, 5)])
def test_deeplab_joins_one_low_level_branch_one_above_the_last(depth, level):
    model = build_network(ModelConfig(architecture="deeplabv3plus", depth=depth, filters=4))
    joins = [
        layer.name for layer in model.layers if layer.name.startswith("decoder_") and "join" in layer.name
    ]
    assert joins == [f"decoder_{level}_join"]
    size = (64 >> level - 1, 128 >> level - 1)
    assert output_shape(model, f"decoder_{level}_low") == (*size, 4)
    assert output_shape(model, f"decoder_{level}_act_2") == (*size, 4 << level - 1)
    assert output_shape(model, "logits") == (64, 128, 5)


def test_deeplab_has_its_atrous_pyramid_whatever_the_bottleneck_says():
    for bottleneck in BOTTLENECKS:
        names = layer_names(architecture="deeplabv3plus", bottleneck=bottleneck)
        assert "bottleneck_aspp_rate_6" in names
        assert not any("pyramid" in name for name in names)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_networks_are_named_and_take_any_multiple_of_their_cells(architecture, rng):
    model = build_network(small_config(architecture=architecture, depth=2))
    assert model.name == architecture
    assert [tensor.name for tensor in model.inputs] == ["image"]
    assert model(normal_images(rng, 1, 12, 20)).shape == (1, 12, 20, 5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_are_float32_in_mixed_precision(architecture, rng):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        networks = build_networks(small_config(architecture=architecture, deep_supervision=True))
    finally:
        keras.config.set_dtype_policy("float32")
    outputs = networks.training(normal_images(rng, 1, 8, 8))
    assert [np.asarray(logits).dtype for logits in outputs] == [np.float32] * len(outputs)
