from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import pytest

from marsseg.config import ModelConfig
from marsseg.config.anatomy import output_weights
from marsseg.config.sizing import network_size
from marsseg.ui.diagram import network_svg
from marsseg.ui.diagram_key import key_entries

SVG = "{http://www.w3.org/2000/svg}"


def texts(config, **size):
    return [node.text for node in ET.fromstring(network_svg(config, **size)).iter(f"{SVG}text")]


def key_of(config):
    return " ".join(entry.words for entry in key_entries(config))


def test_levels_carry_channels_and_sizes_down_and_up():
    words = texts(ModelConfig(depth=2, filters=16))
    assert [word for word in words if word.endswith(" ch")] == ["16 ch", "32 ch", "64 ch", "32 ch", "16 ch"]
    sizes = [word for word in words if "×" in word and word[0].isdigit()]
    assert sizes == ["64×128", "32×64", "16×32", "32×64", "64×128"]


def test_deeplab_goes_up_in_one_step():
    words = texts(ModelConfig(architecture="deeplabv3plus", depth=3, skip_gate="gated"))
    sizes = [word for word in words if "×" in word and word[0].isdigit()]
    assert sizes == ["64×128", "32×64", "16×32", "8×16", "32×64"]
    assert words.count("g") == 1
    assert [word for word in words if word.startswith("×")] == ["×2", "×4"]  # to the image, from the pyramid
    assert "ASPP" in words


def test_sizes_follow_the_tile():
    assert "128×64" in texts(ModelConfig(depth=1), height=128, width=64)


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_squeeze_marks_every_block(depth):
    blocks = 2 * depth + 1
    assert texts(ModelConfig(depth=depth)).count("SE") == 0
    assert texts(ModelConfig(depth=depth, squeeze_excite=True)).count("SE") == blocks


@pytest.mark.parametrize(("gate", "mark"), [("gated", "g"), ("attention", "α"), ("sigmoid_only", "σ")])
def test_gates_mark_every_skip(gate, mark):
    assert texts(ModelConfig(depth=3, skip_gate=gate)).count(mark) == 3


@pytest.mark.parametrize(("kind", "mark"), [("channel", "SE"), ("spatial", "sSE"), ("both", "scSE")])
def test_squeeze_may_mark_the_bottleneck_alone(kind, mark):
    config = ModelConfig(depth=3, squeeze_excite=True, se_kind=kind, se_placement="bottleneck")
    assert texts(config).count(mark) == 1


def test_the_key_names_only_what_is_there():
    plain = key_of(ModelConfig(drop_path=0.2, supervision_decay=0.3))
    for word in ("residual", "drop path", "loss", "SE", "joins", "ASPP", "encoder"):
        assert word not in plain
    full = key_of(ModelConfig(residual=True, squeeze_excite=True, se_ratio=4, dropout=0.1, drop_path=0.2))
    assert "residual connection" in full
    assert "ratio 4" in full
    assert "dropout 0.1" in full
    assert "5.0% of tiles skip a branch at level 1, 20.0% at the bottleneck" in full
    assert "ratio" not in key_of(ModelConfig(squeeze_excite=True, se_kind="spatial"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"encoder": "resnet"}, "2 residual units"),
        ({"encoder": "densenet"}, "4 convolutions to 16 channels"),
        ({"bottleneck": "aspp"}, "rates 2, 4, 6"),
        ({"bottleneck": "pyramid_pooling"}, "windows of 4×4 and 2×2 pixels"),
        ({"architecture": "unet3plus"}, "finer levels pooled, coarser ones enlarged"),
        ({"deep_supervision": True, "supervision_decay": 1.0}, "weight of its loss 0.33, 0.33"),
    ],
)
def test_the_key_says_what_a_choice_is_made_of(fields, words):
    assert words in key_of(ModelConfig(depth=3, **fields))


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_every_level_joins_every_decoder_of_a_unet_3_plus(depth):
    """Beside the skips: a dot for each finer level of the encoder and each coarser one."""
    config = ModelConfig(architecture="unet3plus", depth=depth)
    dots = ET.fromstring(network_svg(config)).iter(f"{SVG}circle")
    finer = sum(level - 1 for level in range(1, depth + 1))
    coarser = sum(depth + 1 - level for level in range(1, depth + 1))
    assert len(list(dots)) == finer + coarser


@pytest.mark.parametrize("architecture", ["unet", "unet3plus", "deeplabv3plus"])
def test_blocks_that_predict_while_training_have_the_colours_of_the_classes(architecture):
    config = ModelConfig(architecture=architecture, depth=4)
    plain, supervised = (
        network_svg(config.model_copy(update={"deep_supervision": on})) for on in (False, True)
    )
    heads = len(output_weights(config.model_copy(update={"deep_supervision": True}))) - 1
    assert heads == (1 if architecture == "deeplabv3plus" else 3)
    assert supervised.count("#D55E00") - plain.count("#D55E00") == heads


SHAPES = [
    {"architecture": "unet"},
    {"architecture": "unet", "bottleneck": "aspp", "se_kind": "both"},
    {"architecture": "unet3plus", "encoder": "resnet", "se_kind": "both"},
    {"architecture": "unet3plus", "bottleneck": "pyramid_pooling"},
    {"architecture": "deeplabv3plus", "encoder": "densenet"},
]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("gate", ["none", "attention"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(shape.values()))
def test_blocks_never_touch_and_all_stays_inside(depth, gate, shape):
    config = ModelConfig(
        depth=depth, skip_gate=gate, residual=True, squeeze_excite=True, deep_supervision=True, **shape
    )
    root = ET.fromstring(network_svg(config))
    width, height = map(float, root.get("viewBox").split()[2:])
    boxes = [
        tuple(float(rect.get(side)) for side in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
    ]
    assert all(x >= 0 and x + w <= width and y >= 0 and y + h <= height for x, y, w, h in boxes)
    blocks = [box for box in boxes if box[3] == 38]
    has_pyramid = config.bottleneck != "none" or config.architecture == "deeplabv3plus"
    assert len(blocks) == len(network_size(config).levels) - 1 + has_pyramid
    for (x1, y1, w1, h1), (x2, y2, w2, h2) in itertools.combinations(blocks, 2):
        assert x1 + w1 < x2 or x2 + w2 < x1 or y1 + h1 < y2 or y2 + h2 < y1
    marks = [box for box in boxes if box[3] == 17]  # badges
    for (x1, y1, w1, h1), (x2, y2, w2, h2) in itertools.combinations(marks, 2):
        assert x1 + w1 < x2 or x2 + w2 < x1 or y1 + h1 < y2 or y2 + h2 < y1
