from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import pytest

from marsseg.config import ModelConfig
from marsseg.ui.diagram import network_svg

SVG = "{http://www.w3.org/2000/svg}"


def texts(config, **size):
    return [node.text for node in ET.fromstring(network_svg(config, **size)).iter(f"{SVG}text")]


def test_levels_carry_channels_and_sizes_down_and_up():
    words = texts(ModelConfig(depth=2, filters=16))
    assert [word for word in words if word.endswith(" ch")] == ["16 ch", "32 ch", "64 ch", "32 ch", "16 ch"]
    sizes = [word for word in words if "×" in word and word[0].isdigit()]
    assert sizes == ["64×128", "32×64", "16×32", "32×64", "64×128"]


def test_deeplab_goes_up_in_one_step():
    words = texts(ModelConfig(architecture="deeplabv3plus", depth=3, skip_gate="gated"))
    sizes = [word for word in words if "×" in word and word[0].isdigit()]
    assert sizes == ["64×128", "32×64", "16×32", "8×16", "32×64"]
    assert words.count("g") == 1 + 1  # and the key


def test_sizes_follow_the_tile():
    assert "128×64" in texts(ModelConfig(depth=1), height=128, width=64)


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_squeeze_marks_every_block(depth):
    blocks = 2 * depth + 1
    assert texts(ModelConfig(depth=depth)).count("SE") == 0
    assert texts(ModelConfig(depth=depth, squeeze_excite=True)).count("SE") == blocks + 1  # and the key


@pytest.mark.parametrize(("gate", "mark"), [("gated", "g"), ("attention", "α"), ("sigmoid_only", "σ")])
def test_gates_mark_every_skip(gate, mark):
    assert texts(ModelConfig(depth=3, skip_gate=gate)).count(mark) == 3 + 1


def test_the_key_names_only_what_is_there():
    plain = " ".join(texts(ModelConfig()))
    assert "residual" not in plain
    full = " ".join(texts(ModelConfig(residual=True, squeeze_excite=True, se_ratio=4, dropout=0.1)))
    assert "residual connection" in full
    assert "ratio 4" in full
    assert "dropout 0.1" in full


@pytest.mark.parametrize(
    ("depth", "residual", "gate"),
    list(itertools.product([1, 2, 3, 4, 5, 6], [False, True], ["none", "attention"])),
)
def test_blocks_of_a_level_never_touch_and_stay_inside(depth, residual, gate):
    root = ET.fromstring(
        network_svg(ModelConfig(depth=depth, residual=residual, skip_gate=gate, squeeze_excite=True))
    )
    width, height = map(float, root.get("viewBox").split()[2:])
    boxes = [
        tuple(float(rect.get(side)) for side in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
    ]
    assert all(x >= 0 and x + w <= width and y >= 0 and y + h <= height for x, y, w, h in boxes)
    blocks = [box for box in boxes if box[3] == 38]
    assert len(blocks) == 2 * depth + 1
    for (x1, y1, w1, h1), (x2, y2, w2, h2) in itertools.combinations(blocks, 2):
        assert x1 + w1 < x2 or x2 + w2 < x1 or y1 + h1 < y2 or y2 + h2 < y1
