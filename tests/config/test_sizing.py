from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from marsseg.config import ModelConfig
from marsseg.config.sizing import network_size


def test_the_usual_network_has_half_a_million_parameters():
    size = network_size(ModelConfig(filters=16, depth=3, residual=True, squeeze_excite=True))
    assert size.parameters == 514_033
    assert sum(level.parameters for level in size.levels) == size.parameters
    assert sum(level.multiply_adds for level in size.levels) == size.multiply_adds


def test_a_network_small_enough_to_count_by_hand():
    size = network_size(ModelConfig(depth=1, filters=2, normalization="none"), height=4, width=8)
    encoder = (9 * 1 * 2 + 2) + (9 * 2 * 2 + 2)
    bottleneck = (9 * 2 * 4 + 4) + (9 * 4 * 4 + 4)
    decoder = (4 * 4 * 2 + 2) + (9 * 4 * 2 + 2) + (9 * 2 * 2 + 2)
    head = 2 * 5 + 5
    assert [level.parameters for level in size.levels] == [encoder, bottleneck, decoder, head]
    full, half = 4 * 8, 2 * 4
    assert [level.multiply_adds for level in size.levels] == [
        full * (9 * 2 + 9 * 4),
        half * (9 * 8 + 9 * 16),
        half * 4 * 4 * 2 + full * (9 * 8 + 9 * 4),
        full * 10,
    ]


def test_levels_follow_the_image_down_and_up():
    levels = network_size(ModelConfig(depth=2, filters=8), height=64, width=128).levels
    assert [(level.name, level.height, level.width, level.channels) for level in levels] == [
        ("encoder_1", 64, 128, 8),
        ("encoder_2", 32, 64, 16),
        ("bottleneck", 16, 32, 32),
        ("decoder_2", 32, 64, 16),
        ("decoder_1", 64, 128, 8),
        ("head", 64, 128, 5),
    ]


def test_a_toggle_never_makes_a_network_smaller():
    plain = network_size(ModelConfig())
    for change in ({"squeeze_excite": True}, {"residual": True}, {"skip_gate": "attention"}):
        size = network_size(ModelConfig(**change))
        assert size.parameters > plain.parameters
        assert size.multiply_adds > plain.multiply_adds


def test_counting_needs_no_tensorflow():
    code = "import sys, marsseg.config.sizing; print({'tensorflow', 'keras'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


# Against the network itself

GATES = ["none", "gated", "attention", "sigmoid_only"]
NORMS = ["batch", "group", "none"]
SIZES = [(1, 4, 1), (2, 6, 4), (3, 2, 8)]  # depth, filters, squeeze ratio


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


@pytest.mark.training
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("squeeze_excite", [False, True], ids=["no_se", "se"])
@pytest.mark.parametrize("gate", GATES)
def test_counts_equal_those_of_the_real_network(gate, squeeze_excite, residual):
    from marsseg.training.networks import build_network

    sizes = itertools.islice(itertools.cycle(SIZES), GATES.index(gate), None)
    for norm, (depth, filters, ratio) in zip(NORMS, sizes, strict=False):
        config = ModelConfig(
            depth=depth,
            filters=filters,
            groups=2,
            se_ratio=ratio,
            normalization=norm,
            skip_gate=gate,
            squeeze_excite=squeeze_excite,
            residual=residual,
        )
        model, size = build_network(config), network_size(config, 32, 64)
        assert size.parameters == model.count_params(), config
        real = parameters_by_level(model)
        assert {level.name: level.parameters for level in size.levels} == {
            name: count for name, count in real.items() if count
        }
        assert size.multiply_adds == multiply_adds(model, 32, 64), config


@pytest.mark.training
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_receptive_field_is_what_an_impulse_reaches(depth):
    """With all kernels 1, an output is above 0 exactly where a path leads to the one lit input row."""
    import numpy as np

    from marsseg.training.networks import build_network

    model = build_network(ModelConfig(depth=depth, filters=2, normalization="none"))
    model.set_weights([np.full(w.shape, w.ndim == 4, "float32") for w in model.get_weights()])
    size = network_size(ModelConfig(depth=depth, filters=2))
    rows = 2 * size.receptive_field // 2**depth * 2**depth
    impulses = np.zeros((rows, rows, 2**depth, 1), "float32")
    impulses[np.arange(rows), np.arange(rows)] = 1e-3
    reached = np.asarray(model(impulses))[:, :, 0, 0] > 0  # [lit row, output row]
    middle = slice(rows // 2 - 2**depth, rows // 2 + 2**depth)
    spans = [np.flatnonzero(reached[:, row]) for row in range(rows)[middle]]
    assert max(span[-1] - span[0] + 1 for span in spans) == size.receptive_field
