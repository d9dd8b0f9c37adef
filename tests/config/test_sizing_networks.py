"""The count without Keras against the networks themselves."""

from __future__ import annotations

import itertools

import pytest

from marsseg.config import ModelConfig
from marsseg.config.sizing import network_size
from tests.pairwise import pairwise

pytestmark = pytest.mark.training

SIZES = [(1, 4, 1), (2, 6, 4), (3, 2, 8)]  # depth, filters, squeeze ratio
CHOICES = {
    "architecture": ("unet", "unet3plus", "deeplabv3plus"),
    "encoder": ("plain", "resnet", "densenet"),
    "bottleneck": ("none", "aspp", "pyramid_pooling"),
    "squeeze_excite": (False, True),
    "se_kind": ("channel", "spatial", "both"),
    "se_placement": ("all", "bottleneck"),
    "residual": (False, True),
    "skip_gate": ("none", "gated", "attention", "sigmoid_only"),
    "normalization": ("batch", "group", "none"),
    "deep_supervision": (False, True),
    "size": tuple(SIZES),
}
SAMPLE = pairwise(CHOICES)


def config_of(row):
    depth, filters, ratio = row["size"]
    fields = {name: value for name, value in row.items() if name != "size"}
    return ModelConfig(depth=depth, filters=filters, se_ratio=ratio, groups=2, **fields)


def parameters_by_level(model):
    """Parameters of the real layers, gathered by the level that their names start with."""
    counts: dict[str, int] = {}
    for layer in model.layers:
        level = "_".join(layer.name.split("_")[:2]) if "coder" in layer.name else layer.name.split("_")[0]
        counts[level] = counts.get(level, 0) + layer.count_params()
    return counts


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


def counts_agree(config):
    import keras

    from marsseg.training.networks import build_network

    model, size = build_network(config), network_size(config, 32, 64)
    assert size.parameters == model.count_params(), config
    real = parameters_by_level(model)
    assert {level.name: level.parameters for level in size.levels} == {
        name: count for name, count in real.items() if count
    }
    assert size.multiply_adds == multiply_adds(model, 32, 64), config
    keras.utils.clear_session()


@pytest.mark.parametrize("row", SAMPLE, ids=range(len(SAMPLE)))
def test_counts_equal_those_of_the_real_network(row):
    counts_agree(config_of(row))


@pytest.mark.long
@pytest.mark.parametrize("architecture", CHOICES["architecture"])
@pytest.mark.parametrize("encoder", CHOICES["encoder"])
@pytest.mark.parametrize("bottleneck", CHOICES["bottleneck"])
def test_counts_equal_those_of_every_real_network(architecture, encoder, bottleneck):
    excitations = [
        (False, "channel", "all"),
        *itertools.product([True], *map(CHOICES.get, ("se_kind", "se_placement"))),
    ]
    rows = itertools.product(excitations, CHOICES["residual"], CHOICES["skip_gate"])
    for place, ((squeeze_excite, se_kind, se_placement), residual, skip_gate) in enumerate(rows):
        row = {
            "architecture": architecture,
            "encoder": encoder,
            "bottleneck": bottleneck,
            "squeeze_excite": squeeze_excite,
            "se_kind": se_kind,
            "se_placement": se_placement,
            "residual": residual,
            "skip_gate": skip_gate,
            "normalization": CHOICES["normalization"][place % 3],
            "size": SIZES[place // 3 % 3],
        }
        counts_agree(config_of(row))


# Receptive field


def opened(config):
    """The network with all kernels ¼, at which no path vanishes or overflows, and no mean over the tile."""
    import numpy as np

    from marsseg.training.networks import build_network

    model = build_network(config)
    model.set_weights([np.full(w.shape, 0.25 * (w.ndim == 4), "float32") for w in model.get_weights()])
    for layer in model.layers:
        if layer.name.endswith("_tile_conv"):
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    return model


def widest_span(model, rows, columns, cell):
    """Most input rows that any row in the middle depends on: those whose impulse arrives there."""
    import numpy as np

    middle, reached = slice(rows // 2 - cell, rows // 2 + cell), []
    for start in range(0, rows, 64):
        impulses = np.zeros((min(64, rows - start), rows, columns, 1), "float32")
        places = np.arange(len(impulses))
        impulses[places, start + places] = 1e-3
        reached.append(np.asarray(model(impulses))[:, middle, 0, 0] > 0)
    touched = np.concatenate(reached)  # [lit row, output row]
    spans = [np.flatnonzero(row) for row in touched.T]
    return max(span[-1] - span[0] + 1 for span in spans)


@pytest.mark.parametrize(
    ("fields", "depth"),
    [
        *(({}, depth) for depth in (1, 2, 3)),
        ({"encoder": "resnet", "architecture": "unet3plus"}, 2),
        ({"encoder": "densenet", "architecture": "deeplabv3plus"}, 2),
        ({"architecture": "deeplabv3plus"}, 3),
        ({"bottleneck": "aspp"}, 1),
        ({"bottleneck": "pyramid_pooling"}, 3),
        ({"bottleneck": "pyramid_pooling", "architecture": "unet3plus"}, 1),
    ],
    ids=str,
)
def test_receptive_field_is_what_an_impulse_reaches(fields, depth):
    """With all kernels positive, an output is above 0 exactly where a path leads to the one lit input row."""
    config = ModelConfig(depth=depth, filters=2, normalization="none", **fields)
    size = network_size(config)
    cell = 64  # windows of pyramid pooling cover as much; no pattern repeats later
    rows = -(-(size.receptive_field + 2 * cell) // cell) * cell
    assert widest_span(opened(config), rows, 2**depth, cell) == size.receptive_field
