"""Sizes against the networks themselves: parameters, multiply-adds and how far an impulse reaches."""

from __future__ import annotations

import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.config.sizing import network_size
from tests.support.pairwise import pairwise

pytestmark = pytest.mark.training

SAMPLE = pairwise(
    {
        "architecture": ("unet", "unet3plus", "deeplabv3plus"),
        "encoder": ("plain", "resnet", "densenet"),
        "bottleneck": ("none", "aspp", "pyramid_pooling"),
        "size": ((1, 4), (2, 6), (3, 2)),  # depth, filters
        "squeeze": ((False, "channel"), (True, "channel"), (True, "spatial"), (True, "both")),
        "se_placement": ("all", "bottleneck"),
        "se_ratio": (1, 4),
        "residual": (False, True),
        "skip_gate": ("none", "gated", "attention", "sigmoid_only"),
        "normalization": ("batch", "group", "none"),
    }
)


def config_of(row):
    row = dict(row)
    (depth, filters), (squeeze_excite, se_kind) = row.pop("size"), row.pop("squeeze")
    return ModelConfig(
        **row,
        depth=depth,
        filters=filters,
        groups=2,
        squeeze_excite=squeeze_excite,
        se_kind=se_kind,
        deep_supervision=True,  # whose heads do not count
        drop_path=0.1,
    )


def parameters_by_level(model):
    """Parameters of the real layers, gathered by the level that their names start with."""
    counts: dict[str, int] = {}
    for layer in model.layers:
        level = "_".join(layer.name.split("_")[:2]) if "coder" in layer.name else layer.name.split("_")[0]
        counts[level] = counts.get(level, 0) + layer.count_params()
    return {level: count for level, count in counts.items() if count}


def multiply_adds(model, height, width):
    """Kernel size times output pixels, over the layers that hold a kernel, at shapes Keras works out."""
    from keras import KerasTensor, Model, layers

    kinds = (layers.Conv2D, layers.Conv2DTranspose, layers.Dense)
    with_kernel = [layer for layer in model.layers if isinstance(layer, kinds)]
    inner = Model(model.inputs, [layer.output for layer in with_kernel])
    shapes = inner.compute_output_spec(KerasTensor((1, height, width, 1)))
    total = 0
    for layer, output in zip(with_kernel, shapes, strict=True):
        pixels = output.shape[1] * output.shape[2]
        if isinstance(layer, layers.Conv2DTranspose):
            pixels //= layer.strides[0] * layer.strides[1]
        total += pixels * layer.kernel.shape.num_elements()
    return total


@pytest.mark.parametrize("part", range(4))
def test_counts_equal_those_of_the_real_network(part):
    import keras

    from marsseg.training.networks import build_network

    for row in SAMPLE[part::4]:
        config = config_of(row)
        model, size = build_network(config), network_size(config, 32, 64)
        assert size.parameters == model.count_params(), config
        assert {level.name: level.parameters for level in size.levels} == parameters_by_level(model), config
        assert size.multiply_adds == multiply_adds(model, 32, 64), config
        keras.utils.clear_session()


def test_rows_have_the_sizes_of_the_real_features():
    from keras import KerasTensor, Model

    from marsseg.training.networks import build_network

    for architecture in ("unet", "unet3plus", "deeplabv3plus"):
        config = ModelConfig(architecture=architecture, depth=3, filters=2, dropout=0.1)
        model, sizes = build_network(config), network_size(config, 64, 128).levels
        names = [f"{size.name}_dropout" if size.name != "head" else "logits" for size in sizes]
        inner = Model(model.inputs, [model.get_layer(name).output for name in names])
        shapes = [output.shape for output in inner.compute_output_spec(KerasTensor((1, 64, 128, 1)))]
        assert [(size.height, size.width) for size in sizes] == [shape[1:3] for shape in shapes]
        for size, shape in zip(sizes, shapes, strict=True):
            assert size.name == "bottleneck" or size.channels == shape[3]


FIELDS = [
    *({"depth": depth} for depth in (1, 2, 3)),
    *({"architecture": name, "depth": 2} for name in ("unet3plus", "deeplabv3plus")),
    *({"encoder": name, "depth": 1} for name in ("resnet", "densenet")),
    *({"bottleneck": name, "depth": 2} for name in ("aspp", "pyramid_pooling")),
    {"architecture": "unet3plus", "depth": 2, "bottleneck": "pyramid_pooling"},
]
LONG_FIELDS = [
    {"architecture": "deeplabv3plus", "depth": 3, "encoder": "resnet"},
    {"architecture": "unet3plus", "depth": 3, "encoder": "densenet", "bottleneck": "aspp"},
    {"architecture": "unet", "depth": 3, "encoder": "resnet", "bottleneck": "pyramid_pooling"},
]


def words(fields):
    return "-".join(str(value) for value in fields.values())


@pytest.mark.parametrize("fields", FIELDS, ids=words)
def test_receptive_field_is_what_an_impulse_reaches(fields):
    assert reach(fields) == network_size(ModelConfig(filters=2, **fields)).receptive_field


@pytest.mark.long
@pytest.mark.parametrize("fields", LONG_FIELDS, ids=words)
def test_receptive_field_of_deep_networks_is_what_an_impulse_reaches(fields):
    assert reach(fields) == network_size(ModelConfig(filters=2, **fields)).receptive_field


def reach(fields):
    """With all kernels 1, an output is above 0 exactly where a path leads to the one lit input row.

    In double precision, where neither long products nor faint ones run out of exponents; the branch of the
    tile's mean is cut, or every row would reach every other.
    """
    import keras

    from marsseg.training.networks import build_network

    config = ModelConfig(filters=2, normalization="none", **fields)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = build_network(config)
    finally:
        keras.config.set_dtype_policy(policy)
    for weight in model.weights:
        weight.assign(np.full(weight.shape, len(weight.shape) == 4 and "pyramid_tile" not in weight.path))
    rows = -(-(network_size(config).receptive_field + 128) // 64) * 64
    reached = []
    for start in range(0, rows, 64):
        impulses = np.zeros((64, rows, 2**config.depth, 1))
        impulses[np.arange(64), start + np.arange(64)] = 1
        reached.append(np.asarray(model(impulses, training=False))[:, :, 0, 0] > 0)
    reached = np.concatenate(reached)  # [lit row, output row]
    middle = range(rows // 2 - 32, rows // 2 + 32)
    spans = [np.flatnonzero(reached[:, row]) for row in middle]
    return max(span[-1] - span[0] + 1 for span in spans)


FAR = [
    ({}, False),
    ({"squeeze_excite": True, "se_kind": "spatial"}, False),
    ({"squeeze_excite": True}, True),
    ({"squeeze_excite": True, "se_kind": "both", "se_placement": "bottleneck"}, True),
    ({"normalization": "group"}, True),
    ({"bottleneck": "aspp"}, True),
    ({"bottleneck": "pyramid_pooling"}, True),
    ({"architecture": "deeplabv3plus", "depth": 2}, True),
]


@pytest.mark.parametrize(("fields", "far"), FAR, ids=str)
def test_a_logit_depends_on_pixels_beyond_the_field_only_by_means_of_the_tile(fields, far):
    import keras
    import tensorflow as tf

    from marsseg.training.networks import build_network

    keras.utils.set_random_seed(0)
    config = ModelConfig(**{"depth": 1, "groups": 1, "se_ratio": 1, "activation": "silu", **fields})
    size = network_size(config)
    rows = 2 * (size.receptive_field + 16) // 16 * 16
    image = tf.Variable(np.random.default_rng(0).normal(size=(1, rows, 16, 1)).astype(np.float32))
    with tf.GradientTape() as tape:
        logit = build_network(config)(image, training=False)[0, -1, 0, 1]
    slopes = tape.gradient(logit, image).numpy()
    assert bool(slopes[:, : -size.receptive_field].any()) is size.summarises_tile is far
