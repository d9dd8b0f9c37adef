from __future__ import annotations

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


def test_a_supervised_network_is_counted_as_it_is_used():
    assert network_size(ModelConfig(deep_supervision=True)) == network_size(ModelConfig())


def test_deeplab_has_one_decoder_level_and_a_head_at_full_size():
    levels = network_size(ModelConfig(architecture="deeplabv3plus", depth=3, filters=8)).levels
    assert [(level.name, level.height, level.width, level.channels) for level in levels] == [
        ("encoder_1", 64, 128, 8),
        ("encoder_2", 32, 64, 16),
        ("encoder_3", 16, 32, 32),
        ("bottleneck", 8, 16, 16),
        ("decoder_2", 32, 64, 16),
        ("head", 64, 128, 5),
    ]


@pytest.mark.parametrize("architecture", ["unet", "unet3plus"])
@pytest.mark.parametrize("bottleneck", ["aspp", "pyramid_pooling"])
def test_a_pyramid_costs_at_the_bottleneck_alone(architecture, bottleneck):
    plain = network_size(ModelConfig(architecture=architecture))
    size = network_size(ModelConfig(architecture=architecture, bottleneck=bottleneck))
    grown = [a.name for a, b in zip(size.levels, plain.levels, strict=True) if a.parameters > b.parameters]
    assert grown == ["bottleneck"]
    assert size.receptive_field > plain.receptive_field


def test_excitation_at_the_bottleneck_alone_costs_there_alone():
    plain = network_size(ModelConfig())
    size = network_size(ModelConfig(squeeze_excite=True, se_placement="bottleneck", se_ratio=8))
    assert size.parameters - plain.parameters == (128 * 16 + 16) + (16 * 128 + 128)
